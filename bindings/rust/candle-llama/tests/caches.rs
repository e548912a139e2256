//! The example's promise: the model says the same with every cache.

use candle_core::Result;
use candle_llama::compare::{difference, loss, run};
use candle_llama::layer_cache::Kind;
use candle_llama::{model::Config, weights};

#[test]
fn the_random_model_says_the_same_with_every_cache() -> Result<()> {
    let config = Config { hidden_size: 128, intermediate_size: 128, num_hidden_layers: 2, ..weights::tiny_config() };
    let model = weights::random(&config)?;
    let tokens = weights::random_tokens(140, config.vocab_size);
    let runs: Vec<_> =
        [Kind::Candle, Kind::DropIn, Kind::OnCodes].map(|kind| run(&model, kind, &tokens, 130).unwrap()).into();
    for other in &runs[1..] {
        let difference = difference(&runs[0], other);
        assert!(difference.mean_kl > 0.0 && difference.mean_kl < 0.05, "{difference:?}");
        assert!(other.bytes * 4 < runs[0].bytes); // f32 against 4 bits and a 16-bit tail
    }
    Ok(())
}

/// The model that lies in the repository; guessing would cost ln(1024) = 6.9 nats.
#[test]
fn the_model_in_the_repository_reads_english() -> Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/llama/model");
    if !folder.join("model.safetensors").exists() {
        println!("skipped: {} is not here", folder.display());
        return Ok(());
    }
    let (_, model) = weights::load(&folder)?;
    let tokens = weights::tokens_of(&folder, &folder.join("heldout.txt"), 161)?;
    let base = run(&model, Kind::Candle, &tokens, 145)?;
    let expected = loss(&base, &tokens, 145);
    assert!(expected < 4.0, "{expected}");
    for kind in [Kind::DropIn, Kind::OnCodes] {
        let other = run(&model, kind, &tokens, 145)?;
        let difference = difference(&base, &other);
        assert!(difference.mean_kl < 0.01, "{kind:?}: {difference:?}");
        assert!((loss(&other, &tokens, 145) - expected).abs() < 0.05);
    }
    Ok(())
}
