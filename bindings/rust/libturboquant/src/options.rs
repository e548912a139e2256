use crate::{Dtype, Format, defaults, size_of_u32, sys};

/// One layer of the model. Every layer may differ.
///
/// ```
/// use libturboquant::{Format, LayerOptions};
/// let careful = LayerOptions::new(8, 128).key_format(Format::Tq8);
/// let sliding = LayerOptions::new(8, 128).window(1024);
/// # let _ = (careful, sliding);
/// ```
///
/// Mirrors `tq_layer_options`; [`Default`] is `tq_layer_options_init`. Values are checked by
/// [`Cache::new`](crate::Cache::new).
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct LayerOptions(pub(crate) sys::tq_layer_options);

impl Default for LayerOptions {
    fn default() -> Self {
        LayerOptions(defaults::layer_options())
    }
}

impl LayerOptions {
    /// `kv_heads` (1 to 65536) heads with keys and values of `key_dim` (1 to 1024) numbers, stored in 4 bits.
    pub fn new(kv_heads: u32, key_dim: u32) -> Self {
        let mut options = Self::default();
        options.0.kv_heads = kv_heads;
        options.0.key_dim = key_dim;
        options
    }

    /// Numbers per value vector; 0, the default, is that of the keys.
    pub fn value_dim(mut self, dim: u32) -> Self {
        self.0.value_dim = dim;
        self
    }

    /// The same options for other sizes.
    #[cfg(feature = "candle")]
    pub(crate) fn sizes(mut self, kv_heads: u32, key_dim: u32, value_dim: u32) -> Self {
        (self.0.kv_heads, self.0.key_dim, self.0.value_dim) = (kv_heads, key_dim, value_dim);
        self
    }

    /// How keys are stored; default [`Format::Tq4`].
    pub fn key_format(mut self, format: Format) -> Self {
        self.0.key_format = format as u32;
        self
    }

    /// How values are stored; default [`Format::Tq4`].
    pub fn value_format(mut self, format: Format) -> Self {
        self.0.value_format = format as u32;
        self
    }

    /// Numbers per scale of the keys: 64 (default) or 32.
    pub fn key_group_size(mut self, size: u32) -> Self {
        self.0.key_group_size = size;
        self
    }

    /// Numbers per scale of the values: 64 (default) or 32.
    pub fn value_group_size(mut self, size: u32) -> Self {
        self.0.value_group_size = size;
        self
    }

    /// Numbers that are rotated together in keys: a power of two that divides `key_dim`; 1 = signs only; 0 (default) =
    /// the largest.
    pub fn key_rotation_block(mut self, block: u32) -> Self {
        self.0.key_rotation_block = block;
        self
    }

    /// The same for values.
    pub fn value_rotation_block(mut self, block: u32) -> Self {
        self.0.value_rotation_block = block;
        self
    }

    /// Whether keys are coded relative to the mean key of their block; default `true`.
    pub fn center_keys(mut self, on: bool) -> Self {
        self.0.center_keys = on.into();
        self
    }

    /// Whether scales are searched by squared error; default `true`. `false` takes them from the norm alone.
    pub fn scale_search(mut self, on: bool) -> Self {
        self.0.scale_search = on.into();
        self
    }

    /// First tokens of a sequence that stay in 16 bit: 0 to 64, default 4.
    pub fn sink_tokens(mut self, tokens: u32) -> Self {
        self.0.sink_tokens = tokens;
        self
    }

    /// Complete blocks of 64 tokens that stay in 16 bit before they are coded: 0 (default) to 1024.
    pub fn recent_blocks(mut self, blocks: u32) -> Self {
        self.0.recent_blocks = blocks;
        self
    }

    /// 16-bit type of sinks and tail: [`Dtype::F16`], [`Dtype::Bf16`] or [`Dtype::Auto`] (default), that of a sequence's
    /// first append, `f16` for `f32` input.
    pub fn exact_dtype(mut self, dtype: Dtype) -> Self {
        self.0.exact_dtype = dtype as u32;
        self
    }

    /// Sliding window: a query at position p sees keys p - window + 1 to p; 0 (default) = all.
    pub fn window(mut self, tokens: u32) -> Self {
        self.0.window = tokens;
        self
    }

    /// Seed of the random signs.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

/// The layers of a [`Cache`](crate::Cache) and what it may take.
///
/// ```
/// use libturboquant::{CacheOptions, LayerOptions};
/// let uniform = CacheOptions::uniform(32, LayerOptions::new(8, 128)).byte_budget(2 << 30);
/// // or one description per layer, here with a sliding window in all but every sixth:
/// let mixed: CacheOptions =
///     (0..32).map(|i| LayerOptions::new(8, 128).window(if i % 6 == 5 { 0 } else { 1024 })).collect();
/// # let _ = (uniform, mixed);
/// ```
///
/// Mirrors `tq_cache_options`, but for the allocator callbacks: the library's own allocator is used.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    layer_count: u32,
    /// One for all, or `layer_count` of them.
    layers: Vec<LayerOptions>,
    byte_budget: u64,
}

impl Default for CacheOptions {
    /// No layers yet, which [`Cache::new`](crate::Cache::new) refuses.
    fn default() -> Self {
        let raw = defaults::cache_options();
        CacheOptions { layer_count: raw.layer_count, layers: Vec::new(), byte_budget: raw.byte_budget }
    }
}

impl CacheOptions {
    /// `layer_count` (1 to 65536) layers, all alike.
    pub fn uniform(layer_count: u32, layer: LayerOptions) -> Self {
        CacheOptions { layer_count, layers: vec![layer], ..Self::default() }
    }

    /// One description for each layer.
    pub fn new(layers: impl IntoIterator<Item = LayerOptions>) -> Self {
        let layers: Vec<_> = layers.into_iter().collect();
        let layer_count = u32::try_from(layers.len()).unwrap_or(u32::MAX); // refused by Cache::new
        CacheOptions { layer_count, layers, ..Self::default() }
    }

    /// Most bytes of blocks, tails and tables; 0 (default) = no limit. A call that would exceed it fails with
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory) and leaves the cache as it was.
    pub fn byte_budget(mut self, bytes: u64) -> Self {
        self.byte_budget = bytes;
        self
    }

    /// For the C call; borrows `self.layers`.
    pub(crate) fn raw(&self) -> sys::tq_cache_options {
        let mut raw = defaults::cache_options();
        raw.layer_count = self.layer_count;
        raw.byte_budget = self.byte_budget;
        if !self.layers.is_empty() {
            debug_assert_eq!(self.layers[0].0.struct_size, size_of_u32::<sys::tq_layer_options>());
            raw.layers = self.layers.as_ptr().cast();
            raw.layers_given = if self.layers.len() == 1 { 1 } else { self.layer_count };
        }
        raw
    }

    /// The description of each layer.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &LayerOptions> {
        let one_for_all = self.layers.len() == 1;
        (0..self.layer_count as usize).filter_map(move |i| self.layers.get(if one_for_all { 0 } else { i }))
    }
}

impl FromIterator<LayerOptions> for CacheOptions {
    fn from_iter<I: IntoIterator<Item = LayerOptions>>(layers: I) -> Self {
        Self::new(layers)
    }
}
