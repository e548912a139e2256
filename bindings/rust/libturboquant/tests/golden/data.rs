//! Reads tests/golden of the repository: see the README there.

use half::{bf16, f16};
use libturboquant::{CacheOptions, Dtype, Element, Format, Kv, LayerOptions, Sequence};
use serde_json::Value;

/// A type that golden inputs, exact in it by design, are given in.
pub trait Exact: Element {
    fn from_f32(value: f32) -> Self;
}

impl Exact for f32 {
    fn from_f32(value: f32) -> Self {
        value
    }
}
impl Exact for f16 {
    fn from_f32(value: f32) -> Self {
        f16::from_f32(value)
    }
}
impl Exact for bf16 {
    fn from_f32(value: f32) -> Self {
        bf16::from_f32(value)
    }
}

/// Calls a generic function with the type that a case names.
macro_rules! with_dtype {
    ($name:expr, $function:ident ( $($argument:expr),* )) => {
        match $name {
            "f32" => $function::<f32>($($argument),*),
            "f16" => $function::<half::f16>($($argument),*),
            "bf16" => $function::<half::bf16>($($argument),*),
            other => panic!("no such dtype: {other}"),
        }
    };
}
pub(crate) use with_dtype;

/// Where a file lies: in the repository's folder, or in what `TQ_GOLDEN_DIR` says.
pub fn path(file: &str) -> String {
    let folder = std::env::var("TQ_GOLDEN_DIR")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/golden").to_owned());
    format!("{folder}/v1/{file}")
}

/// All cases of a file.
pub fn cases(file: &str) -> Vec<Value> {
    let path = path(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{path}: {error}; outside the repository set TQ_GOLDEN_DIR to its tests/golden")
    });
    let mut content: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(content["version"], 1);
    match content["cases"].take() {
        Value::Array(cases) if !cases.is_empty() => cases,
        _ => panic!("{path} holds no cases"),
    }
}

pub fn number(case: &Value, field: &str) -> usize {
    case[field].as_u64().unwrap_or_else(|| panic!("{field} of {}", case["name"])) as usize
}

pub fn small(case: &Value, field: &str) -> u32 {
    number(case, field) as u32
}

pub fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {}", case["name"]))
}

pub fn seed(case: &Value) -> u64 {
    u64::from_str_radix(text(case, "seed").trim_start_matches("0x"), 16).unwrap()
}

pub fn format(name: &str) -> Format {
    match name {
        "tq4" => Format::Tq4,
        "tq8" => Format::Tq8,
        "f16" => Format::F16,
        "bf16" => Format::Bf16,
        other => panic!("no such format: {other}"),
    }
}

fn dtype(name: &str) -> Dtype {
    match name {
        "auto" => Dtype::Auto,
        "f16" => Dtype::F16,
        "bf16" => Dtype::Bf16,
        other => panic!("no such dtype: {other}"),
    }
}

pub fn layer(options: &Value) -> LayerOptions {
    LayerOptions::new(small(options, "kv_heads"), small(options, "key_dim"))
        .value_dim(small(options, "value_dim"))
        .key_format(format(text(options, "key_format")))
        .value_format(format(text(options, "value_format")))
        .key_group_size(small(options, "key_group_size"))
        .value_group_size(small(options, "value_group_size"))
        .key_rotation_block(small(options, "key_rotation_block"))
        .value_rotation_block(small(options, "value_rotation_block"))
        .center_keys(small(options, "center_keys") == 1)
        .scale_search(small(options, "scale_search") == 1)
        .sink_tokens(small(options, "sink_tokens"))
        .recent_blocks(small(options, "recent_blocks"))
        .exact_dtype(dtype(text(options, "exact_dtype")))
        .window(small(options, "window"))
        .seed(seed(options))
}

/// An input: a formula and its parameters.
struct Input<'a> {
    kind: &'a str,
    exponent: i64,
    seed: i64,
    span: i64,
    integer: i64,
}

impl<'a> Input<'a> {
    fn new(input: &'a Value) -> Self {
        let parameter = |name: &str| input[name].as_i64().unwrap_or(0);
        Input {
            kind: text(input, "kind"),
            exponent: parameter("exponent"),
            seed: parameter("seed"),
            span: parameter("span"),
            integer: parameter("integer"),
        }
    }

    /// The value at token t, head h, coordinate j of `dim`.
    fn value(&self, t: i64, h: i64, j: i64, dim: i64) -> f32 {
        let Input { kind, exponent, seed, span, integer } = *self;
        let base = (131 * t + 37 * h + 71 * j + 3 * t * j + 5 * j * j + 101 * seed) % 509 - 254;
        let (value, exponent) = match kind {
            "pattern" => (base, exponent),
            "range" => (base, exponent + (7 * t + 3 * h + 5 * j + seed) % span),
            "offset" => (
                (131 * t + 37 * h + 71 * j + 3 * t * j + 101 * seed) % 61 - 30
                    + 2 * ((7 * j * j + 13 * h + 17 * seed) % 97 - 48),
                exponent,
            ),
            "zero" => (0, 0),
            "constant" => (integer, exponent),
            "spike" => (if j == (7 * t + 3 * h + seed) % dim { integer } else { 0 }, exponent + t % 8),
            "loud_token" => (base, if t % 64 == 21 { exponent + 20 } else { exponent }),
            "alternating" => ((1 + t % 5) * if j % 2 == 1 { -1 } else { 1 }, exponent),
            "ties" => (if j % 8 == 0 { 4096 } else { 2 * ((13 * t + 5 * h + 3 * j + seed) % 100) + 1 }, exponent),
            "ties8" => (if j % 8 == 0 { 254 } else { 2 * ((13 * t + 5 * h + 3 * j + seed) % 127) + 1 }, exponent),
            "ramp" => ((t * dim + j) % 255 - 127, exponent),
            "group_steps" => (base, exponent - 9 * ((j / 64 + t) % 4)),
            "integers" => ((1361 * t + 37 * h + 711 * j + 3 * t * j + 5 * j * j + 101 * seed) % 8191 - 4095, exponent),
            "fine" => {
                let scrambled = 1048573 * t + 524287 * h + 786433 * j + 65521 * t * j + 262139 * seed;
                (scrambled % 16777213 - 8388606, exponent)
            }
            other => panic!("no such kind of input: {other}"),
        };
        (value as f64 * (exponent as f64).exp2()) as f32
    }
}

/// Rows first .. first + count of an input: `[token][head][dim]`.
pub fn rows<T: Exact>(input: &Value, first: usize, count: usize, heads: usize, dim: usize) -> Vec<T> {
    let input = Input::new(input);
    let mut values = Vec::with_capacity(count * heads * dim);
    for t in first..first + count {
        for h in 0..heads {
            values.extend((0..dim).map(|j| T::from_f32(input.value(t as i64, h as i64, j as i64, dim as i64))));
        }
    }
    values
}

/// Sizes of the one layer of a cache or attention case.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub kv_heads: usize,
    pub key_dim: usize,
    pub value_dim: usize,
}

impl Sizes {
    pub fn of(case: &Value) -> Self {
        let layer = &case["layer"];
        let (key_dim, value_dim) = (number(layer, "key_dim"), number(layer, "value_dim"));
        let value_dim = if value_dim == 0 { key_dim } else { value_dim };
        Sizes { kv_heads: number(layer, "kv_heads"), key_dim, value_dim }
    }

    /// Keys and values of tokens first .. first + count of a case.
    pub fn tokens<T: Exact>(self, case: &Value, first: usize, count: usize) -> (Vec<T>, Vec<T>) {
        (
            rows(&case["key_input"], first, count, self.kv_heads, self.key_dim),
            rows(&case["value_input"], first, count, self.kv_heads, self.value_dim),
        )
    }
}

pub fn options(case: &Value) -> CacheOptions {
    CacheOptions::uniform(1, layer(&case["layer"]))
}

/// Does the steps of a case, in the element type that it names.
pub fn run_steps(case: &Value, sequence: &mut Sequence) {
    with_dtype!(text(case, "dtype"), run_steps_in(case, sequence))
}

fn run_steps_in<T: Exact>(case: &Value, sequence: &mut Sequence) {
    for step in case["steps"].as_array().unwrap() {
        let n = step[1].as_u64().unwrap() as usize;
        match step[0].as_str().unwrap() {
            "append" => {
                let (keys, values) = Sizes::of(case).tokens::<T>(case, sequence.length(0).unwrap(), n);
                sequence.append(0, Kv::new(n, &keys, &values)).unwrap();
            }
            "truncate" => sequence.truncate(n).unwrap(),
            other => panic!("no such step: {other}"),
        }
    }
}

pub fn bytes_of_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

pub fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn hex_of_floats(values: &[f32]) -> String {
    hex_of(&bytes_of(values))
}

pub fn floats_of_hex(hex: &str) -> Vec<f32> {
    bytes_of_hex(hex).chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

pub fn fnv1a64(values: &[f32]) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100000001b3);
    format!("{:#018x}", bytes_of(values).into_iter().fold(0xcbf29ce484222325, step))
}
