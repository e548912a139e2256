//! Inputs that the tests share.
#![allow(dead_code)] // every test program uses a part

use libturboquant::{Cache, CacheOptions, Error, Kv, LayerOptions, Sequence};

/// Numbers between -1 and 1 without a pattern that a rotation would like; equal for equal seeds.
pub fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e3779b97f4a7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

pub fn new_cache(layer: LayerOptions) -> Cache {
    Cache::new(&CacheOptions::uniform(1, layer)).unwrap()
}

/// A sequence of one layer with `count` tokens of noise, and these tokens.
pub fn filled(cache: &Cache, kv_heads: usize, dim: usize, count: usize) -> (Sequence, Vec<f32>, Vec<f32>) {
    let (keys, values) = (noise(count * kv_heads * dim, 1), noise(count * kv_heads * dim, 2));
    let mut sequence = cache.create_sequence().unwrap();
    sequence.append(0, Kv::new(count, &keys, &values)).unwrap();
    (sequence, keys, values)
}

/// `[token][head][dim]` as `[head][token][dim]`.
pub fn by_head<T: Copy>(data: &[T], heads: usize, dim: usize) -> Vec<T> {
    let tokens = data.len() / (heads * dim);
    let row = |h: usize, t: usize| data[(t * heads + h) * dim..][..dim].iter().copied();
    (0..heads).flat_map(|h| (0..tokens).flat_map(move |t| row(h, t))).collect()
}

/// The message of an `InvalidArgument`; fails for anything else.
#[track_caller]
pub fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::InvalidArgument(message)) => message,
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("not refused"),
    }
}

/// Asserts that a result is an `InvalidArgument` whose message contains all of the words.
#[track_caller]
pub fn assert_refused<T>(result: Result<T, Error>, words: &[&str]) {
    let message = refused(result);
    for word in words {
        assert!(message.contains(word), "'{message}' does not say '{word}'");
    }
}
