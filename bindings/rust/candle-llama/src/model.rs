//! A Llama-style transformer (Llama, Mistral, Qwen2 without sliding windows) in f32, the usual way with candle.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Embedding, Linear, Module, RmsNorm, VarBuilder};
use libturboquant::Pool;

use crate::layer_cache::{Kind, LayerCache};

/// Sizes, as Hugging Face's `config.json` names them.
#[derive(Debug, Clone)]
pub struct Config {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Kv heads.
    pub num_key_value_heads: usize,
    /// Numbers per head.
    pub head_dim: usize,
    /// Of the norms.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
}

#[derive(Debug)]
struct Layer {
    attention_norm: RmsNorm,
    mlp_norm: RmsNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// The weights.
#[derive(Debug)]
pub struct Llama {
    config: Config,
    embedding: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
    head: Linear,
    pool: Pool,
}

fn linear(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Linear> {
    let bias = vb.contains_tensor("bias");
    candle_nn::linear_b(inputs, outputs, bias, vb)
}

impl Layer {
    fn load(config: &Config, vb: VarBuilder) -> Result<Self> {
        let (hidden, middle) = (config.hidden_size, config.intermediate_size);
        let (q, kv) = (config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim);
        let norm = |name| candle_nn::rms_norm(hidden, config.rms_norm_eps, vb.pp(name));
        let (attention, mlp) = (vb.pp("self_attn"), vb.pp("mlp"));
        Ok(Layer {
            attention_norm: norm("input_layernorm")?,
            mlp_norm: norm("post_attention_layernorm")?,
            q: linear(hidden, q, attention.pp("q_proj"))?,
            k: linear(hidden, kv, attention.pp("k_proj"))?,
            v: linear(hidden, kv, attention.pp("v_proj"))?,
            o: linear(q, hidden, attention.pp("o_proj"))?,
            gate: linear(hidden, middle, mlp.pp("gate_proj"))?,
            up: linear(hidden, middle, mlp.pp("up_proj"))?,
            down: linear(middle, hidden, mlp.pp("down_proj"))?,
        })
    }
}

impl Llama {
    /// Takes the tensors by their names in Hugging Face's files.
    pub fn load(config: &Config, vb: VarBuilder) -> Result<Self> {
        let model = vb.pp("model");
        let embedding = candle_nn::embedding(config.vocab_size, config.hidden_size, model.pp("embed_tokens"))?;
        let layer = |i| Layer::load(config, model.pp("layers").pp(i));
        let head = match vb.contains_tensor("lm_head.weight") {
            true => candle_nn::linear_no_bias(config.hidden_size, config.vocab_size, vb.pp("lm_head"))?,
            false => Linear::new(embedding.embeddings().clone(), None),
        };
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        Ok(Llama {
            config: config.clone(),
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            norm: candle_nn::rms_norm(config.hidden_size, config.rms_norm_eps, model.pp("norm"))?,
            embedding,
            head,
            pool: Pool::new(threads).map_err(candle_core::Error::wrap)?,
        })
    }

    /// An empty cache for each layer.
    pub fn new_caches(&self, kind: Kind) -> Vec<LayerCache> {
        self.layers.iter().map(|_| LayerCache::new(kind)).collect()
    }

    /// Logits `[tokens][vocabulary]` of new tokens, the first of which stands at `position`.
    pub fn forward(&self, tokens: &[u32], position: usize, caches: &mut [LayerCache]) -> Result<Tensor> {
        let rope = self.rope(position, tokens.len())?;
        let mut x = self.embedding.forward(&Tensor::new(tokens, &Device::Cpu)?)?.unsqueeze(0)?;
        for (layer, cache) in self.layers.iter().zip(caches) {
            x = (&x + self.attention(layer, &layer.attention_norm.forward(&x)?, &rope, cache)?)?;
            let h = layer.mlp_norm.forward(&x)?;
            let gated = (layer.gate.forward(&h)?.silu()? * layer.up.forward(&h)?)?;
            x = (&x + layer.down.forward(&gated)?)?;
        }
        self.head.forward(&self.norm.forward(&x)?)?.squeeze(0)
    }

    fn attention(&self, layer: &Layer, x: &Tensor, rope: &(Tensor, Tensor), cache: &mut LayerCache) -> Result<Tensor> {
        let (batch, n, _) = x.dims3()?;
        // [batch][heads][tokens][dim], as a view of what the product has written.
        let heads = |x: Tensor, heads| x.reshape((batch, n, heads, self.config.head_dim))?.transpose(1, 2);
        let q = heads(layer.q.forward(x)?, self.config.num_attention_heads)?;
        let k = heads(layer.k.forward(x)?, self.config.num_key_value_heads)?;
        let v = heads(layer.v.forward(x)?, self.config.num_key_value_heads)?;
        let rotated = |x: Tensor| candle_nn::rotary_emb::rope(&x.contiguous()?, &rope.0, &rope.1);
        let y = cache.attend(&rotated(q)?, &rotated(k)?, &v, &self.pool)?;
        layer.o.forward(&y.transpose(1, 2)?.reshape((batch, n, ()))?)
    }

    /// Cosines and sines `[tokens][head_dim / 2]`.
    fn rope(&self, position: usize, count: usize) -> Result<(Tensor, Tensor)> {
        let half = self.config.head_dim / 2;
        let frequency = |i: usize| self.config.rope_theta.powf(-(i as f64) / half as f64);
        let angle = |at: usize| ((position + at / half) as f64 * frequency(at % half)) as f32;
        let angles = Tensor::from_iter((0..count * half).map(angle), &Device::Cpu)?.reshape((count, half))?;
        Ok((angles.cos()?, angles.sin()?))
    }
}
