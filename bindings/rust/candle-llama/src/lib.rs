//! A small Llama in candle whose KV cache is candle's own or libturboquant's: see `main.rs`.

pub mod compare;
pub mod layer_cache;
pub mod model;
pub mod weights;
