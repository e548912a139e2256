//! Caches and sequences: what goes in comes out, and nobody gets in anybody's way.

mod common;

use common::{by_head, filled, new_cache, noise};
use half::{bf16, f16};
use libturboquant::{AttendOptions, Cache, CacheOptions, Dtype, Error, Format, Kv, KvOut, LayerOptions};

#[test]
fn an_empty_sequence_has_nothing_to_read() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let sequence = cache.create_sequence().unwrap();
    assert_eq!(sequence.length(0).unwrap(), 0);
    let tokens = sequence.read::<f32>(0, ..).unwrap();
    assert_eq!((tokens.count, tokens.keys.len(), tokens.values.len()), (0, 0, 0));
    assert_eq!(sequence.blocks::<f32>(0, ..).unwrap().len(), 0);
    let stats = cache.stats().unwrap();
    assert_eq!((stats.tokens, stats.ratio), (0, 0.0));
}

#[test]
fn exact_formats_give_back_what_came_in() {
    let (keys, values) = (noise(100 * 3 * 80, 1), noise(100 * 3 * 48, 2));
    let layer = LayerOptions::new(3, 80).value_dim(48).key_format(Format::F16).value_format(Format::F16);
    let cache = new_cache(layer);
    let mut sequence = cache.create_sequence().unwrap();
    let halves = |values: &[f32]| values.iter().map(|&value| f16::from_f32(value)).collect::<Vec<_>>();
    let (keys, values) = (halves(&keys), halves(&values));
    sequence.append(0, Kv::new(100, &keys, &values)).unwrap();
    let read = sequence.read::<f16>(0, ..).unwrap();
    assert_eq!((read.count, read.keys, read.values), (100, keys, values));
}

#[test]
fn bf16_goes_in_and_comes_out() {
    let input: Vec<bf16> = noise(70 * 64, 3).into_iter().map(bf16::from_f32).collect();
    let cache = new_cache(LayerOptions::new(1, 64).sink_tokens(64));
    let mut sequence = cache.create_sequence().unwrap();
    sequence.append(0, Kv::new(70, &input, &input)).unwrap();
    let first = sequence.read::<bf16>(0, ..64).unwrap(); // sinks, exact
    assert_eq!(first.keys, input[..64 * 64]);
}

#[test]
fn coded_tokens_are_close_and_tail_and_sinks_are_exact() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (sequence, keys, _) = filled(&cache, 2, 64, 200);
    let read = sequence.read::<f32>(0, ..).unwrap();
    let row = 2 * 64;
    let exact = |value: &f32| f16::from_f32(*value).to_f32();
    let sinks: Vec<f32> = keys[..4 * row].iter().map(exact).collect();
    assert_eq!(read.keys[..4 * row], sinks);
    let tail: Vec<f32> = keys[196 * row..].iter().map(exact).collect(); // (200 - 4) = 3 blocks and 4 tokens
    assert_eq!(read.keys[196 * row..], tail);
    let square = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>();
    let difference: Vec<f32> = read.keys.iter().zip(&keys).map(|(a, b)| a - b).collect();
    let error = square(&difference) / square(&keys);
    assert!(error > 1e-4 && error < 0.012, "{error}");
}

#[test]
fn how_tokens_are_cut_into_calls_does_not_matter() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (whole, keys, values) = filled(&cache, 2, 64, 150);
    let mut pieces = cache.create_sequence().unwrap();
    let row = 2 * 64;
    let mut at = 0;
    for count in [0, 1, 3, 60, 64, 22] {
        let (from, to) = (at * row, (at + count) * row);
        pieces.append(0, Kv::new(count, &keys[from..to], &values[from..to])).unwrap();
        at += count;
    }
    assert_eq!(pieces.length(0).unwrap(), 150);
    assert_eq!(pieces.read::<f32>(0, ..).unwrap(), whole.read::<f32>(0, ..).unwrap());
}

#[test]
fn strided_input_is_the_same_tokens() {
    let (heads, dim, count) = (3, 64, 100);
    let cache = new_cache(LayerOptions::new(heads as u32, dim as u32));
    let (contiguous, keys, values) = filled(&cache, heads, dim, count);

    // Keys as [head][token][dim]; values with gaps between heads and tokens.
    let keys = by_head(&keys, heads, dim);
    let (head, token) = (dim + 5, heads * (dim + 5) + 7);
    let mut gaps = vec![f32::NAN; count * token];
    for (row, data) in values.chunks_exact(dim).enumerate() {
        gaps[row / heads * token + row % heads * head..][..dim].copy_from_slice(data);
    }
    let mut strided = cache.create_sequence().unwrap();
    let tokens = Kv::new(count, &keys, &gaps).key_strides(dim, count * dim).value_strides(token, head);
    strided.append(0, tokens).unwrap();
    assert_eq!(strided.read::<f32>(0, ..).unwrap(), contiguous.read::<f32>(0, ..).unwrap());
}

#[test]
fn reading_into_slices_with_strides() {
    let (heads, dim, count) = (2, 64, 90);
    let cache = new_cache(LayerOptions::new(heads as u32, dim as u32));
    let (sequence, ..) = filled(&cache, heads, dim, count);
    let expected = sequence.read::<f32>(0, 10..80).unwrap();
    let mut keys = vec![0.0f32; 70 * heads * dim];
    sequence.read_into(0, 10, 70, KvOut::keys(&mut keys).key_strides(dim, 70 * dim)).unwrap();
    assert_eq!(keys, by_head(&expected.keys, heads, dim));

    let mut values = vec![-7.0f32; 70 * (heads * dim + 1)];
    sequence.read_into(0, 10, 70, KvOut::values(&mut values).value_strides(heads * dim + 1, dim)).unwrap();
    for (row, expected) in values.chunks_exact(heads * dim + 1).zip(expected.values.chunks_exact(heads * dim)) {
        assert_eq!((&row[..heads * dim], row[heads * dim]), (expected, -7.0)); // gaps are left alone
    }
}

#[test]
fn blocks_are_the_whole_in_portions() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (sequence, ..) = filled(&cache, 2, 64, 200);
    let blocks = sequence.blocks::<f16>(0, 5..).unwrap();
    assert_eq!(blocks.len(), 4); // 195 tokens
    let blocks: Vec<_> = blocks.collect::<Result<_, _>>().unwrap();
    assert_eq!(blocks.iter().map(|block| block.count).collect::<Vec<_>>(), [64, 64, 64, 3]);
    let keys: Vec<f16> = blocks.iter().flat_map(|block| block.keys.iter().copied()).collect();
    assert_eq!(keys, sequence.read::<f16>(0, 5..).unwrap().keys);
}

#[test]
fn a_fork_goes_its_own_way() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (mut first, keys, values) = filled(&cache, 2, 64, 130);
    let before = first.read::<f32>(0, ..).unwrap();
    let alone = cache.stats().unwrap().tokens;
    let mut second = first.fork().unwrap();
    assert_eq!(cache.stats().unwrap().tokens, alone); // shared tokens count once

    second.append(0, Kv::new(1, &keys[..128], &values[..128])).unwrap();
    first.truncate(100).unwrap();
    assert_eq!((first.length(0).unwrap(), second.length(0).unwrap()), (100, 131));
    assert_eq!(second.read::<f32>(0, ..130).unwrap(), before);
    drop(first);
    assert_eq!(second.read::<f32>(0, ..130).unwrap(), before);
    assert_eq!(cache.stats().unwrap().sequences, 1);
}

#[test]
fn sequences_keep_their_cache_alive() {
    let cache = new_cache(LayerOptions::new(1, 64));
    let (mut sequence, keys, values) = filled(&cache, 1, 64, 70);
    drop(cache);
    sequence.append(0, Kv::new(70, &keys, &values)).unwrap();
    assert_eq!(sequence.length(0).unwrap(), 140);
    let again = sequence.cache().clone();
    drop(sequence);
    assert_eq!(again.stats().unwrap().sequences, 0);
}

#[test]
fn layers_differ() {
    let wide = LayerOptions::new(1, 256).value_dim(64).exact_dtype(Dtype::Bf16);
    let cache = Cache::new(&[LayerOptions::new(2, 64), wide].into_iter().collect()).unwrap();
    assert_eq!(cache.layer_count(), 2);
    let mut sequence = cache.create_sequence().unwrap();
    sequence.append(0, Kv::new(3, &noise(3 * 128, 1), &noise(3 * 128, 2))).unwrap();
    sequence.append(1, Kv::new(2, &noise(2 * 256, 1), &noise(2 * 64, 2))).unwrap();
    assert_eq!((sequence.length(0).unwrap(), sequence.length(1).unwrap()), (3, 2));
    assert_eq!(sequence.read::<f32>(1, ..).unwrap().values.len(), 2 * 64);
    sequence.truncate(2).unwrap();
    assert_eq!((sequence.length(0).unwrap(), sequence.length(1).unwrap()), (2, 2));
}

#[test]
fn a_budget_refuses_and_leaves_the_cache_as_it_was() {
    let options = CacheOptions::uniform(1, LayerOptions::new(4, 128)).byte_budget(400_000);
    let cache = Cache::new(&options).unwrap();
    assert_eq!(cache.stats().unwrap().budget_bytes, 400_000);
    let mut sequence = cache.create_sequence().unwrap();
    let (keys, values) = (noise(100 * 512, 1), noise(100 * 512, 2));
    let tokens = Kv::new(100, &keys, &values);
    let error = loop {
        let before = (cache.stats().unwrap().bytes, sequence.length(0).unwrap());
        if let Err(error) = sequence.append(0, tokens) {
            assert_eq!((cache.stats().unwrap().bytes, sequence.length(0).unwrap()), before);
            break error;
        }
    };
    assert!(matches!(error, Error::OutOfMemory(_)), "{error:?}");
    assert!(sequence.length(0).unwrap() >= 100);
    sequence.truncate(0).unwrap();
    sequence.append(0, tokens).unwrap(); // goes on working
}

#[test]
fn statistics_add_up() {
    let cache = new_cache(LayerOptions::new(4, 128));
    let (_sequence, ..) = filled(&cache, 4, 128, 1000);
    let stats = cache.stats().unwrap();
    assert_eq!((stats.sequences, stats.tokens), (1, 1000));
    assert_eq!(stats.coded_tokens, (1000 - 4) / 64 * 64);
    let parts = stats.code_bytes + stats.scale_bytes + stats.mean_bytes + stats.exact_bytes + stats.overhead_bytes;
    assert_eq!(parts, stats.bytes);
    assert_eq!(stats.bytes_16bit, 1000 * 4 * 128 * 2 * 2);
    assert!(stats.peak_bytes >= stats.bytes);
    assert!((stats.ratio - stats.bytes_16bit as f64 / stats.bytes as f64).abs() < 1e-9);
    assert!(stats.ratio_coded > 3.7 && stats.ratio > 3.0, "{stats:?}");
}

#[test]
fn calls_are_counted() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (mut sequence, keys, values) = filled(&cache, 2, 64, 100);
    sequence.append(0, Kv::new(1, &keys[..128], &values[..128])).unwrap();
    assert!(sequence.append(0, Kv::new(1, &[f32::NAN; 128], &values[..128])).is_err()); // not counted
    sequence.attend(&AttendOptions::new(0, 2), 1, &keys[..128], &mut [0.0f32; 128]).unwrap();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.append_calls, stats.append_bytes), (2, 101 * 2 * 64 * 2 * 4));
    assert_eq!(stats.attend_calls, 1);
    assert!(stats.append_ns > 0 && stats.attend_ns > stats.merge_ns && stats.attend_bytes > 0, "{stats:?}");
}
