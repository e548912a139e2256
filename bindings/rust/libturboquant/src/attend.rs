use smallvec::SmallVec;

use crate::error::{check, invalid};
use crate::kv::LayerShape;
use crate::parallel::{ParallelCall, ParallelFor};
use crate::shape::{Shape, Strides};
use crate::{Cache, Element, Kv, Pool, Result, Sequence, defaults, sys};

/// What the items of one [`Cache::attend`] call have in common. Mirrors `tq_attend_options`.
#[derive(Clone, Copy)]
pub struct AttendOptions<'a> {
    layer: u32,
    q_heads: u32,
    causal: bool,
    scale: f32,
    softcap: f32,
    sink_logits: Option<&'a [f32]>,
    threads: Threads<'a>,
}

#[derive(Clone, Copy)]
enum Threads<'a> {
    Caller,
    Pool(&'a Pool),
    Parallel(&'a ParallelFor<'a>),
}

impl Default for AttendOptions<'_> {
    /// Layer 0 and no query heads yet; the rest as `tq_attend_options_init` says.
    fn default() -> Self {
        let raw = defaults::attend_options();
        AttendOptions {
            layer: raw.layer,
            q_heads: raw.q_heads,
            causal: raw.causal != 0,
            scale: raw.scale,
            softcap: raw.softcap,
            sink_logits: None,
            threads: Threads::Caller,
        }
    }
}

impl<'a> AttendOptions<'a> {
    /// `q_heads` is a multiple of the layer's kv heads; query head h reads kv head h / (q_heads / kv_heads).
    pub fn new(layer: u32, q_heads: u32) -> Self {
        AttendOptions { layer, q_heads, ..Self::default() }
    }

    /// The same options for another layer and number of query heads.
    #[cfg(feature = "candle")]
    pub(crate) fn of_layer(mut self, layer: u32, q_heads: u32) -> Self {
        (self.layer, self.q_heads) = (layer, q_heads);
        self
    }

    /// `true` (default): a query sees the tokens up to its own; `false`: also those after it.
    pub fn causal(mut self, causal: bool) -> Self {
        self.causal = causal;
        self
    }

    /// Factor of q . k; 0 (default) = 1 / sqrt(key_dim).
    pub fn scale(mut self, scale: f32) -> Self {
        self.scale = scale;
        self
    }

    /// c > 0: logits become c tanh(logit / c); 0 (default) = off.
    pub fn softcap(mut self, softcap: f32) -> Self {
        self.softcap = softcap;
        self
    }

    /// Per query head an extra logit that joins the softmax and has no value; as many as query heads.
    pub fn sink_logits(mut self, logits: &'a [f32]) -> Self {
        self.sink_logits = Some(logits);
        self
    }

    /// Uses the threads of a pool instead of only the calling thread. Replaces [`parallel_for`](Self::parallel_for).
    pub fn pool(mut self, pool: &'a Pool) -> Self {
        self.threads = Threads::Pool(pool);
        self
    }

    /// Uses threads of your own: `run(count, task)` must call `task(i)` once for each i < count, in any order and on any
    /// thread, and return when all are done. Replaces [`pool`](Self::pool).
    ///
    /// With rayon: `options.parallel_for(&|count, task| (0..count).into_par_iter().for_each(task))`.
    ///
    /// If it calls some `task(i)` not at all, a second time, or with i >= count, the call returns
    /// [`InvalidArgument`](crate::Error::InvalidArgument) and the outputs are incomplete. A panic in `run` goes on to the
    /// caller of [`Cache::attend`].
    pub fn parallel_for(mut self, run: &'a ParallelFor<'a>) -> Self {
        self.threads = Threads::Parallel(run);
        self
    }

    /// For the C call, without threads.
    fn raw<Q: Element, O: Element>(&self) -> Result<sys::tq_attend_options> {
        let mut raw = defaults::attend_options();
        raw.layer = self.layer;
        raw.q_heads = self.q_heads;
        raw.query_dtype = Q::DTYPE as u32;
        raw.output_dtype = O::DTYPE as u32;
        raw.causal = self.causal.into();
        raw.scale = self.scale;
        raw.softcap = self.softcap;
        if let Some(logits) = self.sink_logits {
            if logits.len() != self.q_heads as usize {
                return Err(invalid!("sink_logits holds {} numbers for {} query heads", logits.len(), self.q_heads));
            }
            raw.sink_logits = logits.as_ptr();
        }
        Ok(raw)
    }
}

impl std::fmt::Debug for AttendOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let threads = match self.threads {
            Threads::Caller => "caller",
            Threads::Pool(_) => "pool",
            Threads::Parallel(_) => "parallel_for",
        };
        f.debug_struct("AttendOptions")
            .field("layer", &self.layer)
            .field("q_heads", &self.q_heads)
            .field("causal", &self.causal)
            .field("scale", &self.scale)
            .field("softcap", &self.softcap)
            .field("sink_logits", &self.sink_logits)
            .field("threads", &threads)
            .finish()
    }
}

/// One sequence's part of a [`Cache::attend`] call. Mirrors `tq_attend_item`.
///
/// Without [`new_tokens`](Self::new_tokens) the queries belong to the last `n_query` tokens appended: query i stands at
/// position length - n_query + i and sees the keys up to itself. With them, query i sees all cached tokens and the new
/// tokens 0 to i.
#[derive(Debug)]
pub struct AttendItem<'a, Q = f32, O = Q> {
    sequence: &'a Sequence,
    n_query: usize,
    query: &'a [Q],
    output: &'a mut [O],
    log_sum_exp: Option<&'a mut [f32]>,
    new_tokens: Option<Kv<'a>>,
    query_strides: Strides,
    output_strides: Strides,
}

impl<'a, Q: Element, O: Element> AttendItem<'a, Q, O> {
    /// `query` is `[n_query][q_heads][key_dim]`, `output` `[n_query][q_heads][value_dim]`. A query that sees nothing
    /// gets zeros.
    pub fn new(sequence: &'a Sequence, n_query: usize, query: &'a [Q], output: &'a mut [O]) -> Self {
        AttendItem {
            sequence,
            n_query,
            query,
            output,
            log_sum_exp: None,
            new_tokens: None,
            query_strides: Strides::default(),
            output_strides: Strides::default(),
        }
    }

    /// `[n_query][q_heads]`: natural logarithm of the sum of exponentials, sink logits included; -infinity where a query
    /// sees nothing.
    pub fn log_sum_exp(mut self, log_sum_exp: &'a mut [f32]) -> Self {
        self.log_sum_exp = Some(log_sum_exp);
        self
    }

    /// `n_query` new tokens that are not appended yet, seen at the precision given. Append them after. The choice for
    /// prefill and speculative decoding, and the more accurate one.
    pub fn new_tokens(mut self, tokens: Kv<'a>) -> Self {
        self.new_tokens = Some(tokens);
        self
    }

    /// Distances between queries and between heads of `query`, in elements.
    pub fn query_strides(mut self, token: usize, head: usize) -> Self {
        self.query_strides = Strides { token, head };
        self
    }

    /// The same for `output`; rows must not overlap.
    pub fn output_strides(mut self, token: usize, head: usize) -> Self {
        self.output_strides = Strides { token, head };
        self
    }

    /// For the C call; covers all that C reads and writes. `new_tokens` is set by the caller.
    fn fill(&mut self, raw: &mut sys::tq_attend_item, cache: &Cache, layer: LayerShape, q_heads: usize) -> Result<()> {
        if !self.sequence.cache().is(cache) {
            return Err(invalid!("sequence: it lies in another cache than the one that attends"));
        }
        let shape = |dim| Shape { count: self.n_query, heads: q_heads, dim };
        shape(layer.key_dim).check_len(self.query_strides, self.query.len(), "query")?;
        shape(layer.value_dim).check_len(self.output_strides, self.output.len(), "output")?;
        shape(layer.value_dim).check_disjoint(self.output_strides, "output")?;
        if let Some(log_sum_exp) = &mut self.log_sum_exp {
            shape(1).check_len(Strides::default(), log_sum_exp.len(), "log_sum_exp")?;
            raw.log_sum_exp = log_sum_exp.as_mut_ptr();
        }
        raw.sequence = self.sequence.id();
        raw.n_query = self.n_query;
        raw.query = self.query.as_ptr().cast();
        raw.output = self.output.as_mut_ptr().cast();
        (raw.query_token_stride, raw.query_head_stride) = (self.query_strides.token, self.query_strides.head);
        (raw.output_token_stride, raw.output_head_stride) = (self.output_strides.token, self.output_strides.head);
        Ok(())
    }
}

/// Items up to this many cost no allocation.
const FEW: usize = 4;

impl Cache {
    /// softmax(q K^T) V of a batch of sequences, one layer (`tq_attend`). Never changes the cache. Outputs are written
    /// for all items or, on an error found while validating, for none.
    ///
    /// ```
    /// use libturboquant::{AttendItem, AttendOptions, Cache, CacheOptions, Kv, LayerOptions};
    ///
    /// let cache = Cache::new(&CacheOptions::uniform(1, LayerOptions::new(2, 64)))?;
    /// let mut sequences = Vec::new();
    /// for length in [10, 200, 70] {
    ///     let mut sequence = cache.create_sequence()?;
    ///     let data = vec![0.5f32; length * 2 * 64];
    ///     sequence.append(0, Kv::new(length, &data, &data))?;
    ///     sequences.push(sequence);
    /// }
    ///
    /// let query = vec![1.0f32; 3 * 4 * 64]; // one query of four heads for each sequence
    /// let mut output = vec![0.0f32; 3 * 4 * 64];
    /// let mut items: Vec<_> = sequences
    ///     .iter()
    ///     .zip(query.chunks_exact(4 * 64).zip(output.chunks_exact_mut(4 * 64)))
    ///     .map(|(sequence, (query, output))| AttendItem::new(sequence, 1, query, output))
    ///     .collect();
    /// cache.attend(&AttendOptions::new(0, 4), &mut items)?;
    /// let squares: f32 = output.iter().map(|value| (value - 0.5).powi(2)).sum();
    /// assert!(squares < 0.02 * 0.25 * output.len() as f32); // all values are 0.5, coded in 4 bits
    /// # Ok::<(), libturboquant::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) names the slice or option that does not fit.
    /// [`OutOfMemory`](crate::Error::OutOfMemory) if scratch memory runs out; outputs are then incomplete.
    pub fn attend<Q: Element, O: Element>(
        &self,
        options: &AttendOptions<'_>,
        items: &mut [AttendItem<'_, Q, O>],
    ) -> Result<()> {
        let layer = self.layer(options.layer)?;
        let mut raw_options = options.raw::<Q, O>()?;
        let mut raw_items: SmallVec<[_; FEW]> = SmallVec::from_elem(defaults::attend_item(), items.len());
        let mut new_tokens: SmallVec<[_; FEW]> = SmallVec::new();
        for (item, raw) in items.iter_mut().zip(&mut raw_items) {
            item.fill(raw, self, layer, options.q_heads as usize)?;
            if let Some(tokens) = &item.new_tokens {
                new_tokens.push(tokens.raw(layer)?);
            }
        }
        // No more of them are pushed, so their addresses stay.
        let with_tokens = items.iter().zip(&mut raw_items).filter(|(item, _)| item.new_tokens.is_some());
        for ((_, raw), tokens) in with_tokens.zip(&new_tokens) {
            raw.new_tokens = tokens;
        }

        let attend = |raw_options: &sys::tq_attend_options| {
            // SAFETY: live handle; every item borrows a sequence of this cache by `&`, so nobody writes it; the lengths of
            // all slices were checked against what C reads and writes, and no two outputs overlap.
            check(|err| unsafe { sys::tq_attend(self.as_ptr(), raw_options, raw_items.as_ptr(), raw_items.len(), err) })
        };
        match options.threads {
            Threads::Caller => attend(&raw_options),
            Threads::Pool(pool) => {
                raw_options.pool = pool.as_ptr();
                attend(&raw_options)
            }
            Threads::Parallel(run) => ParallelCall::new(run).with(&mut raw_options, attend),
        }
    }
}
