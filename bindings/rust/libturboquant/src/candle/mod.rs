//! A KV cache and an attention operation for tensors of [candle](candle_core) (feature `candle`), on the CPU.
//!
//! [`KvCache`] has the shape of `candle_nn::kv_cache::KvCache`, one per layer of the model, and serves in two ways:
//!
//! - **In its place**: [`append`](KvCache::append) returns all keys and values so far, decoded. No other line of the model
//!   changes, but every step decodes the whole cache.
//! - **With attention on the codes**: [`attend`](KvCache::attend) replaces append, `repeat_kv`, mask, softmax and both
//!   matrix products of a causal model, and reads a quarter of the bytes.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use libturboquant::{candle::KvCache, AttendOptions};
//!
//! // [batch][heads][tokens][dim], as most models of candle have it: the tokens are dimension 2.
//! let mut cache = KvCache::new(2, 4096);
//! let random = |heads, tokens| Tensor::randn(0f32, 1.0, (1, heads, tokens, 64), &Device::Cpu);
//! for tokens in [100, 1, 1] {
//!     let (q, k, v) = (random(8, tokens)?, random(2, tokens)?, random(2, tokens)?); // after RoPE
//!     let y = cache.attend(&q, &k, &v, &AttendOptions::default())?;
//!     assert_eq!(y.dims(), q.dims());
//! }
//! assert_eq!(cache.current_seq_len(), 102);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! Tensors are `f32`, `f16` or `bf16`, of four dimensions; the operation has no gradient. Padding masks are not supported:
//! all rows of a batch have the same length.

mod cache;
mod op;
mod view;

pub use cache::KvCache;
