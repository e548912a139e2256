use candle_core::{CpuStorage, DType, Device, Error, Layout, Result, Storage, Tensor, WithDType, bail};

use super::op::Attend;
use super::view::{Order, View, kv, readable, with_element};
use crate::{AttendOptions, Cache, CacheOptions, Element, KvOut, LayerOptions, Sequence};

/// Keys and values of one layer, compressed; see the [module](super).
///
/// Each `KvCache` is a [`Cache`] of one layer with a [`Sequence`] for each row of the batch; it is made when the first
/// tensors tell their sizes.
#[derive(Debug)]
pub struct KvCache {
    /// As given to `new`; checked when the first tensors come.
    dim: usize,
    layer: LayerOptions,
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    cache: Cache,
    sequences: Vec<Sequence>,
    order: Order,
    /// Of the tensors that came in first, and of those that go out.
    dtype: DType,
    kv_heads: usize,
    key_dim: usize,
    value_dim: usize,
}

impl KvCache {
    /// As `candle_nn::kv_cache::KvCache::new`: `dim` is the dimension of the tokens, 2 for `[batch][heads][tokens][dim]`
    /// or 1 for `[batch][tokens][heads][dim]`. Memory grows with the tokens, so `max_seq_len` changes nothing; it is here
    /// so that one type can replace the other.
    pub fn new(dim: usize, max_seq_len: usize) -> Self {
        let _ = max_seq_len;
        Self::with_options(dim, LayerOptions::default())
    }

    /// With formats and a window of your choice. Head counts and sizes come from the first tensors.
    pub fn with_options(dim: usize, layer: LayerOptions) -> Self {
        KvCache { dim, layer, state: None }
    }

    /// Tokens so far.
    pub fn current_seq_len(&self) -> usize {
        let length = |state: &State| state.sequences.first().and_then(|sequence| sequence.length(0).ok());
        self.state.as_ref().and_then(length).unwrap_or(0)
    }

    /// Forgets everything; the next tensors may have other sizes.
    pub fn reset(&mut self) {
        self.state = None;
    }

    /// Cuts all rows of the batch to at most `length` tokens.
    pub fn truncate(&mut self, length: usize) -> Result<()> {
        for sequence in self.state.iter_mut().flat_map(|state| &mut state.sequences) {
            sequence.truncate(length).map_err(Error::wrap)?;
        }
        Ok(())
    }

    /// The cache behind it, for its [statistics](Cache::stats); `None` before the first tokens.
    pub fn cache(&self) -> Option<&Cache> {
        self.state.as_ref().map(|state| &state.cache)
    }

    /// Appends and returns all keys and values so far, decoded, in the dtype of the first keys.
    pub fn append(&mut self, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let state = self.append_only(k, v)?;
        Ok((state.decode(Side::Keys)?, state.decode(Side::Values)?))
    }

    /// All keys so far, decoded; `None` before the first tokens.
    pub fn k(&self) -> Result<Option<Tensor>> {
        self.state.as_ref().map(|state| state.decode(Side::Keys)).transpose()
    }

    /// All values so far, decoded; `None` before the first tokens.
    pub fn v(&self) -> Result<Option<Tensor>> {
        self.state.as_ref().map(|state| state.decode(Side::Values)).transpose()
    }

    /// Causal attention of new tokens to all tokens so far and among themselves, then appends them.
    ///
    /// The new keys and values are seen as they are given, the others as they are stored. The result has the shape of `q`,
    /// with the size of a value in the last dimension, and the dtype of `q`. Layer and number of query heads in `options`
    /// are ignored: they follow from the tensors.
    pub fn attend(&mut self, q: &Tensor, k: &Tensor, v: &Tensor, options: &AttendOptions<'_>) -> Result<Tensor> {
        let state = self.state_for(k, v)?;
        let (q, k, v) = (readable(q, state.order)?, readable(k, state.order)?, readable(v, state.order)?);
        let output = q.apply_op3_no_bwd(&k, &v, &state.attend_op(options))?;
        self.append_only(&k, &v)?;
        Ok(output)
    }

    /// Attention of queries that belong to the last tokens appended.
    pub fn attend_appended(&self, q: &Tensor, options: &AttendOptions<'_>) -> Result<Tensor> {
        let Some(state) = &self.state else { bail!("attention to a cache that is still empty") };
        readable(q, state.order)?.apply_op1_no_bwd(&state.attend_op(options))
    }

    fn append_only(&mut self, k: &Tensor, v: &Tensor) -> Result<&State> {
        let state = self.state_for(k, v)?;
        let (k, v) = (readable(k, state.order)?, readable(v, state.order)?);
        with_cpu(&k, |keys, key_layout| {
            with_cpu(&v, |values, value_layout| {
                let keys = (keys, View::of(key_layout, state.order)?);
                let values = (values, View::of(value_layout, state.order)?);
                with_element!(k.dtype(), T => state.append::<T>(keys, values))
            })
        })?;
        Ok(state)
    }

    /// The state, made for tensors of these sizes if there is none, after a check that they fit it.
    fn state_for(&mut self, k: &Tensor, v: &Tensor) -> Result<&mut State> {
        let order = Order::from_dim(self.dim)?;
        let (key_dims, value_dims) = (k.dims4()?, v.dims4()?);
        let sizes = |dims: (usize, usize, usize, usize)| match order {
            Order::TokenHead => (dims.0, dims.2, dims.1, dims.3),
            Order::HeadToken => dims,
        };
        let ((batch, kv_heads, tokens, key_dim), (.., value_dim)) = (sizes(key_dims), sizes(value_dims));
        if sizes(value_dims) != (batch, kv_heads, tokens, value_dim) || k.dtype() != v.dtype() {
            bail!("keys {key_dims:?} {:?} and values {value_dims:?} {:?} do not fit", k.dtype(), v.dtype());
        }
        if self.state.is_none() {
            self.state = Some(State::new(self.layer, order, k.dtype(), batch, [kv_heads, key_dim, value_dim])?);
        }
        let state = self.state.as_mut().expect("it was just made");
        let held = (state.sequences.len(), state.kv_heads, state.key_dim, state.value_dim);
        if held != (batch, kv_heads, key_dim, value_dim) {
            bail!("keys {key_dims:?} and values {value_dims:?}, but the cache has batch, heads and sizes {held:?}");
        }
        Ok(state)
    }
}

#[derive(Clone, Copy)]
enum Side {
    Keys,
    Values,
}

impl State {
    fn new(layer: LayerOptions, order: Order, dtype: DType, batch: usize, sizes: [usize; 3]) -> Result<Self> {
        let [kv_heads, key_dim, value_dim] = sizes;
        let small = |size: usize| u32::try_from(size).map_err(Error::wrap);
        let layer = layer.sizes(small(kv_heads)?, small(key_dim)?, small(value_dim)?);
        let cache = Cache::new(&CacheOptions::uniform(1, layer)).map_err(Error::wrap)?;
        let sequences: Vec<_> =
            (0..batch).map(|_| cache.create_sequence()).collect::<crate::Result<_>>().map_err(Error::wrap)?;
        Ok(State { cache, sequences, order, dtype, kv_heads, key_dim, value_dim })
    }

    fn attend_op<'a>(&'a self, options: &'a AttendOptions<'a>) -> Attend<'a> {
        let State { sequences, key_dim, value_dim, order, .. } = self;
        Attend { sequences, key_dim: *key_dim, value_dim: *value_dim, order: *order, options }
    }

    /// To all rows of the batch or, on an error, to none.
    fn append<T: Element + WithDType>(&mut self, k: (&CpuStorage, View), v: (&CpuStorage, View)) -> Result<()> {
        for row in 0..self.sequences.len() {
            let before = self.sequences[row].length(0).map_err(Error::wrap)?;
            if let Err(error) = self.sequences[row].append(0, kv::<T>(k, v, row)?) {
                for sequence in &mut self.sequences[..row] {
                    sequence.truncate(before).map_err(Error::wrap)?;
                }
                return Err(Error::wrap(error));
            }
        }
        Ok(())
    }

    fn decode(&self, side: Side) -> Result<Tensor> {
        with_element!(self.dtype, T => self.decode_as::<T>(side))
    }

    fn decode_as<T: Element + WithDType>(&self, side: Side) -> Result<Tensor> {
        let tokens = match self.sequences.first() {
            Some(sequence) => sequence.length(0).map_err(Error::wrap)?,
            None => 0,
        };
        let dim = match side {
            Side::Keys => self.key_dim,
            Side::Values => self.value_dim,
        };
        let row_len = self.kv_heads * tokens * dim;
        let mut data = vec![T::default(); self.sequences.len() * row_len];
        let (token, head) = self.order.contiguous_strides(self.kv_heads, tokens, dim);
        for (sequence, row) in self.sequences.iter().zip(data.chunks_mut(row_len.max(1))) {
            let out = match side {
                Side::Keys => KvOut::keys(row).key_strides(token, head),
                Side::Values => KvOut::values(row).value_strides(token, head),
            };
            sequence.read_into(0, 0, tokens, out).map_err(Error::wrap)?;
        }
        let shape = self.order.shape(self.sequences.len(), self.kv_heads, tokens, dim);
        Tensor::from_vec(data, shape, &Device::Cpu)
    }
}

/// Gives access to the numbers of a tensor on the CPU.
fn with_cpu<R>(tensor: &Tensor, body: impl FnOnce(&CpuStorage, &Layout) -> Result<R>) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => body(cpu, layout),
        _ => bail!("a tensor on {:?}: the cache lies in the memory of the CPU", tensor.device().location()),
    }
}
