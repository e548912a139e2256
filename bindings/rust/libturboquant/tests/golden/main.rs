//! The golden files that every implementation and language obeys: bytes and decoded values bit for bit, attention within
//! each case's tolerance.

mod data;
mod profiles;

use data::{Exact, Sizes, fnv1a64, hex_of, hex_of_floats, number, rows, small, text, with_dtype};
use libturboquant::{AttendItem, AttendOptions, Cache, Codec, CodecOptions, Kv, Layout, ParallelFor, Pool};
use serde_json::Value;

fn codec(case: &Value) -> Codec {
    let layout = if case["layout"] == "blocks" { Layout::Blocks } else { Layout::Vectors };
    let options = CodecOptions::new(small(case, "head_dim"))
        .format(data::format(text(case, "format")))
        .group_size(small(case, "group_size"))
        .rotation_block(small(case, "rotation_block"))
        .scale_search(small(case, "scale_search") == 1)
        .layout(layout)
        .seed(data::seed(case));
    Codec::new(&options).unwrap()
}

fn encode<T: Exact>(case: &Value, codec: &Codec) -> Vec<u8> {
    codec.encode(&rows::<T>(&case["input"], 0, number(case, "count"), 1, codec.head_dim())).unwrap()
}

fn check_codec_file(file: &str) {
    for case in data::cases(file) {
        let name = text(&case, "name");
        let (codec, count) = (codec(&case), number(&case, "count"));
        assert_eq!(codec.encoded_bytes(count), number(&case, "codes_bytes"), "{name}");
        let codes = with_dtype!(text(&case, "input_dtype"), encode(&case, &codec));
        assert_eq!(hex_of(&codes), text(&case, "codes"), "{name}");

        let decoded: Vec<f32> = codec.decode(&data::bytes_of_hex(text(&case, "codes")), 0, count).unwrap();
        let first = &decoded[..decoded.len().min(64)];
        assert_eq!(hex_of_floats(first), text(&case, "decoded_first"), "{name}");
        assert_eq!(fnv1a64(&decoded), text(&case, "decoded_fnv1a64"), "{name}");
    }
}

#[test]
fn codec_tq4() {
    check_codec_file("codec_tq4.json");
}

#[test]
fn codec_tq8() {
    check_codec_file("codec_tq8.json");
}

#[test]
fn codec_16bit() {
    check_codec_file("codec_16bit.json");
}

#[test]
fn codec_hard() {
    check_codec_file("codec_hard.json");
}

fn check_cache_file(file: &str) {
    for case in data::cases(file) {
        let name = text(&case, "name");
        let cache = Cache::new(&data::options(&case)).unwrap();
        let mut sequence = cache.create_sequence().unwrap();
        data::run_steps(&case, &mut sequence);
        assert_eq!(sequence.length(0).unwrap(), number(&case, "length"), "{name}");
        let coded = case["pages"].as_array().unwrap().len() * number(&case, "page_bytes");
        assert_eq!(cache.stats().unwrap().coded_bytes, coded as u64, "{name}");

        let sample = number(&case, "sample_token");
        let one = sequence.read::<f32>(0, sample..=sample).unwrap();
        assert_eq!(hex_of_floats(&one.keys), text(&case, "sample_keys"), "{name}");
        assert_eq!(hex_of_floats(&one.values), text(&case, "sample_values"), "{name}");
        let all = sequence.read::<f32>(0, ..).unwrap();
        assert_eq!(fnv1a64(&all.keys), text(&case, "read_keys_fnv1a64"), "{name}");
        assert_eq!(fnv1a64(&all.values), text(&case, "read_values_fnv1a64"), "{name}");
    }
}

#[test]
fn cache_sizes() {
    check_cache_file("cache_sizes.json");
}

#[test]
fn cache_formats() {
    check_cache_file("cache_formats.json");
}

#[test]
fn cache_steps() {
    check_cache_file("cache_steps.json");
}

#[test]
fn cache_hard() {
    check_cache_file("cache_hard.json");
}

/// `tq_rotate` divides by sqrt(n), which is exact where that is a power of two.
#[test]
fn rotation() {
    for case in data::cases("rotation.json") {
        let name = text(&case, "name");
        let (dim, block) = (small(&case, "head_dim"), small(&case, "rotation_block"));
        let codec = Codec::new(&CodecOptions::new(dim).rotation_block(block).seed(data::seed(&case))).unwrap();
        let mut rotated: Vec<f32> = rows(&case["input"], 0, number(&case, "count"), 1, dim as usize);
        codec.rotate(&mut rotated).unwrap();
        let expected = data::floats_of_hex(text(&case, "rotated_f32"));
        assert_eq!(rotated.len(), expected.len(), "{name}");
        let root = f64::from(block).sqrt();
        let rounding = if root.log2().fract() == 0.0 { 0.0 } else { f64::from(f32::EPSILON) };
        for (value, expected) in rotated.iter().zip(expected) {
            let expected = f64::from(expected) / root;
            assert!((f64::from(*value) - expected).abs() <= expected.abs() * rounding, "{name}: {value} {expected}");
        }
    }
}

/// All numbers of a nested list; the string "-inf" stands for itself.
fn flat(nested: &Value) -> Vec<f64> {
    match nested {
        Value::Array(parts) => parts.iter().flat_map(flat).collect(),
        Value::String(text) => vec![text.parse().unwrap()],
        number => vec![number.as_f64().unwrap()],
    }
}

enum Threads<'a> {
    One,
    Pool(&'a Pool),
    Own(&'a ParallelFor<'a>),
}

/// Output and log-sum-exp of the call that a case describes.
fn attend<T: Exact>(case: &Value, threads: &Threads<'_>) -> (Vec<f32>, Vec<f32>) {
    let cache = Cache::new(&data::options(case)).unwrap();
    let mut sequence = cache.create_sequence().unwrap();
    data::run_steps(case, &mut sequence);
    let (sizes, q_heads, n_query) = (Sizes::of(case), small(case, "q_heads"), number(case, "n_query"));

    let sinks: Option<Vec<f32>> =
        case["sink_logits"].as_array().map(|list| list.iter().map(|x| x.as_f64().unwrap() as f32).collect());
    let mut options = AttendOptions::new(0, q_heads)
        .causal(small(case, "causal") == 1)
        .scale(case["scale"].as_f64().unwrap() as f32)
        .softcap(case["softcap"].as_f64().unwrap() as f32);
    if let Some(sinks) = &sinks {
        options = options.sink_logits(sinks);
    }
    options = match threads {
        Threads::One => options,
        Threads::Pool(pool) => options.pool(pool),
        Threads::Own(run) => options.parallel_for(*run),
    };

    let query: Vec<f32> = rows(&case["query_input"], 0, n_query, q_heads as usize, sizes.key_dim);
    let rows = n_query * q_heads as usize;
    let (mut output, mut log_sum_exp) = (vec![-77.0f32; rows * sizes.value_dim], vec![-77.0; rows]);
    let (keys, values) = sizes.tokens::<T>(case, sequence.length(0).unwrap(), n_query);
    let mut item = AttendItem::new(&sequence, n_query, &query, &mut output).log_sum_exp(&mut log_sum_exp);
    if number(case, "new_tokens") == 1 {
        item = item.new_tokens(Kv::new(n_query, &keys, &values));
    }
    cache.attend(&options, &mut [item]).unwrap();
    (output, log_sum_exp)
}

#[test]
fn attention() {
    let pool = Pool::new(2).unwrap();
    let by_two = |count: usize, task: &(dyn Fn(usize) + Sync)| {
        std::thread::scope(|scope| {
            scope.spawn(|| (0..count).step_by(2).for_each(task));
            (1..count).step_by(2).for_each(task);
        })
    };
    for case in data::cases("attention.json") {
        let name = text(&case, "name");
        let dtype = text(&case, "dtype");
        let (output, log_sum_exp) = with_dtype!(dtype, attend(&case, &Threads::One));
        let (expected, expected_lse) = (flat(&case["output"]), flat(&case["log_sum_exp"]));
        assert_eq!((output.len(), log_sum_exp.len()), (expected.len(), expected_lse.len()), "{name}");

        let squares: f64 = output.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
        let rms = (squares / output.len() as f64).sqrt();
        assert!(rms <= case["tolerance"]["output_rms"].as_f64().unwrap(), "{name}: rms {rms}");
        let tolerance = case["tolerance"]["log_sum_exp"].as_f64().unwrap();
        for (value, expected) in log_sum_exp.iter().zip(expected_lse) {
            let close = f64::from(*value) == expected || (f64::from(*value) - expected).abs() <= tolerance;
            assert!(close, "{name}: log-sum-exp {value}, not {expected}");
        }

        let result = (output, log_sum_exp);
        assert_eq!(with_dtype!(dtype, attend(&case, &Threads::Pool(&pool))), result, "{name} in a pool");
        assert_eq!(with_dtype!(dtype, attend(&case, &Threads::Own(&by_two))), result, "{name} by two");
    }
}
