//! Runs the same tokens with different caches and compares what comes out.

use std::time::{Duration, Instant};

use candle_core::{Result, Tensor};

use crate::layer_cache::Kind;
use crate::model::Llama;

/// What one run gave and cost.
#[derive(Debug)]
pub struct Run {
    /// Natural logarithms of the probabilities after each token of the decoding phase.
    pub log_probabilities: Vec<Vec<f32>>,
    /// Bytes allocated for keys and values at the end.
    pub bytes: u64,
    /// Time of the prompt.
    pub prefill: Duration,
    /// Time of all steps after it.
    pub decode: Duration,
}

/// The same run several times, with the fastest times of all.
pub fn run_repeatedly(model: &Llama, kind: Kind, tokens: &[u32], prompt: usize, times: usize) -> Result<Run> {
    let mut best = run(model, kind, tokens, prompt)?;
    for _ in 1..times {
        let again = run(model, kind, tokens, prompt)?;
        best.prefill = best.prefill.min(again.prefill);
        best.decode = best.decode.min(again.decode);
    }
    Ok(best)
}

/// Feeds the first `prompt` tokens at once and the others one by one.
pub fn run(model: &Llama, kind: Kind, tokens: &[u32], prompt: usize) -> Result<Run> {
    let mut caches = model.new_caches(kind);
    let start = Instant::now();
    let mut logits = vec![last_row(&model.forward(&tokens[..prompt], 0, &mut caches)?)?];
    let prefill = start.elapsed();
    let start = Instant::now();
    for position in prompt..tokens.len() {
        logits.push(last_row(&model.forward(&tokens[position..=position], position, &mut caches)?)?);
    }
    let decode = start.elapsed();
    let bytes = caches.iter().map(|cache| cache.bytes()).sum::<Result<_>>()?;
    let log_probabilities = logits.iter().map(|logits| log_softmax(logits)).collect();
    Ok(Run { log_probabilities, bytes, prefill, decode })
}

fn last_row(logits: &Tensor) -> Result<Vec<f32>> {
    logits.get(logits.dim(0)? - 1)?.to_vec1()
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
    let log_sum = largest + sum.ln() as f32;
    logits.iter().map(|logit| logit - log_sum).collect()
}

/// How far a run is from another one.
#[derive(Debug, Clone, Copy)]
pub struct Difference {
    /// Mean Kullback-Leibler divergence of the next-token distributions, nats.
    pub mean_kl: f64,
    /// Share of steps with the same most probable token.
    pub top1: f64,
    /// Largest difference of a log probability among tokens that the base gives more than one in a thousand.
    pub largest: f32,
}

/// How far `run` is from `base`.
pub fn difference(base: &Run, run: &Run) -> Difference {
    let mut result = Difference { mean_kl: 0.0, top1: 0.0, largest: 0.0 };
    let steps = base.log_probabilities.len() as f64;
    for (p, q) in base.log_probabilities.iter().zip(&run.log_probabilities) {
        let kl: f64 = p.iter().zip(q).map(|(p, q)| f64::from(p.exp()) * f64::from(p - q)).sum();
        result.mean_kl += kl / steps;
        result.top1 += f64::from(u8::from(most_probable(p) == most_probable(q))) / steps;
        let probable = p.iter().zip(q).filter(|(p, _)| **p > 1e-3f32.ln());
        result.largest = probable.map(|(p, q)| (p - q).abs()).fold(result.largest, f32::max);
    }
    result
}

fn most_probable(log_probabilities: &[f32]) -> Option<usize> {
    (0..log_probabilities.len()).max_by(|a, b| log_probabilities[*a].total_cmp(&log_probabilities[*b]))
}

/// Mean negative log probability of the tokens that really came, in nats; `tokens` as in [`run`].
pub fn loss(run: &Run, tokens: &[u32], prompt: usize) -> f64 {
    let next = &tokens[prompt..];
    let total: f64 = next.iter().zip(&run.log_probabilities).map(|(t, p)| -f64::from(p[*t as usize])).sum();
    total / next.len() as f64
}
