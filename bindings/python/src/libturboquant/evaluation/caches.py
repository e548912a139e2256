"""A cache for every setting, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

import libturboquant as tq

from . import codes
from .errors import EvaluationError
from .model import Subject
from .profile import check_model
from .settings import Setting

BLOCK = 64
"""Tokens that become codes at a time, in libturboquant as in the yardsticks."""


@dataclass(frozen=True)
class Cost:
    """Bytes of a cache, all layers that hold keys and values of all tokens.

    Attributes
    ----------
    tokens : int
        In each layer.
    bytes : float
        All of them: codes, scales, exact tokens, overhead.
    bits_per_value : float
        Of what is coded, which is what long contexts approach.
    """

    tokens: int
    bytes: float
    bits_per_value: float

    @property
    def bytes_per_token(self) -> float:
        return self.bytes / max(self.tokens, 1)


class EmulatedLayer(DynamicLayer):
    """Keys and values [batch, kv_heads, tokens, dim] that went through a code and back.

    Like libturboquant it rounds to 16 bit first, keeps the first `sinks` tokens and an incomplete block so, and lets a
    query see the tokens of its own pass before they are coded. `code` None: 16 bit throughout.
    """

    def __init__(self, code: codes.RoundTrip | None = None, sinks: int = 0, tail: bool = True) -> None:
        super().__init__()
        self.keys: Any
        self.values: Any
        self.code, self.sinks, self.block = code, sinks, BLOCK if tail else 1
        self.coded = 0  # tokens from the start that are final: sinks and codes

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        exact = torch.float16 if key_states.dtype == torch.float32 else key_states.dtype
        fresh = (states.to(exact).to(states.dtype) for states in (key_states, value_states))
        keys, values = super().update(*fresh)
        if self.code is not None:
            self._code_complete_blocks()
        return keys, values

    def _code_complete_blocks(self) -> None:
        first = max(self.coded, self.sinks)
        count = (self.keys.shape[2] - first) // self.block * self.block
        if count <= 0:
            return
        # New tensors: this pass still reads the old ones.
        self.keys, self.values = (self._coded(states, first, count) for states in (self.keys, self.values))
        self.coded = first + count

    def _coded(self, states: Any, first: int, count: int) -> Any:
        assert self.code is not None
        part = states[:, :, first : first + count]
        rows: NDArray[np.float32] = part.float().reshape(-1, part.shape[-1]).cpu().numpy()
        back = torch.from_numpy(self.code(rows)).reshape(part.shape).to(states)
        return torch.cat([states[:, :, :first], back, states[:, :, first + count :]], dim=2)

    def reset(self) -> None:
        super().reset()
        self.coded = 0

    def crop(self, tokens_to_remove: int) -> None:
        super().crop(tokens_to_remove)
        self.coded = min(self.coded, self.get_seq_length())


def emulated_cache(config: Any, make_layer: Callable[[], EmulatedLayer]) -> Any:
    """transformers' own cache with its layers of full attention replaced."""
    cache = DynamicCache(config=config)
    cache.layers = [make_layer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def make_cache(subject: Subject, setting: Setting) -> Any:
    """An empty cache."""
    if setting.kind == "turboquant":
        return turboquant_cache(subject, setting)
    if setting.kind == "16bit":
        return emulated_cache(subject.config, EmulatedLayer)
    code, sinks, tail = (setting.fields[name] for name in ("codes", "sink_tokens", "tail"))
    return emulated_cache(subject.config, lambda: EmulatedLayer(codes.CODES[str(code)], int(sinks), bool(tail)))


def turboquant_cache(subject: Subject, setting: Setting) -> Any:
    """The cache that users of libturboquant get."""
    from libturboquant.transformers import TurboQuantCache

    if setting.profile is not None:
        check_model(setting.profile, subject.name, subject.fingerprint())
        return TurboQuantCache(subject.config, layers=setting.profile.layers)
    given: Any = dict(setting.fields)  # checked when the setting was read
    return TurboQuantCache(subject.config, layers=setting.layers, **given)


def layers_of(subject: Subject, setting: Setting) -> dict[int, tq.LayerOptions]:
    """Options of every layer that libturboquant holds, by its index in the model."""
    from libturboquant.transformers._options import layer_options, transformers_layers

    _, ours = transformers_layers(subject.config)
    if setting.profile is not None:
        return dict(zip(ours, setting.profile.layers, strict=True))
    return dict(zip(ours, layer_options(subject.config, ours, dict(setting.fields), setting.layers), strict=True))


def check_settings(subject: Subject, settings: list[Setting]) -> None:
    """Make every cache once, before anything is measured; what the library refuses becomes a sentence."""
    for setting in settings:
        _check_setting(subject, setting)


def _check_setting(subject: Subject, setting: Setting) -> None:
    try:
        make_cache(subject, setting)
    except (tq.Error, ValueError, TypeError, NotImplementedError) as error:
        raise EvaluationError(f"the setting '{setting.name}' does not fit {subject.name}: {error}") from error


@contextmanager
def attention_on(subject: Subject, codes: bool) -> Iterator[None]:
    """Attention on codes for a while, or with the implementation that the model was loaded with."""
    if not codes:
        yield
        return
    before = subject.model.config._attn_implementation
    subject.model.set_attn_implementation("turboquant")
    try:
        yield
    finally:
        subject.model.set_attn_implementation(before)


def cost(setting: Setting, cache: Any) -> Cost:
    """Of a cache as it stands; libturboquant's own statistics, for the others what their codes would take."""
    if setting.kind == "turboquant":
        return _counted(cache)
    layers = [layer for layer in cache.layers if isinstance(layer, EmulatedLayer) and layer.get_seq_length()]
    total = coded = values = 0.0
    for layer in layers:
        for states in (layer.keys, layer.values):
            batch, heads, tokens, dim = states.shape
            count = max(layer.coded - layer.sinks, 0) if setting.kind == "yardstick" else 0
            each = codes.bytes_per_vector(str(setting.fields["codes"]), dim) if count else 0.0
            coded += batch * heads * count * each
            values += batch * heads * count * dim
            total += batch * heads * (count * each + (tokens - count) * dim * 2)
    return Cost(layers[0].get_seq_length() if layers else 0, total, 8 * coded / values if values else 16.0)


def _counted(cache: Any) -> Cost:
    stats = cache.stats()
    bits = 16 * stats.coded_bytes / stats.coded_bytes_16bit if stats.coded_bytes_16bit else 16.0
    return Cost(int(cache.get_seq_length()), float(stats.bytes), bits)
