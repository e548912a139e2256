//! Bad input gives an error that names the argument and the value; it never panics, and never reaches memory that is not
//! the caller's.

mod common;

use common::{assert_refused, filled, new_cache, noise};
use libturboquant::{
    AttendItem, AttendOptions, Cache, CacheOptions, Codec, CodecOptions, Dtype, Error, Kv, KvOut, LayerOptions, Pool,
    Rows, RowsMut, fwht,
};

#[test]
fn options_out_of_range() {
    let new = |layer| Cache::new(&CacheOptions::uniform(1, layer));
    assert_refused(new(LayerOptions::default()), &["kv_heads", "0"]);
    assert_refused(new(LayerOptions::new(1, 0)), &["key_dim", "0"]);
    assert_refused(new(LayerOptions::new(1, 1025)), &["key_dim", "1025"]);
    assert_refused(new(LayerOptions::new(1, 64).value_dim(4000)), &["value_dim", "4000"]);
    assert_refused(new(LayerOptions::new(1, 64).key_group_size(48)), &["key_group_size", "48"]);
    assert_refused(new(LayerOptions::new(1, 80).key_rotation_block(32)), &["key_rotation_block", "32"]);
    assert_refused(new(LayerOptions::new(1, 64).sink_tokens(65)), &["sink_tokens", "65"]);
    assert_refused(new(LayerOptions::new(1, 64).exact_dtype(Dtype::F32)), &["exact_dtype", "1"]);
    assert_refused(Cache::new(&CacheOptions::default()), &["layer_count", "0"]);
    assert_refused(Cache::new(&CacheOptions::uniform(u32::MAX, LayerOptions::new(1, 64))), &["layer_count"]);
    assert_refused(Cache::new(&CacheOptions::new([])), &["layer_count", "0"]);
    assert_refused(Pool::new(0), &["threads", "0"]);
    assert_refused(Pool::new(5000), &["threads", "5000"]);
    assert_refused(Codec::new(&CodecOptions::default()), &["head_dim", "0"]);
    assert_refused(Codec::new(&CodecOptions::new(64).group_size(16)), &["group_size", "16"]);
}

#[test]
fn tokens_that_do_not_fit_the_layer() {
    let cache = new_cache(LayerOptions::new(2, 64).value_dim(32));
    let mut sequence = cache.create_sequence().unwrap();
    let (keys, values) = (noise(10 * 128, 1), noise(10 * 64, 2));
    let mut append = |tokens| sequence.append(0, tokens);
    assert_refused(append(Kv::new(9, &keys, &values)), &["keys", "9 x 2 x 64", "1280"]);
    assert_refused(append(Kv::new(10, &keys[1..], &values)), &["keys", "1279"]);
    assert_refused(append(Kv::new(10, &keys, &keys)), &["values", "10 x 2 x 32", "1280"]);
    assert_refused(append(Kv::new(usize::MAX, &keys, &values)), &["keys", "more than memory"]);
    assert_refused(append(Kv::new(10, &keys, &values).key_strides(129, 64)), &["keys", "129", "1289"]);
    assert_refused(append(Kv::new(10, &keys, &values).key_strides(usize::MAX, 64)), &["keys"]);
    assert_refused(append(Kv::new(10, &keys, &values).key_strides(64, 32)), &["key strides", "32"]);
    assert_refused(append(Kv::new(10, &keys, &values).value_strides(64, 0)), &["value strides"]);
    assert_refused(sequence.append(1, Kv::new(10, &keys, &values)), &["layer is 1", "has 1"]);
    assert_eq!(sequence.length(0).unwrap(), 0);
}

#[test]
fn numbers_that_cannot_be_coded() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (mut sequence, mut keys, values) = filled(&cache, 2, 64, 70);
    for bad in [f32::NAN, f32::INFINITY, -f32::INFINITY, 2e18] {
        keys[67 * 128 + 64 + 5] = bad;
        assert_refused(sequence.append(0, Kv::new(70, &keys, &values)), &["67", "1", "5"]);
    }
    assert_eq!(sequence.length(0).unwrap(), 70); // none of the tokens before it was appended
}

#[test]
fn ranges_that_are_not_there() {
    let cache = new_cache(LayerOptions::new(1, 64));
    let (mut sequence, ..) = filled(&cache, 1, 64, 70);
    let read = |range: std::ops::Range<usize>| sequence.read::<f32>(0, range);
    assert_refused(read(60..71), &["60", "70"]);
    assert_refused(read(71..71), &["71"]);
    assert_refused(read(0..usize::MAX), &[]); // and no attempt to allocate that much
    assert_refused(read(usize::MAX..usize::MAX), &[]);
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 5..3;
    assert_refused(read(reversed), &["5..3"]);
    assert_refused(sequence.read::<f32>(0, 71..), &["71"]);
    assert_refused(sequence.read::<f32>(7, ..), &["layer is 7"]);
    assert_refused(sequence.blocks::<f32>(0, 0..71).unwrap().last().unwrap(), &["70"]);

    let mut short = [0.0f32; 63];
    assert_refused(sequence.read_into(0, 0, 1, KvOut::keys(&mut short)), &["keys", "63"]);
    assert_refused(sequence.read_into(0, 0, 1, KvOut::values(&mut short)), &["values", "63"]);
    assert_refused(sequence.length(1), &["layer is 1"]);
    assert_refused(sequence.truncate(71), &["71", "70"]);
}

#[test]
fn tokens_that_a_window_has_released() {
    let cache = new_cache(LayerOptions::new(1, 64).window(64));
    let (mut sequence, keys, values) = filled(&cache, 1, 64, 500);
    sequence.append(0, Kv::new(1, &keys[..64], &values[..64])).unwrap(); // releases what its query does not see
    assert_refused(sequence.read::<f32>(0, 100..101), &["window"]);
    assert_refused(sequence.truncate(200), &["window"]);
    assert!(sequence.read::<f32>(0, 450..).is_ok());
}

#[test]
fn attention_with_wrong_sizes() {
    let cache = new_cache(LayerOptions::new(2, 64).value_dim(32));
    let mut sequence = cache.create_sequence().unwrap();
    sequence.append(0, Kv::new(10, &noise(10 * 128, 1), &noise(10 * 64, 2))).unwrap();
    let (query, mut output) = (noise(3 * 4 * 64, 3), vec![-7.0f32; 3 * 4 * 32]);
    let options = AttendOptions::new(0, 4);
    let mut attend = |options: &AttendOptions, n| sequence.attend(options, n, &query, &mut output);

    assert!(attend(&options, 3).is_ok());
    assert_refused(attend(&options, 2), &["query", "2 x 4 x 64", "768"]);
    assert_refused(attend(&options, usize::MAX), &["query"]);
    assert_refused(attend(&AttendOptions::new(1, 4), 3), &["layer is 1"]);
    assert_refused(attend(&AttendOptions::default(), 3), &["query"]);
    assert_refused(attend(&AttendOptions::new(0, 3), 4), &["q_heads is 3", "2"]);
    assert_refused(attend(&options.scale(f32::NAN), 3), &["scale"]);
    assert_refused(attend(&options.softcap(-1.0), 3), &["softcap", "-1"]);
    assert_refused(attend(&options.sink_logits(&[0.0; 3]), 3), &["sink_logits", "3", "4"]);

    let (short, mut exact) = (vec![0.0f32; 11 * 4 * 64], vec![0.0f32; 11 * 4 * 32]);
    assert_refused(sequence.attend(&options, 11, &short, &mut exact), &["n_query is 11", "10 tokens"]);
    assert_refused(sequence.attend(&options, 3, &query, &mut exact[..383]), &["output", "383"]);
}

#[test]
fn attention_items_that_do_not_fit() {
    let (cache, other) = (new_cache(LayerOptions::new(2, 64)), new_cache(LayerOptions::new(2, 64)));
    let (sequence, keys, values) = filled(&cache, 2, 64, 100);
    let (stranger, ..) = filled(&other, 2, 64, 100);
    let options = AttendOptions::new(0, 2);
    let query = noise(3 * 128, 3);
    let (mut a, mut b, mut log_sum_exp) = (vec![-7.0f32; 3 * 128], vec![-7.0f32; 3 * 128], vec![-7.0f32; 5]);

    // One item in order and one that is not: neither is computed.
    let items = &mut [AttendItem::new(&sequence, 3, &query, &mut a), AttendItem::new(&stranger, 3, &query, &mut b)];
    assert_refused(cache.attend(&options, items), &["another cache"]);
    let item = AttendItem::new(&sequence, 3, &query, &mut a).log_sum_exp(&mut log_sum_exp);
    assert_refused(cache.attend(&options, &mut [item]), &["log_sum_exp", "3 x 2 x 1", "5"]);
    let item = AttendItem::new(&sequence, 3, &query, &mut a).output_strides(64, 64);
    assert_refused(cache.attend(&options, &mut [item]), &["output", "overlap"]);
    let item = AttendItem::new(&sequence, 3, &query, &mut a).output_strides(128, 65);
    assert_refused(cache.attend(&options, &mut [item]), &["output", "65"]);
    let item = AttendItem::new(&sequence, 3, &query, &mut a).query_strides(129, 64);
    assert_refused(cache.attend(&options, &mut [item]), &["query", "386", "384"]);
    let item = AttendItem::new(&sequence, 3, &query, &mut a).query_strides(64, 32);
    assert_refused(cache.attend(&options, &mut [item]), &["query strides", "32"]);

    let two = Kv::new(2, &keys[..256], &values[..256]);
    let item = AttendItem::new(&sequence, 3, &query, &mut a).new_tokens(two);
    assert_refused(cache.attend(&options, &mut [item]), &["new_tokens holds 2", "n_query is 3"]);
    let wrong = Kv::new(3, &keys[..256], &values[..384]);
    let item = AttendItem::new(&sequence, 3, &query, &mut a).new_tokens(wrong);
    assert_refused(cache.attend(&options, &mut [item]), &["keys", "3 x 2 x 64", "256"]);
    let nan = [f32::NAN; 384];
    let item = AttendItem::new(&sequence, 3, &query, &mut a).new_tokens(Kv::new(3, &nan, &nan));
    assert_refused(cache.attend(&options, &mut [item]), &["0"]);
    assert!(a.iter().chain(&b).chain(&log_sum_exp).all(|value| *value == -7.0));
}

#[test]
fn codec_buffers_that_do_not_fit() {
    let codec = Codec::new(&CodecOptions::new(64)).unwrap();
    let vectors = noise(3 * 64, 1);
    let codes = codec.encode(&vectors).unwrap();
    let too_small = |result: Result<(), Error>| assert!(matches!(result, Err(Error::BufferTooSmall(_))), "{result:?}");

    assert_refused(codec.encode(&vectors[1..]), &["vectors", "191", "64"]);
    assert_refused(codec.encode(Rows::strided(&vectors, 3, 65)), &["vectors", "65"]);
    assert_refused(codec.encode(Rows::strided(&vectors, 3, 63)), &["stride is 63"]);
    let mut short = codes.clone();
    short.pop();
    too_small(codec.encode_into(&vectors, &mut short));
    let mut nan = vectors.clone();
    nan[130] = f32::NAN;
    assert_refused(codec.encode(&nan), &["2"]);

    too_small(codec.decode::<f32>(&short, 0, 3).map(drop));
    too_small(codec.decode::<f32>(&codes, 1, 3).map(drop));
    too_small(codec.decode::<f32>(&codes, usize::MAX, 2).map(drop));
    too_small(codec.decode::<f32>(&codes, 0, usize::MAX).map(drop));
    let mut decoded = [0.0f32; 65];
    assert_refused(codec.decode_into(&codes, 0, &mut decoded), &["65"]);
    assert_refused(codec.decode_into(&codes, 0, RowsMut::strided(&mut decoded, 2, 64)), &["65"]);
    let overflow = codec.decode_into(&codes, usize::MAX, &mut decoded[..64]);
    assert!(overflow.is_err());

    assert_refused(codec.scores(&codes, 3, &vectors[1..]), &["queries", "191"]);
    too_small(codec.scores(&codes, 4, &vectors).map(drop));
    too_small(codec.scores(&codes, usize::MAX, &vectors).map(drop));
    assert_refused(codec.scores_into(&codes, 3, &vectors, &mut decoded), &["scores", "65"]);
    assert_refused(codec.rotate(&mut decoded), &["rows", "65"]);
    assert_refused(codec.unrotate(&mut decoded), &["rows", "65"]);
}

#[test]
fn transform_sizes() {
    let mut data = [0.0; 12];
    assert_refused(fwht(&mut data, 3), &["size is 3"]);
    assert_refused(fwht(&mut data, 8), &["12", "8"]);
    assert_refused(fwht(&mut data, 0), &["size is 0"]);
    assert_refused(fwht(&mut vec![0.0; 2048], 2048), &["size is 2048"]);
    assert!(fwht(&mut [], 4).is_ok());
}
