use std::ptr::NonNull;

use crate::element::zeros;
use crate::error::check;
use crate::library::require_compatible;
use crate::shape::whole_rows;
use crate::{Element, Error, Format, Result, Rows, RowsMut, defaults, sys};

/// How encoded vectors lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Layout {
    /// One record of [`Codec::vector_bytes`] after another: random access.
    Vectors = sys::TQ_LAYOUT_VECTORS,
    /// Blocks of 64 interleaved vectors, the layout of the cache: the fastest for [`Codec::scores`].
    Blocks = sys::TQ_LAYOUT_BLOCKS,
}

/// How vectors are encoded. Mirrors `tq_codec_options`, but for the allocator callbacks; [`Default`] is
/// `tq_codec_options_init`. Values are checked by [`Codec::new`].
#[derive(Debug, Clone, Copy)]
pub struct CodecOptions {
    head_dim: u32,
    format: u32,
    group_size: u32,
    rotation_block: u32,
    scale_search: u32,
    layout: u32,
    seed: u64,
}

impl Default for CodecOptions {
    fn default() -> Self {
        let raw = defaults::codec_options();
        CodecOptions {
            head_dim: raw.head_dim,
            format: raw.format,
            group_size: raw.group_size,
            rotation_block: raw.rotation_block,
            scale_search: raw.scale_search,
            layout: raw.layout,
            seed: raw.seed,
        }
    }
}

impl CodecOptions {
    /// For vectors of `head_dim` numbers, 1 to 1024.
    pub fn new(head_dim: u32) -> Self {
        CodecOptions { head_dim, ..Self::default() }
    }

    /// Default [`Format::Tq4`].
    pub fn format(mut self, format: Format) -> Self {
        self.format = format as u32;
        self
    }

    /// Numbers per scale: 64 (default) or 32.
    pub fn group_size(mut self, size: u32) -> Self {
        self.group_size = size;
        self
    }

    /// A power of two that divides `head_dim`; 1 = signs only; 0 (default) = the largest.
    pub fn rotation_block(mut self, block: u32) -> Self {
        self.rotation_block = block;
        self
    }

    /// `true` (default): best of seven scales by squared error; `false`: scale from the norm alone.
    pub fn scale_search(mut self, on: bool) -> Self {
        self.scale_search = on.into();
        self
    }

    /// Default [`Layout::Vectors`].
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout as u32;
        self
    }

    /// Seed of the random signs; equal options and seed give equal bytes on every CPU.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn raw(&self) -> sys::tq_codec_options {
        let mut raw = defaults::codec_options();
        raw.head_dim = self.head_dim;
        raw.format = self.format;
        raw.group_size = self.group_size;
        raw.rotation_block = self.rotation_block;
        raw.scale_search = self.scale_search;
        raw.layout = self.layout;
        raw.seed = self.seed;
        raw
    }
}

/// Vectors to bytes and back. Immutable, and usable by many threads at once.
///
/// ```
/// use libturboquant::{Codec, CodecOptions};
///
/// let codec = Codec::new(&CodecOptions::new(128))?;
/// let vectors: Vec<f32> = (0..1000 * 128).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect();
/// let codes = codec.encode(&vectors)?;
/// assert_eq!(codes.len(), 1000 * 67); // instead of 256 bytes each in 16 bit
///
/// let decoded: Vec<f32> = codec.decode(&codes, 10, 1)?; // one vector out of the middle
/// let error: f32 = decoded.iter().zip(&vectors[10 * 128..]).map(|(a, b)| (a - b).powi(2)).sum();
/// let norm: f32 = vectors[10 * 128..11 * 128].iter().map(|a| a.powi(2)).sum();
/// assert!(error < 0.02 * norm);
/// # Ok::<(), libturboquant::Error>(())
/// ```
#[derive(Debug)]
pub struct Codec {
    handle: NonNull<sys::tq_codec>,
    head_dim: usize,
}

// SAFETY: turboquant.h, "Threads": codecs may be used by many threads at once; they are immutable once created.
unsafe impl Send for Codec {}
// SAFETY: as above.
unsafe impl Sync for Codec {}

impl Drop for Codec {
    fn drop(&mut self) {
        // SAFETY: `&mut self`, so no call uses the codec any more.
        unsafe { sys::tq_codec_destroy(self.handle.as_ptr()) }
    }
}

impl Codec {
    /// Checks the options (`tq_codec_create`).
    pub fn new(options: &CodecOptions) -> Result<Self> {
        require_compatible()?;
        let raw = options.raw();
        let mut handle = std::ptr::null_mut();
        // SAFETY: `raw` is complete, `handle` is where C writes the codec.
        check(|err| unsafe { sys::tq_codec_create(&raw, &mut handle, err) })?;
        let handle = NonNull::new(handle).expect("tq_codec_create gives a handle with TQ_OK");
        Ok(Codec { handle, head_dim: options.head_dim as usize })
    }

    /// Numbers per vector.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// Bytes of one record in [`Layout::Vectors`], 67 for 128 numbers in 4 bits; in [`Layout::Blocks`] the same quantity
    /// rounded up over a whole block.
    pub fn vector_bytes(&self) -> usize {
        // SAFETY: live handle.
        unsafe { sys::tq_codec_vector_bytes(self.handle.as_ptr()) }
    }

    /// Bytes that `count` encoded vectors take; 0 if that is more than a `usize` can say.
    pub fn encoded_bytes(&self, count: usize) -> usize {
        // SAFETY: live handle.
        unsafe { sys::tq_codec_encoded_bytes(self.handle.as_ptr(), count) }
    }

    /// Encodes vectors into the first [`encoded_bytes`](Self::encoded_bytes) of `codes` (`tq_encode`). Bit-exact on every
    /// CPU. NaN, infinity and values beyond 2^60 are refused with their index, and `codes` is left alone.
    pub fn encode_into<'a, T: Element>(&self, vectors: impl Into<Rows<'a, T>>, codes: &mut [u8]) -> Result<()> {
        let vectors = vectors.into();
        let (count, stride) = vectors.resolve(self.head_dim)?;
        let (from, to) = (vectors.data.as_ptr().cast(), codes.as_mut_ptr().cast());
        // SAFETY: live handle; `vectors` covers `count` rows `stride` apart, C checks `codes.len()`, and a shared and an
        // exclusive slice never overlap.
        check(|err| unsafe {
            sys::tq_encode(self.handle.as_ptr(), from, T::DTYPE as u32, stride, count, to, codes.len(), err)
        })
    }

    /// Encodes vectors into bytes of their own.
    pub fn encode<'a, T: Element>(&self, vectors: impl Into<Rows<'a, T>>) -> Result<Vec<u8>> {
        let vectors = vectors.into();
        let mut codes = vec![0; self.encoded_bytes(vectors.resolve(self.head_dim)?.0)];
        self.encode_into(vectors, &mut codes)?;
        Ok(codes)
    }

    /// Decodes vectors from number `first` on, as many as `vectors` has rows (`tq_decode`). 16-bit types round to nearest
    /// even, and `f16` saturates at 65504.
    pub fn decode_into<'a, T: Element>(
        &self,
        codes: &[u8],
        first: usize,
        vectors: impl Into<RowsMut<'a, T>>,
    ) -> Result<()> {
        let vectors = vectors.into();
        let (count, stride) = vectors.resolve(self.head_dim)?;
        let (from, to) = (codes.as_ptr().cast(), vectors.data.as_mut_ptr().cast());
        // SAFETY: live handle; C checks `codes.len()`, and `vectors` covers `count` rows `stride` apart.
        check(|err| unsafe {
            sys::tq_decode(self.handle.as_ptr(), from, codes.len(), first, count, to, T::DTYPE as u32, stride, err)
        })
    }

    /// Decodes vectors `first .. first + count` into a vector of their own.
    pub fn decode<T: Element>(&self, codes: &[u8], first: usize, count: usize) -> Result<Vec<T>> {
        self.require_codes(codes, first.saturating_add(count))?;
        let mut vectors = zeros::<T>(count.saturating_mul(self.head_dim))?;
        self.decode_into(codes, first, &mut vectors)?;
        Ok(vectors)
    }

    /// All dot products of queries with the first `count` encoded vectors: `scores[q * count + i]` = query q . vector i
    /// (`tq_scores`).
    pub fn scores_into(&self, codes: &[u8], count: usize, queries: &[f32], scores: &mut [f32]) -> Result<()> {
        let n_query = whole_rows(queries.len(), self.head_dim, "queries")?;
        let shape = crate::shape::Shape { count: n_query, heads: 1, dim: count };
        shape.check_len(Default::default(), scores.len(), "scores")?;
        let (from, to) = (codes.as_ptr().cast(), scores.as_mut_ptr());
        // SAFETY: live handle; C checks `codes.len()`; `queries` holds `n_query` rows and `scores` n_query * count.
        check(|err| unsafe {
            sys::tq_scores(self.handle.as_ptr(), from, codes.len(), count, queries.as_ptr(), n_query, to, err)
        })
    }

    /// The same into a vector of their own, query after query.
    pub fn scores(&self, codes: &[u8], count: usize, queries: &[f32]) -> Result<Vec<f32>> {
        self.require_codes(codes, count)?;
        let n_query = whole_rows(queries.len(), self.head_dim, "queries")?;
        let mut scores = zeros(n_query.saturating_mul(count))?;
        self.scores_into(codes, count, queries, &mut scores)?;
        Ok(scores)
    }

    /// x -> H S x / sqrt(n) of contiguous rows, in place (`tq_rotate`): what the codec does before it rounds.
    pub fn rotate(&self, rows: &mut [f32]) -> Result<()> {
        let count = whole_rows(rows.len(), self.head_dim, "rows")?;
        // SAFETY: live handle; `rows` holds `count` rows.
        check(|err| unsafe { sys::tq_rotate(self.handle.as_ptr(), rows.as_mut_ptr(), count, err) })
    }

    /// The inverse of [`rotate`](Self::rotate) (`tq_unrotate`).
    pub fn unrotate(&self, rows: &mut [f32]) -> Result<()> {
        let count = whole_rows(rows.len(), self.head_dim, "rows")?;
        // SAFETY: live handle; `rows` holds `count` rows.
        check(|err| unsafe { sys::tq_unrotate(self.handle.as_ptr(), rows.as_mut_ptr(), count, err) })
    }

    /// What C would refuse, too, but here before memory for the result is allocated.
    fn require_codes(&self, codes: &[u8], count: usize) -> Result<()> {
        let needed = self.encoded_bytes(count);
        if (needed == 0 && count > 0) || needed > codes.len() {
            let needed = if needed == 0 { "more than memory can hold".into() } else { format!("{needed} bytes") };
            return Err(Error::BufferTooSmall(format!("codes: {count} vectors take {needed}, not {}", codes.len())));
        }
        Ok(())
    }
}
