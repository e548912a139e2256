use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeBounds};

use crate::element::zeros;
use crate::error::{check, invalid};
use crate::kv::nothing_wanted;
use crate::{AttendItem, AttendOptions, BLOCK_TOKENS, Cache, Element, Kv, KvOut, Result, Tokens, sys};

/// One conversation in a [`Cache`]. Dropping it gives its memory back.
///
/// Writing ([`append`](Self::append), [`truncate`](Self::truncate)) takes `&mut self`, so the compiler refuses a second
/// writer and readers meanwhile; any number of threads may attend to, read or fork a sequence that nobody writes.
/// Different sequences of one cache are independent.
///
/// ```compile_fail,E0499
/// # use libturboquant::{Cache, CacheOptions, Kv, LayerOptions};
/// # let cache = Cache::new(&CacheOptions::uniform(1, LayerOptions::new(1, 64)))?;
/// let mut sequence = cache.create_sequence()?;
/// let (keys, values) = ([0.0f32; 64], [0.0f32; 64]);
/// std::thread::scope(|scope| {
///     scope.spawn(|| sequence.append(0, Kv::new(1, &keys, &values)));
///     scope.spawn(|| sequence.append(0, Kv::new(1, &keys, &values))); // error: two writers
/// });
/// # Ok::<(), libturboquant::Error>(())
/// ```
///
/// ```compile_fail,E0382
/// # use libturboquant::{Cache, CacheOptions, LayerOptions};
/// # let cache = Cache::new(&CacheOptions::uniform(1, LayerOptions::new(1, 64)))?;
/// let sequence = cache.create_sequence()?;
/// drop(sequence);
/// sequence.length(0)?; // error: used after its destruction
/// # Ok::<(), libturboquant::Error>(())
/// ```
#[derive(Debug)]
pub struct Sequence {
    cache: Cache,
    id: sys::tq_sequence,
}

impl Drop for Sequence {
    fn drop(&mut self) {
        // SAFETY: live handle; `&mut self` says that nobody uses the sequence. It exists, so there is no error.
        let status = unsafe { sys::tq_sequence_destroy(self.cache.as_ptr(), self.id, std::ptr::null_mut()) };
        debug_assert_eq!(status, sys::TQ_OK);
    }
}

impl Sequence {
    pub(crate) fn from_id(cache: Cache, id: sys::tq_sequence) -> Self {
        Sequence { cache, id }
    }

    pub(crate) fn id(&self) -> sys::tq_sequence {
        self.id
    }

    /// The cache it lies in.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Appends tokens to one layer (`tq_cache_append`): all of them or, on any error, none. The result does not depend
    /// on how tokens are cut into calls.
    ///
    /// # Errors
    /// NaN, infinity and values out of range are refused with token, head and coordinate, slices that do not fit the
    /// layer with both lengths; [`OutOfMemory`](crate::Error::OutOfMemory) if the byte budget would be exceeded.
    pub fn append(&mut self, layer: u32, tokens: Kv<'_>) -> Result<()> {
        let raw = tokens.raw(self.cache.layer(layer)?)?;
        // SAFETY: live handle; `&mut self`, so there is no other user of the sequence; `raw` covers what C reads.
        check(|err| unsafe { sys::tq_cache_append(self.cache.as_ptr(), self.id, layer, &raw, err) })
    }

    /// A new sequence with the same tokens (`tq_sequence_fork`). Coded blocks, sinks and tail are shared; whoever
    /// appends next copies the tail.
    pub fn fork(&self) -> Result<Sequence> {
        let mut id = 0;
        // SAFETY: live handle; `&self`, so nobody writes the sequence.
        check(|err| unsafe { sys::tq_sequence_fork(self.cache.as_ptr(), self.id, &mut id, err) })?;
        Ok(Sequence::from_id(self.cache.clone(), id))
    }

    /// Cuts every layer to at most `length` tokens (`tq_sequence_truncate`).
    ///
    /// # Errors
    /// If no layer has that many, or where a sliding window has already released tokens that the next query would need.
    pub fn truncate(&mut self, length: usize) -> Result<()> {
        // SAFETY: live handle; `&mut self`, so there is no other user of the sequence.
        check(|err| unsafe { sys::tq_sequence_truncate(self.cache.as_ptr(), self.id, length, err) })
    }

    /// Tokens appended to `layer` so far (`tq_sequence_length`).
    pub fn length(&self, layer: u32) -> Result<usize> {
        let mut length = 0;
        // SAFETY: live handle; `&self`, so nobody writes the sequence.
        check(|err| unsafe { sys::tq_sequence_length(self.cache.as_ptr(), self.id, layer, &mut length, err) })?;
        Ok(length)
    }

    /// Decodes tokens `first .. first + count` of one layer into slices of yours (`tq_cache_read`).
    pub fn read_into(&self, layer: u32, first: usize, count: usize, mut out: KvOut<'_>) -> Result<()> {
        let raw = out.raw(self.cache.layer(layer)?, count)?;
        self.read_raw(layer, first, count, &raw)
    }

    fn read_raw(&self, layer: u32, first: usize, count: usize, raw: &sys::tq_kv_out) -> Result<()> {
        // SAFETY: live handle; `&self`, so nobody writes the sequence; `raw` covers what C writes.
        check(|err| unsafe { sys::tq_cache_read(self.cache.as_ptr(), self.id, layer, first, count, raw, err) })
    }

    /// Decodes a range of tokens of one layer, `..` for all.
    ///
    /// ```
    /// # use libturboquant::{Cache, CacheOptions, Kv, LayerOptions};
    /// # let cache = Cache::new(&CacheOptions::uniform(1, LayerOptions::new(1, 64)))?;
    /// # let mut sequence = cache.create_sequence()?;
    /// # sequence.append(0, Kv::new(3, &[0.5f32; 3 * 64], &[0.25f32; 3 * 64]))?;
    /// let tokens = sequence.read::<half::f16>(0, 1..)?;
    /// assert_eq!((tokens.count, tokens.keys.len()), (2, 2 * 64));
    /// # Ok::<(), libturboquant::Error>(())
    /// ```
    pub fn read<T: Element>(&self, layer: u32, range: impl RangeBounds<usize>) -> Result<Tokens<T>> {
        let range = self.resolve(layer, range)?;
        let count = range.len();
        self.read_raw(layer, range.start, count, &nothing_wanted())?; // before memory is allocated for the range
        let shape = self.cache.layer(layer)?;
        let numbers = |dim| count.saturating_mul(shape.kv_heads * dim);
        let (mut keys, mut values) = (zeros(numbers(shape.key_dim))?, zeros(numbers(shape.value_dim))?);
        self.read_into(layer, range.start, count, KvOut::new(&mut keys, &mut values))?;
        Ok(Tokens { count, keys, values })
    }

    /// Decodes a range of tokens of one layer in portions of [`BLOCK_TOKENS`], so that there is never a copy of all.
    pub fn blocks<T: Element>(&self, layer: u32, range: impl RangeBounds<usize>) -> Result<Blocks<'_, T>> {
        let range = self.resolve(layer, range)?;
        Ok(Blocks { sequence: self, layer, range, element: PhantomData })
    }

    fn resolve(&self, layer: u32, range: impl RangeBounds<usize>) -> Result<Range<usize>> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.length(layer)?.max(start),
        };
        if start > end {
            return Err(invalid!("range: {start}..{end} ends before it starts"));
        }
        Ok(start..end)
    }

    /// Attention of `n_query` queries to this sequence alone; [`Cache::attend`] does many sequences at once and has more
    /// options.
    pub fn attend<Q: Element, O: Element>(
        &self,
        options: &AttendOptions<'_>,
        n_query: usize,
        query: &[Q],
        output: &mut [O],
    ) -> Result<()> {
        self.cache.attend(options, &mut [AttendItem::new(self, n_query, query, output)])
    }
}

/// Iterator of [`Sequence::blocks`].
#[derive(Debug)]
pub struct Blocks<'a, T> {
    sequence: &'a Sequence,
    layer: u32,
    range: Range<usize>,
    element: PhantomData<T>,
}

impl<T: Element> Iterator for Blocks<'_, T> {
    type Item = Result<Tokens<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.range.start;
        let end = self.range.end.min(start.saturating_add(BLOCK_TOKENS));
        if start == end {
            return None;
        }
        self.range.start = end;
        Some(self.sequence.read(self.layer, start..end))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.range.len().div_ceil(BLOCK_TOKENS);
        (left, Some(left))
    }
}

impl<T: Element> ExactSizeIterator for Blocks<'_, T> {}
impl<T: Element> FusedIterator for Blocks<'_, T> {}
