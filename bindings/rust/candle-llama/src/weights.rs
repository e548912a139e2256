//! Where a model comes from: random numbers, or a folder in Hugging Face's format.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Error, Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde_json::Value;

use crate::model::{Config, Llama};

/// Small enough to run in a second.
pub fn tiny_config() -> Config {
    Config {
        vocab_size: 1024,
        hidden_size: 256,
        intermediate_size: 512,
        num_hidden_layers: 4,
        num_attention_heads: 8,
        num_key_value_heads: 2,
        head_dim: 64,
        rms_norm_eps: 1e-5,
        rope_theta: 10000.0,
    }
}

/// A model of random weights, the same ones for the same sizes. It says nothing sensible, but it computes what a model
/// computes.
pub fn random(config: &Config) -> Result<Llama> {
    let mut random = Random(1);
    let mut tensors = HashMap::new();
    let mut add = |name: String, shape: &[usize], scale: f32| -> Result<()> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.next() * scale).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
        Ok(())
    };
    let (hidden, middle) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim);
    add("model.embed_tokens.weight".into(), &[config.vocab_size, hidden], 1.0)?;
    add("lm_head.weight".into(), &[config.vocab_size, hidden], 2.0 / (hidden as f32).sqrt())?;
    for i in 0..config.num_hidden_layers {
        let matrices = [
            ("self_attn.q_proj", q, hidden),
            ("self_attn.k_proj", kv, hidden),
            ("self_attn.v_proj", kv, hidden),
            ("self_attn.o_proj", hidden, q),
            ("mlp.gate_proj", middle, hidden),
            ("mlp.up_proj", middle, hidden),
            ("mlp.down_proj", hidden, middle),
        ];
        for (name, outputs, inputs) in matrices {
            let scale = 2.0 / (inputs as f32).sqrt(); // so that attention has something to look at
            add(format!("model.layers.{i}.{name}.weight"), &[outputs, inputs], scale)?;
        }
    }
    let ones = Tensor::ones(hidden, DType::F32, &Device::Cpu)?;
    for i in 0..config.num_hidden_layers {
        for name in ["input_layernorm", "post_attention_layernorm"] {
            tensors.insert(format!("model.layers.{i}.{name}.weight"), ones.clone());
        }
    }
    tensors.insert("model.norm.weight".into(), ones);
    Llama::load(config, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}

/// Pseudo-random tokens.
pub fn random_tokens(count: usize, vocab_size: usize) -> Vec<u32> {
    let mut random = Random(2);
    (0..count).map(|_| ((random.next() + 1.0) / 2.0 * vocab_size as f32) as u32 % vocab_size as u32).collect()
}

/// Numbers between -1 and 1 from a linear congruential generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// The model in a folder with `config.json` and `model.safetensors`.
pub fn load(folder: &Path) -> Result<(Config, Llama)> {
    let json: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?).map_err(Error::wrap)?;
    let config = config(&json)?;
    let data = std::fs::read(folder.join("model.safetensors"))?;
    let llama = Llama::load(&config, VarBuilder::from_buffered_safetensors(data, DType::F32, &Device::Cpu)?)?;
    Ok((config, llama))
}

fn config(json: &Value) -> Result<Config> {
    let number = |name: &str| match json[name].as_u64() {
        Some(number) => Ok(number as usize),
        None => bail!("config.json has no {name}"),
    };
    let (hidden_size, heads) = (number("hidden_size")?, number("num_attention_heads")?);
    Ok(Config {
        vocab_size: number("vocab_size")?,
        hidden_size,
        intermediate_size: number("intermediate_size")?,
        num_hidden_layers: number("num_hidden_layers")?,
        num_attention_heads: heads,
        num_key_value_heads: number("num_key_value_heads").unwrap_or(heads),
        head_dim: number("head_dim").unwrap_or(hidden_size / heads),
        rms_norm_eps: json["rms_norm_eps"].as_f64().unwrap_or(1e-5),
        rope_theta: json["rope_theta"].as_f64().unwrap_or(10000.0),
    })
}

/// The first `count` tokens of a text, by the folder's `tokenizer.json`.
pub fn tokens_of(folder: &Path, text: &Path, count: usize) -> Result<Vec<u32>> {
    let tokenizer = tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).map_err(Error::msg)?;
    let encoding = tokenizer.encode(std::fs::read_to_string(text)?, true).map_err(Error::msg)?;
    let ids = encoding.get_ids();
    if ids.len() < count {
        bail!("{} has {} tokens, {count} are needed", text.display(), ids.len());
    }
    Ok(ids[..count].to_vec())
}
