//! Runs a Llama in candle three times: with candle's KV cache, with libturboquant's in its place, and with attention on
//! the compressed cache. Prints what they say and what they cost.
//!
//!     cargo run --release -p candle-llama                    a tiny model of random weights
//!     cargo run --release -p candle-llama -- FOLDER TEXT     a model in Hugging Face's format, and a text to read
//!
//! FOLDER holds config.json, model.safetensors and tokenizer.json.

use std::path::Path;

use candle_core::Result;
use candle_llama::compare::{Run, difference, loss, run_repeatedly};
use candle_llama::layer_cache::Kind;
use candle_llama::weights;

const PROMPT: usize = 768;
const STEPS: usize = 128;
/// Other programs disturb; the fastest of so many runs is shown.
const RUNS: usize = 3;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, tokens) = match arguments.as_slice() {
        [] => {
            let config = weights::tiny_config();
            (weights::random(&config)?, weights::random_tokens(PROMPT + STEPS, config.vocab_size))
        }
        [folder, text] => {
            let (_, model) = weights::load(Path::new(folder))?;
            (model, weights::tokens_of(Path::new(folder), Path::new(text), PROMPT + STEPS)?)
        }
        _ => candle_core::bail!("usage: candle-llama [FOLDER TEXT]"),
    };

    let kinds = [Kind::Candle, Kind::DropIn, Kind::OnCodes];
    let runs: Vec<Run> =
        kinds.map(|kind| run_repeatedly(&model, kind, &tokens, PROMPT, RUNS)).into_iter().collect::<Result<_>>()?;
    println!("{PROMPT} tokens of prompt, {STEPS} steps, times of the fastest of {RUNS} runs\n");
    println!("{:48}{:>14}{:>14}{:>14}", "", "candle, f32", "in its place", "on the codes");
    let print = |name: &str, cell: &dyn Fn(&Run) -> String| {
        println!("{name:48}{:>14}{:>14}{:>14}", cell(&runs[0]), cell(&runs[1]), cell(&runs[2]));
    };
    let base = &runs[0];
    print("bytes allocated for keys and values", &|run| run.bytes.to_string());
    print("prompt, ms", &|run| format!("{:.1}", run.prefill.as_secs_f64() * 1e3));
    print("one step, ms", &|run| format!("{:.3}", run.decode.as_secs_f64() * 1e3 / STEPS as f64));
    print("loss, nats per token", &|run| format!("{:.4}", loss(run, &tokens, PROMPT)));
    print("mean KL divergence from the first, nats", &|run| format!("{:.6}", difference(base, run).mean_kl));
    print("same most probable token, %", &|run| format!("{:.1}", difference(base, run).top1 * 100.0));
    print("largest difference of a log probability", &|run| format!("{:.4}", difference(base, run).largest));
    Ok(())
}
