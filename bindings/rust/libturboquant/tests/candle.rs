//! The KV cache for candle: the shape of candle's own, and attention against the plain computation with tensors.

mod common;

use candle_core::{D, DType, Device, Result, Tensor};
use common::noise;
use libturboquant::candle::KvCache;
use libturboquant::{AttendOptions, Format, LayerOptions, Pool};

const HEADS: usize = 2;
const Q_HEADS: usize = 4;
const DIM: usize = 64;

fn tensor(batch: usize, heads: usize, tokens: usize, seed: u64) -> Tensor {
    let numbers = noise(batch * heads * tokens * DIM, seed);
    Tensor::from_vec(numbers, (batch, heads, tokens, DIM), &Device::Cpu).unwrap()
}

/// Queries, keys and values of new tokens.
fn qkv(batch: usize, tokens: usize, seed: u64) -> (Tensor, Tensor, Tensor) {
    let of = |heads, seed| tensor(batch, heads, tokens, seed);
    (of(Q_HEADS, seed), of(HEADS, seed + 1), of(HEADS, seed + 2))
}

/// A cache that stores 16 bit, so that f16 input is exact and only arithmetic is compared.
fn exact_cache(dim: usize) -> KvCache {
    KvCache::with_options(dim, LayerOptions::default().key_format(Format::F16).value_format(Format::F16))
}

/// Causal softmax(q k^T / sqrt(dim)) v with the operations of candle; all of `[batch][heads][tokens][dim]`.
fn plain_attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let (batch, _, n, _) = q.dims4()?;
    let length = k.dim(2)?;
    let repeat = |t: &Tensor| -> Result<Tensor> {
        let shape = (batch, HEADS, Q_HEADS / HEADS, length, DIM);
        t.unsqueeze(2)?.broadcast_as(shape)?.reshape((batch, Q_HEADS, length, DIM))?.to_dtype(DType::F32)
    };
    let (k, v) = (repeat(k)?, repeat(v)?);
    let logits = (q.to_dtype(DType::F32)?.contiguous()?.matmul(&k.transpose(2, 3)?)? / (DIM as f64).sqrt())?;
    let sees = |i: usize, j: usize| if j <= length - n + i { 0f32 } else { f32::NEG_INFINITY };
    let mask: Vec<f32> = (0..n * length).map(|at| sees(at / length, at % length)).collect();
    let logits = logits.broadcast_add(&Tensor::from_vec(mask, (n, length), &Device::Cpu)?)?;
    let weights = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?.exp()?;
    weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?.matmul(&v)
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    let difference = (a.to_dtype(DType::F32).unwrap() - b.to_dtype(DType::F32).unwrap()).unwrap();
    difference.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

#[test]
fn append_returns_all_so_far() -> Result<()> {
    let mut cache = exact_cache(2);
    assert_eq!((cache.current_seq_len(), cache.k()?.is_none()), (0, true));
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (seed, tokens) in [100, 1, 64, 3].into_iter().enumerate() {
        let (_, k, v) = qkv(2, tokens, seed as u64);
        keys.push(k.to_dtype(DType::F16)?);
        values.push(v.to_dtype(DType::F16)?);
        let (k, v) = cache.append(&keys[seed], &values[seed])?;
        assert_eq!(largest_difference(&k, &Tensor::cat(&keys, 2)?), 0.0);
        assert_eq!(largest_difference(&v, &Tensor::cat(&values, 2)?), 0.0);
        assert_eq!(k.dtype(), DType::F16);
    }
    assert_eq!(cache.current_seq_len(), 168);
    assert_eq!(largest_difference(&cache.v()?.unwrap(), &Tensor::cat(&values, 2)?), 0.0);
    cache.truncate(100)?;
    assert_eq!(largest_difference(&cache.k()?.unwrap(), &keys[0]), 0.0);
    cache.reset();
    assert_eq!((cache.current_seq_len(), cache.k()?.is_none()), (0, true));
    cache.append(&tensor(1, 8, 1, 1), &tensor(1, 8, 1, 2))?; // another shape
    assert_eq!(cache.current_seq_len(), 1);
    Ok(())
}

#[test]
fn attention_is_the_plain_one_in_prefill_and_decoding() -> Result<()> {
    let pool = Pool::new(2).unwrap();
    let options = AttendOptions::default().pool(&pool);
    let mut cache = exact_cache(2);
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (seed, tokens) in [130, 1, 1, 5].into_iter().enumerate() {
        let (q, k, v) = qkv(2, tokens, seed as u64);
        keys.push(k.to_dtype(DType::F16)?);
        values.push(v.to_dtype(DType::F16)?);
        let output = cache.attend(&q, &keys[seed], &values[seed], &options)?;
        let expected = plain_attention(&q, &Tensor::cat(&keys, 2)?, &Tensor::cat(&values, 2)?)?;
        assert_eq!((output.dims(), output.dtype()), (q.dims(), DType::F32));
        let difference = largest_difference(&output, &expected);
        assert!(difference < 1e-4, "{tokens} tokens: {difference}");
        let again = cache.attend_appended(&q, &options)?; // now that they are in the cache
        assert!(largest_difference(&again, &expected) < 1e-4);
    }
    Ok(())
}

#[test]
fn four_bits_are_close() -> Result<()> {
    let mut cache = KvCache::new(2, 0);
    let (_, k, v) = qkv(1, 1000, 1);
    cache.append(&k, &v)?;
    let q = tensor(1, Q_HEADS, 1, 9);
    let output = cache.attend_appended(&q, &AttendOptions::default())?;
    let square = |t: &Tensor| t.sqr()?.sum_all()?.to_scalar::<f32>();
    let expected = plain_attention(&q, &k, &v)?;
    let relative = square(&(output - &expected)?)? / square(&expected)?;
    assert!(relative > 0.0 && relative < 0.02, "{relative}");
    let stats = cache.cache().unwrap().stats().unwrap();
    assert!(stats.ratio > 3.0, "{stats:?}");
    Ok(())
}

/// Transposed, sliced and broadcast tensors, and the other order of dimensions, are the same numbers.
#[test]
fn any_strides() -> Result<()> {
    let (q, k, v) = qkv(2, 70, 1);
    let options = AttendOptions::default();
    let expected = KvCache::new(2, 0).attend(&q, &k, &v, &options)?;

    let swapped = |t: &Tensor| t.transpose(1, 2)?.contiguous()?.transpose(1, 2); // memory [batch][tokens][heads][dim]
    let output = KvCache::new(2, 0).attend(&swapped(&q)?, &swapped(&k)?, &swapped(&v)?, &options)?;
    assert_eq!(largest_difference(&output, &expected), 0.0);

    let wider = |t: &Tensor| Tensor::cat(&[t, t, t], 1)?.narrow(1, t.dim(1)?, t.dim(1)?);
    let output = KvCache::new(2, 0).attend(&wider(&q)?, &wider(&k)?, &wider(&v)?, &options)?;
    assert_eq!(largest_difference(&output, &expected), 0.0);

    let (q1, k1, v1) = (q.transpose(1, 2)?, k.transpose(1, 2)?, v.transpose(1, 2)?);
    let mut cache = KvCache::new(1, 0);
    let output = cache.attend(&q1, &k1, &v1, &options)?;
    assert_eq!(output.dims(), q1.dims());
    assert_eq!(largest_difference(&output.transpose(1, 2)?, &expected), 0.0);
    assert_eq!(cache.k()?.unwrap().dims(), k1.dims());

    let one_head = k.narrow(1, 0, 1)?;
    let broadcast = one_head.broadcast_as(k.shape())?;
    let mut a = KvCache::new(2, 0);
    let mut b = KvCache::new(2, 0);
    let same = largest_difference(&a.append(&broadcast, &v)?.0, &b.append(&broadcast.contiguous()?, &v)?.0);
    assert_eq!(same, 0.0);
    Ok(())
}

#[test]
fn element_types() -> Result<()> {
    let (q, k, v) = qkv(1, 80, 1);
    let options = AttendOptions::default();
    let expected = KvCache::new(2, 0).attend(&q, &k, &v, &options)?;
    for (dtype, bound) in [(DType::F16, 2e-3), (DType::BF16, 2e-2)] {
        let of = |t: &Tensor| t.to_dtype(dtype);
        let output = KvCache::new(2, 0).attend(&of(&q)?, &of(&k)?, &of(&v)?, &options)?;
        assert_eq!(output.dtype(), dtype);
        let difference = largest_difference(&output, &expected);
        assert!(difference < bound, "{dtype:?}: {difference}");
    }
    Ok(())
}

#[track_caller]
fn assert_fails<T>(result: Result<T>, word: &str) {
    match result {
        Ok(_) => panic!("not refused"),
        Err(error) => assert!(error.to_string().contains(word), "'{error}' does not say '{word}'"),
    }
}

#[test]
fn tensors_that_do_not_fit() -> Result<()> {
    let (q, k, v) = qkv(2, 10, 1);
    let options = AttendOptions::default();
    assert_fails(KvCache::new(3, 0).append(&k, &v), "dim is 3");
    assert_fails(KvCache::new(2, 0).append(&k.flatten_all()?, &v), "rank");
    assert_fails(KvCache::new(2, 0).append(&k, &v.narrow(2, 0, 9)?), "do not fit");
    assert_fails(KvCache::new(2, 0).append(&k, &v.to_dtype(DType::F16)?), "do not fit");
    let (k64, v64) = (k.to_dtype(DType::F64)?, v.to_dtype(DType::F64)?);
    assert_fails(KvCache::new(2, 0).append(&k64, &v64), "F64");
    assert_fails(KvCache::new(2, 0).attend_appended(&q, &options), "empty");

    let mut cache = KvCache::new(2, 0);
    cache.append(&k, &v)?;
    assert_fails(cache.append(&k.narrow(0, 0, 1)?, &v.narrow(0, 0, 1)?), "batch");
    assert_fails(cache.append(&k.narrow(3, 0, 32)?, &v), "sizes");
    assert_fails(cache.attend(&q.narrow(0, 0, 1)?, &k, &v, &options), "batch");
    assert_fails(cache.attend(&q.narrow(3, 0, 32)?, &k, &v, &options), "key size");
    assert_fails(cache.attend(&Tensor::cat(&[&q, &q], 3)?, &k, &v, &options), "key size");
    assert_fails(cache.attend(&q.narrow(1, 0, 3)?, &k, &v, &options), "q_heads is 3");
    assert_fails(cache.attend(&q.narrow(2, 0, 9)?, &k, &v, &options), "n_query is 9");
    assert_eq!(cache.current_seq_len(), 10);

    // NaN in the second row of the batch: nothing of the first stays.
    let bad = Tensor::cat(&[&k.narrow(0, 0, 1)?, &(k.narrow(0, 1, 1)? * f64::NAN)?], 0)?;
    assert_fails(cache.append(&bad, &v), "keys");
    assert_eq!(cache.k()?.unwrap().dims(), [2, HEADS, 10, DIM]);
    Ok(())
}
