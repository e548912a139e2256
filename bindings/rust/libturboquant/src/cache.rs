use std::ptr::NonNull;
use std::sync::Arc;

use crate::error::{check, invalid};
use crate::kv::LayerShape;
use crate::library::require_compatible;
use crate::{CacheOptions, Result, Sequence, Statistics, defaults, sys};

/// The KV cache of a model: many [`Sequence`]s with the same layers.
///
/// A `Cache` is a handle; clones are handles of the same cache, and so is what every sequence holds. The memory is given
/// back when the last of them is dropped. It may be used from many threads at once.
///
/// ```
/// use libturboquant::{Cache, CacheOptions, Kv, LayerOptions};
///
/// let cache = Cache::new(&CacheOptions::uniform(2, LayerOptions::new(4, 64)))?;
/// let mut sequence = cache.create_sequence()?;
/// let (keys, values) = (vec![0.5f32; 10 * 4 * 64], vec![0.25f32; 10 * 4 * 64]);
/// for layer in 0..2 {
///     sequence.append(layer, Kv::new(10, &keys, &values))?;
/// }
/// assert_eq!(cache.stats()?.tokens, 20); // summed over layers
/// # Ok::<(), libturboquant::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    handle: NonNull<sys::tq_cache>,
    layers: Vec<LayerShape>,
}

// SAFETY: turboquant.h, "Threads": calls on different sequences may run at the same time, and one sequence has one
// writer or any number of readers; `Sequence` guarantees that by `&mut self` and `&self`. Everything else that a shared
// `Cache` offers (creating sequences, statistics) may be called at any time from any thread.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: every sequence holds a reference to this `Inner`, so nobody uses the cache any more.
        unsafe { sys::tq_cache_destroy(self.handle.as_ptr()) }
    }
}

impl Cache {
    /// A cache without sequences (`tq_cache_create`).
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) names the option and its value;
    /// [`Unsupported`](crate::Error::Unsupported) if `TQ_CPU_TARGET` or a format is unknown to the loaded library.
    pub fn new(options: &CacheOptions) -> Result<Self> {
        require_compatible()?;
        let raw = options.raw();
        let mut handle = std::ptr::null_mut();
        // SAFETY: `raw` borrows layers from `options`, which outlives the call.
        check(|err| unsafe { sys::tq_cache_create(&raw, &mut handle, err) })?;
        let handle = NonNull::new(handle).expect("tq_cache_create gives a handle with TQ_OK");
        let layers = options.layers().map(|layer| layer_shape(&layer.0)).collect();
        Ok(Cache { inner: Arc::new(Inner { handle, layers }) })
    }

    /// A new, empty sequence (`tq_sequence_create`).
    pub fn create_sequence(&self) -> Result<Sequence> {
        let mut id = 0;
        // SAFETY: live handle, and creating sequences is allowed from any thread.
        check(|err| unsafe { sys::tq_sequence_create(self.as_ptr(), &mut id, err) })?;
        Ok(Sequence::from_id(self.clone(), id))
    }

    /// What the cache holds and what it costs (`tq_cache_stats`). From any thread at any time; the numbers are those of
    /// one moment only if nobody writes meanwhile.
    pub fn stats(&self) -> Result<Statistics> {
        let mut raw = defaults::cache_statistics();
        // SAFETY: live handle; `raw` says its own size.
        check(|err| unsafe { sys::tq_cache_stats(self.as_ptr(), &mut raw, err) })?;
        Ok(Statistics::from_raw(&raw))
    }

    /// How many layers the cache has.
    pub fn layer_count(&self) -> usize {
        self.inner.layers.len()
    }

    /// Whether `other` is a handle of the same cache.
    pub(crate) fn is(&self, other: &Cache) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::tq_cache {
        self.inner.handle.as_ptr()
    }

    pub(crate) fn layer(&self, layer: u32) -> Result<LayerShape> {
        let layers = &self.inner.layers;
        layers.get(layer as usize).copied().ok_or_else(|| invalid!("layer is {layer}; the cache has {}", layers.len()))
    }
}

fn layer_shape(layer: &sys::tq_layer_options) -> LayerShape {
    let value_dim = if layer.value_dim == 0 { layer.key_dim } else { layer.value_dim };
    LayerShape { kv_heads: layer.kv_heads as usize, key_dim: layer.key_dim as usize, value_dim: value_dim as usize }
}
