//! One layer's KV cache: candle's, or libturboquant's in its two ways of use. This is all that differs between the runs.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::kv_cache;
use libturboquant::{AttendOptions, Pool, candle as tq};

/// Which cache a model runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `candle_nn::kv_cache::KvCache`, in the dtype of the model, and attention with operations of candle.
    Candle,
    /// libturboquant's cache in its place: keys and values are decoded at every step, the rest is the same.
    DropIn,
    /// libturboquant's attention on the codes.
    OnCodes,
}

/// The cache of one layer.
#[derive(Debug)]
pub enum LayerCache {
    /// See [`Kind::Candle`].
    Candle(kv_cache::KvCache),
    /// See [`Kind::DropIn`].
    DropIn(tq::KvCache),
    /// See [`Kind::OnCodes`].
    OnCodes(tq::KvCache),
}

impl LayerCache {
    /// An empty cache; the tokens are dimension 2.
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Candle => LayerCache::Candle(kv_cache::KvCache::new(2, 512)), // grows by so many
            Kind::DropIn => LayerCache::DropIn(tq::KvCache::new(2, 512)),
            Kind::OnCodes => LayerCache::OnCodes(tq::KvCache::new(2, 512)),
        }
    }

    /// Causal attention of new tokens, which are in the cache afterwards. All tensors are `[batch][heads][tokens][dim]`.
    pub fn attend(&mut self, q: &Tensor, k: &Tensor, v: &Tensor, pool: &Pool) -> Result<Tensor> {
        let (k, v) = match self {
            LayerCache::Candle(cache) => cache.append(&k.contiguous()?, &v.contiguous()?)?,
            LayerCache::DropIn(cache) => cache.append(k, v)?,
            LayerCache::OnCodes(cache) => return cache.attend(q, k, v, &AttendOptions::default().pool(pool)),
        };
        attention(q, &k, &v)
    }

    /// Bytes that are allocated for keys and values.
    pub fn bytes(&self) -> Result<u64> {
        match self {
            LayerCache::Candle(cache) => {
                let size =
                    |data: &Option<Tensor>| data.as_ref().map_or(0, |t| t.elem_count() * t.dtype().size_in_bytes());
                Ok((size(cache.k_cache().all_data()) + size(cache.v_cache().all_data())) as u64)
            }
            LayerCache::DropIn(cache) | LayerCache::OnCodes(cache) => match cache.cache() {
                Some(cache) => Ok(cache.stats().map_err(candle_core::Error::wrap)?.bytes),
                None => Ok(0),
            },
        }
    }
}

/// softmax(q k^T / sqrt(dim)) v with operations of candle; the queries are the last tokens.
fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let ((batch, q_heads, n, dim), (_, heads, length, _)) = (q.dims4()?, k.dims4()?);
    // Query heads that share a kv head are rows of one matrix: [batch][heads][q_heads / heads * n][dim].
    let q = q.contiguous()?.reshape((batch, heads, q_heads / heads * n, dim))?;
    let logits = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? / (dim as f64).sqrt())?;
    let logits = logits.reshape((batch, q_heads, n, length))?;
    let logits = if n == 1 { logits } else { logits.broadcast_add(&causal_mask(n, length)?)? };
    let weights = candle_nn::ops::softmax(&logits, D::Minus1)?;
    let output = weights.reshape((batch, heads, q_heads / heads * n, length))?.matmul(&v.contiguous()?)?;
    output.reshape((batch, q_heads, n, dim))
}

fn causal_mask(n: usize, length: usize) -> Result<Tensor> {
    let sees = |i: usize, j: usize| if j <= length - n + i { 0f32 } else { f32::NEG_INFINITY };
    let mask: Vec<f32> = (0..n * length).map(|at| sees(at / length, at % length)).collect();
    Tensor::from_vec(mask, (n, length), &Device::Cpu)
}
