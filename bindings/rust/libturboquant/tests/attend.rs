//! Attention against a plain computation on the decoded cache, in all the ways to call it.

mod common;

use common::{by_head, filled, new_cache, noise};
use half::{bf16, f16};
use libturboquant::{AttendItem, AttendOptions, Element, Kv, LayerOptions, Sequence, Tokens};

const KV_HEADS: usize = 2;
const Q_HEADS: usize = 4;
const DIM: usize = 64;

/// softmax(scale q k) v for one query and head in f64; `visible` tokens. Returns output and log-sum-exp.
fn reference(tokens: &Tokens<f32>, query: &[f32], head: usize, visible: usize, softcap: f64) -> (Vec<f64>, f64) {
    let kv_head = head / (Q_HEADS / KV_HEADS);
    let row = |data: &[f32], t: usize| data[(t * KV_HEADS + kv_head) * DIM..][..DIM].to_vec();
    let scale = 1.0 / (DIM as f64).sqrt();
    let logit = |t: usize| {
        let dot: f64 = row(&tokens.keys, t).iter().zip(query).map(|(k, q)| f64::from(*k) * f64::from(*q)).sum();
        if softcap > 0.0 { softcap * (dot * scale / softcap).tanh() } else { dot * scale }
    };
    let weights: Vec<f64> = (0..visible).map(|t| logit(t).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let mut output = vec![0.0; DIM];
    for (t, weight) in weights.iter().enumerate() {
        for (out, value) in output.iter_mut().zip(row(&tokens.values, t)) {
            *out += weight / sum * f64::from(value);
        }
    }
    (output, sum.ln())
}

fn rms(a: &[f64], b: &[f64]) -> f64 {
    (a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64).sqrt()
}

/// Asserts that `output` is attention on `decoded`, within a quarter of what coding `original` has cost, the tolerance of
/// the golden files. `first` tokens are visible to query 0, one more to each next.
#[track_caller]
fn assert_attends(
    decoded: &Tokens<f32>,
    original: &Tokens<f32>,
    query: &[f32],
    output: &[f32],
    first: usize,
    softcap: f64,
) {
    let all = |tokens: &Tokens<f32>| -> Vec<f64> {
        let row = |(i, query)| reference(tokens, query, i % Q_HEADS, first + i / Q_HEADS, softcap).0;
        query.chunks_exact(DIM).enumerate().flat_map(row).collect()
    };
    let (expected, uncoded) = (all(decoded), all(original));
    let output: Vec<f64> = output.iter().map(|value| f64::from(*value)).collect();
    let (error, tolerance) = (rms(&output, &expected), rms(&expected, &uncoded) / 4.0 + 1e-5);
    assert!(error <= tolerance, "rms error {error}, tolerance {tolerance}");
}

fn sequence(count: usize) -> Sequence {
    with_tokens(count).0
}

fn with_tokens(count: usize) -> (Sequence, Tokens<f32>) {
    let cache = new_cache(LayerOptions::new(KV_HEADS as u32, DIM as u32));
    let (sequence, keys, values) = filled(&cache, KV_HEADS, DIM, count);
    (sequence, Tokens { count, keys, values })
}

fn options() -> AttendOptions<'static> {
    AttendOptions::new(0, Q_HEADS as u32)
}

#[test]
fn queries_of_the_last_tokens() {
    let (sequence, original) = with_tokens(200);
    let decoded = sequence.read::<f32>(0, ..).unwrap();
    for n in [1, 2, 5, 64, 200] {
        let query = noise(n * Q_HEADS * DIM, 9);
        let mut output = vec![0.0f32; n * Q_HEADS * DIM];
        sequence.attend(&options(), n, &query, &mut output).unwrap();
        assert_attends(&decoded, &original, &query, &output, 200 - n + 1, 0.0);
        sequence.attend(&options().softcap(2.0), n, &query, &mut output).unwrap();
        assert_attends(&decoded, &original, &query, &output, 200 - n + 1, 2.0);
    }
}

#[test]
fn new_tokens_are_seen_at_full_precision() {
    let (mut sequence, mut original) = with_tokens(100);
    let n = 37;
    let (keys, values) = (noise(n * KV_HEADS * DIM, 4), noise(n * KV_HEADS * DIM, 5));
    let fresh = Kv::new(n, &keys, &values);
    let query = noise(n * Q_HEADS * DIM, 9);
    let mut output = vec![0.0f32; n * Q_HEADS * DIM];
    let cache = sequence.cache().clone();
    let item = AttendItem::new(&sequence, n, &query, &mut output).new_tokens(fresh);
    cache.attend(&options(), &mut [item]).unwrap();

    let mut decoded = sequence.read::<f32>(0, ..).unwrap();
    for tokens in [&mut decoded, &mut original] {
        tokens.count += n;
        tokens.keys.extend(&keys);
        tokens.values.extend(&values);
    }
    assert_attends(&decoded, &original, &query, &output, 101, 0.0);
    sequence.append(0, fresh).unwrap();
    assert_eq!(sequence.length(0).unwrap(), 137);
}

#[test]
fn a_batch_is_its_items() {
    let cache = new_cache(LayerOptions::new(KV_HEADS as u32, DIM as u32));
    let sequences: Vec<_> = [1, 64, 70, 200, 3, 128].map(|count| filled(&cache, KV_HEADS, DIM, count).0).into();
    let row = Q_HEADS * DIM;
    let query = noise(sequences.len() * row, 9);
    let mut together = vec![0.0f32; sequences.len() * row];
    let mut items: Vec<_> = sequences
        .iter()
        .zip(query.chunks_exact(row).zip(together.chunks_exact_mut(row)))
        .map(|(sequence, (query, output))| AttendItem::new(sequence, 1, query, output))
        .collect();
    cache.attend(&options(), &mut items).unwrap();

    let mut alone = vec![0.0f32; sequences.len() * row];
    for (i, sequence) in sequences.iter().enumerate() {
        let part = i * row..(i + 1) * row;
        sequence.attend(&options(), 1, &query[part.clone()], &mut alone[part]).unwrap();
    }
    assert_eq!(together, alone);
    cache.attend::<f32, f32>(&options(), &mut []).unwrap(); // a batch of none
}

#[test]
fn new_tokens_belong_to_their_item() {
    let cache = new_cache(LayerOptions::new(KV_HEADS as u32, DIM as u32));
    let sequences: Vec<_> = [5, 66, 10, 80, 7].map(|count| filled(&cache, KV_HEADS, DIM, count).0).into();
    let (row, kv_row) = (Q_HEADS * DIM, KV_HEADS * DIM);
    let (query, keys, values) = (noise(5 * row, 9), noise(5 * kv_row, 4), noise(5 * kv_row, 5));
    let with_tokens = |i: usize| i % 2 == 1; // items with and without them, mixed
    let item = |i: usize, output| {
        let item = AttendItem::new(&sequences[i], 1, &query[i * row..(i + 1) * row], output);
        let part = i * kv_row..(i + 1) * kv_row;
        if with_tokens(i) { item.new_tokens(Kv::new(1, &keys[part.clone()], &values[part])) } else { item }
    };
    let (mut together, mut alone) = (vec![0.0f32; 5 * row], vec![0.0f32; 5 * row]);
    let mut items: Vec<_> = together.chunks_exact_mut(row).enumerate().map(|(i, output)| item(i, output)).collect();
    cache.attend(&options(), &mut items).unwrap();
    for (i, output) in alone.chunks_exact_mut(row).enumerate() {
        cache.attend(&options(), &mut [item(i, output)]).unwrap();
    }
    assert_eq!(together, alone);
}

#[test]
fn sink_logits_and_log_sum_exp() {
    let sequence = sequence(70);
    let tokens = sequence.read::<f32>(0, ..).unwrap();
    let query = noise(Q_HEADS * DIM, 9);
    let (mut output, mut log_sum_exp) = (vec![0.0f32; Q_HEADS * DIM], vec![0.0f32; Q_HEADS]);
    let sinks = [-1.0f32, 0.5, 2.0, 7.0];
    let item = AttendItem::new(&sequence, 1, &query, &mut output).log_sum_exp(&mut log_sum_exp);
    sequence.cache().attend(&options().sink_logits(&sinks), &mut [item]).unwrap();
    for (head, sink) in sinks.iter().enumerate() {
        let (expected, plain) = reference(&tokens, &query[head * DIM..][..DIM], head, 70, 0.0);
        let with_sink = (plain.exp() + f64::from(*sink).exp()).ln();
        assert!((f64::from(log_sum_exp[head]) - with_sink).abs() < 1e-3, "{} {with_sink}", log_sum_exp[head]);
        let share = (plain - with_sink).exp();
        for (value, expected) in output[head * DIM..][..DIM].iter().zip(expected) {
            assert!((f64::from(*value) - share * expected).abs() < 1e-3);
        }
    }
}

#[test]
fn a_query_that_sees_nothing() {
    let cache = new_cache(LayerOptions::new(KV_HEADS as u32, DIM as u32));
    let empty = cache.create_sequence().unwrap();
    let query = noise(Q_HEADS * DIM, 9);
    let (mut output, mut log_sum_exp) = (vec![-7.0f32; Q_HEADS * DIM], vec![-7.0f32; Q_HEADS]);
    let item = AttendItem::new(&empty, 1, &query, &mut output).log_sum_exp(&mut log_sum_exp);
    cache.attend(&options().causal(false), &mut [item]).unwrap();
    assert!(output.iter().all(|value| *value == 0.0));
    assert!(log_sum_exp.iter().all(|value| *value == f32::NEG_INFINITY));
    empty.attend::<f32, f32>(&options(), 0, &[], &mut []).unwrap(); // no query at all
}

#[test]
fn strides_of_queries_and_outputs() {
    let sequence = sequence(100);
    let n = 3;
    let query = noise(n * Q_HEADS * DIM, 9);
    let mut expected = vec![0.0f32; n * Q_HEADS * DIM];
    sequence.attend(&options(), n, &query, &mut expected).unwrap();

    let query = by_head(&query, Q_HEADS, DIM); // [head][query][dim], as frameworks like it
    let mut output = vec![0.0f32; n * Q_HEADS * DIM];
    let item =
        AttendItem::new(&sequence, n, &query, &mut output).query_strides(DIM, n * DIM).output_strides(DIM, n * DIM);
    sequence.cache().attend(&options(), &mut [item]).unwrap();
    assert_eq!(output, by_head(&expected, Q_HEADS, DIM));
}

fn attend_in<Q: Element, O: Element>(sequence: &Sequence, query: &[Q]) -> Vec<O> {
    let mut output = vec![O::default(); query.len()];
    sequence.attend(&options(), query.len() / (Q_HEADS * DIM), query, &mut output).unwrap();
    output
}

#[test]
fn element_types_of_queries_and_outputs() {
    let sequence = sequence(100);
    let halves: Vec<f16> = noise(Q_HEADS * DIM, 9).into_iter().map(f16::from_f32).collect();
    let floats: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
    let expected: Vec<f32> = attend_in(&sequence, &floats);
    assert_eq!(attend_in::<f16, f32>(&sequence, &halves), expected);
    let rounded: Vec<bf16> = expected.iter().map(|value| bf16::from_f32(*value)).collect();
    assert_eq!(attend_in::<f16, bf16>(&sequence, &halves), rounded);
    let rounded: Vec<f16> = expected.iter().map(|value| f16::from_f32(*value)).collect();
    assert_eq!(attend_in::<f32, f16>(&sequence, &floats), rounded);
}

#[test]
fn nan_in_a_query_stays_in_its_head() {
    let sequence = sequence(100);
    let mut query = noise(Q_HEADS * DIM, 9);
    let clean: Vec<f32> = attend_in(&sequence, &query);
    query[DIM + 3] = f32::NAN;
    let output: Vec<f32> = attend_in(&sequence, &query);
    assert!(output[DIM..2 * DIM].iter().all(|value| value.is_nan()));
    assert_eq!((&output[..DIM], &output[2 * DIM..]), (&clean[..DIM], &clean[2 * DIM..]));
}
