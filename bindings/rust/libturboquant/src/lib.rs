#![doc = include_str!("../README.md")]

mod attend;
mod bytes;
mod cache;
#[cfg(feature = "candle")]
pub mod candle;
mod codec;
mod defaults;
mod element;
mod error;
mod kv;
mod library;
mod options;
mod parallel;
mod pool;
mod profile;
mod rows;
mod sequence;
mod shape;
mod statistics;

pub use attend::{AttendItem, AttendOptions};
pub use cache::Cache;
pub use codec::{Codec, CodecOptions, Layout};
pub use element::{Dtype, Element, Format};
pub use error::{Error, Result};
pub use half;
pub use kv::{Kv, KvOut, Tokens};
pub use library::{cpu_target, fwht, status_name, version, version_string};
pub use options::{CacheOptions, LayerOptions};
pub use parallel::ParallelFor;
pub use pool::Pool;
pub use profile::Profile;
pub use rows::{Rows, RowsMut};
pub use sequence::{Blocks, Sequence};
pub use statistics::Statistics;

use libturboquant_sys as sys;

/// Tokens per coded block.
pub const BLOCK_TOKENS: usize = sys::TQ_BLOCK_TOKENS as usize;
/// Most numbers per key or value vector.
pub const MAX_HEAD_DIM: usize = sys::TQ_MAX_HEAD_DIM as usize;
/// Most bytes of the file of a [`Profile`].
pub const MAX_PROFILE_BYTES: usize = sys::TQ_MAX_PROFILE_BYTES as usize;
/// Largest absolute value accepted for coding, 2^60.
pub const MAX_MAGNITUDE: f32 = sys::TQ_MAX_MAGNITUDE;

/// `size_of`, as the C structs carry it.
pub(crate) const fn size_of_u32<T>() -> u32 {
    size_of::<T>() as u32
}
