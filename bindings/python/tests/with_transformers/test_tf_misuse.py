"""Bad input: what is wrong, and what to do."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from models import config_of, forward, random_model, random_tokens, torch, transformers

import libturboquant as tq
from libturboquant.transformers import TurboQuantCache


def refused(kind: type[Exception], message: str) -> Any:
    return pytest.raises(kind, match=message)


def test_without_the_extra_the_error_names_it() -> None:
    program = """
import sys
sys.modules["MODULE"] = None
try:
    import libturboquant.transformers
except ImportError as error:
    print(error)
"""
    for module in ("torch", "transformers"):
        command = [sys.executable, "-c", program.replace("MODULE", module)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "pip install 'libturboquant[transformers]'" in printed
        assert module in printed


def test_the_package_itself_needs_neither() -> None:
    program = "import sys, libturboquant; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: TurboQuantCache(config_of("llama", head_dim=2048)),
            ValueError,
            "layer 0 of this LlamaConfig.*2048.*1024",
        ),
        (lambda: TurboQuantCache("llama"), TypeError, "config is 'llama'"),
        (lambda: TurboQuantCache(transformers.T5Config()), ValueError, "encoder-decoder"),
        (
            lambda: TurboQuantCache(config_of("mistral", sliding_window=16)),
            ValueError,
            r"no layer of this MistralConfig has full attention \(DynamicSlidingWindowLayer\)",
        ),
        (lambda: TurboQuantCache(config_of("llama"), bits=4), TypeError, "no such option: bits; there are: kv_heads"),
        (lambda: TurboQuantCache(config_of("llama"), key_format="q4"), tq.InvalidArgument, "key_format.*q4"),
        (lambda: TurboQuantCache(config_of("llama"), sink_tokens=65), tq.InvalidArgument, "sink_tokens.*65"),
        (lambda: TurboQuantCache(config_of("llama"), window=64), ValueError, "window is 64"),
        (lambda: TurboQuantCache(config_of("llama"), layers={3: {}}), ValueError, r"entry for 3.*\[0, 1, 2\]"),
        (lambda: TurboQuantCache(config_of("gemma3"), layers={0: {}}), ValueError, r"entry for 0.*\[1, 3\]"),
        (
            lambda: TurboQuantCache(config_of("llama"), layers=[tq.LayerOptions(2, 64)]),
            ValueError,
            "1 layers are described, but this LlamaConfig has 3",
        ),
        (
            lambda: TurboQuantCache(config_of("llama"), layers=[tq.LayerOptions(2, 32)] * 3),
            ValueError,
            "layer 0: key_dim is 32, but the model has 64.*another model",
        ),
        (
            lambda: TurboQuantCache(config_of("llama"), layers=[1, 2, 3]),
            TypeError,
            "layer 0 by 1; expected a LayerOptions",
        ),
        (lambda: TurboQuantCache(config_of("llama"), profile=3), TypeError, "profile is 3"),
        (lambda: TurboQuantCache(config_of("llama"), profile="x", layers={}), ValueError, "not both"),
        (lambda: TurboQuantCache(config_of("llama"), threads=5000), tq.InvalidArgument, "threads.*5000"),
    ],
)
def test_construction(make: Any, kind: type[Exception], message: str) -> None:
    with refused(kind, message):
        make()


def tokens(*shape: int, dtype: Any = torch.float32, device: str = "cpu") -> Any:
    return torch.zeros(shape, dtype=dtype, device=device)


@pytest.mark.parametrize(
    ("keys", "values", "kind", "message"),
    [
        (tokens(1, 2, 3, 64, device="meta"), tokens(1, 2, 3, 64), TypeError, "keys of layer 1 are on meta"),
        (tokens(1, 2, 3, 64), tokens(1, 2, 3, 64, device="meta"), TypeError, "values of layer 1 are on meta"),
        (
            tokens(1, 2, 3, 64, dtype=torch.float64),
            tokens(1, 2, 3, 64),
            TypeError,
            "float64.*float32, float16, bfloat16",
        ),
        (
            tokens(1, 2, 3, 64),
            tokens(1, 2, 3, 64, dtype=torch.float16),
            TypeError,
            "float32, but its values torch.float16",
        ),
        (tokens(2, 3, 64), tokens(2, 3, 64), ValueError, r"shape \(2, 3, 64\)"),
        (tokens(1, 2, 3, 64), tokens(1, 2, 4, 64), ValueError, r"\(1, 2, 3, 64\), but its values \(1, 2, 4, 64\)"),
        (
            tokens(1, 4, 3, 32),
            tokens(1, 4, 3, 32),
            ValueError,
            r'layers=\{1: \{"kv_heads": 4, "key_dim": 32, "value_dim": 32\}\}',
        ),
        (tokens(5, 2, 3, 64), tokens(5, 2, 3, 64), ValueError, "5 rows, but the cache holds 2"),
    ],
)
def test_update(keys: Any, values: Any, kind: type[Exception], message: str) -> None:
    cache = TurboQuantCache(config_of("llama"))
    cache.update(tokens(2, 2, 3, 64), tokens(2, 2, 3, 64), 0)
    with refused(kind, message):
        cache.update(keys, values, 1)
    cache.update(tokens(2, 2, 3, 64), tokens(2, 2, 3, 64), 1)
    assert cache.get_seq_length(1) == 3


def test_what_the_error_about_shapes_proposes_works() -> None:
    cache = TurboQuantCache(config_of("llama"), layers={1: {"kv_heads": 4, "key_dim": 32, "value_dim": 32}})
    cache.update(tokens(1, 4, 3, 32), tokens(1, 4, 3, 32), 1)
    assert cache.layers[1].keys.shape == (1, 4, 3, 32)


def test_numbers_that_cannot_be_coded(implementation: str) -> None:
    model = random_model("llama")
    model.set_attn_implementation(implementation)
    cache = TurboQuantCache(model.config, threads=1)
    with torch.no_grad():
        forward(model, random_tokens(1, 9), cache)
        weight = model.model.layers[1].self_attn.v_proj.weight
        kept = weight.clone()
        weight.fill_(float("nan"))
        with refused(tq.InvalidArgument, "NaN"):
            forward(model, random_tokens(1, 3), cache)
        weight.copy_(kept)
        with refused(RuntimeError, r"crop the cache.*\(9 or less\)"):
            forward(model, random_tokens(1, 3), cache)
        cache.crop(9)
        forward(model, random_tokens(1, 3), cache)
    assert [layer.get_seq_length() for layer in cache.layers] == [12] * 3


def test_rows() -> None:
    cache = TurboQuantCache(config_of("llama"))
    cache.update(tokens(2, 2, 3, 64), tokens(2, 2, 3, 64), 0)
    with refused(IndexError, "row 2, but the cache has 2 rows"):
        cache.reorder_cache(torch.tensor([0, 2]))
    with refused(ValueError, "reset the cache first"):
        cache.skip_padding(torch.ones(2, 3))
    cache.reset()
    cache.skip_padding(torch.ones(2, 3))
    with refused(ValueError, "padding of 2 rows was announced, but 3 rows came"):
        cache.update(tokens(3, 2, 3, 64), tokens(3, 2, 3, 64), 0)


@pytest.mark.parametrize("name", ["reset", "crop", "reorder_cache", "batch_repeat_interleave", "batch_select_indices"])
def test_one_layer_alone_cannot_be_changed(name: str) -> None:
    cache = TurboQuantCache(config_of("llama"))
    with refused(NotImplementedError, "call the method of the cache"):
        getattr(cache.layers[0], name)(1)
