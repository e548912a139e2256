"""Tells models apart: whether a profile was made for this one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch

CONFIG_FIELDS = (
    "model_type",
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "rope_theta",
    "rope_parameters",
    "rope_scaling",
    "sliding_window",
    "layer_types",
)
SMALL = 65536
"""Weights of at most this many numbers count as small."""
TENSORS = 4


def model_fingerprint(model: Any) -> str:
    """64 hex digits: SHA-256 over what shapes the cache and over a few small weights.

    model: a transformers causal language model. The weights are the last small tensors by name (norms, biases), rounded
    to bfloat16, so that the precision a model was loaded with does not matter.
    """
    config = model.config.get_text_config(decoder=True)
    shape = {name: getattr(config, name, None) for name in CONFIG_FIELDS}
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode())
    small = sorted((name, weight) for name, weight in model.named_parameters() if weight.numel() <= SMALL)
    for name, weight in small[-TENSORS:]:
        digest.update(name.encode())
        rounded = weight.detach().to("cpu", torch.bfloat16).float()
        digest.update(rounded.contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()
