"""How far keys, values and attention outputs of single layers and heads are from those of 16 bit.

The model reads the text with a 16-bit cache. Beside it every setting's cache gets the same keys and values, and in
every layer attention is computed again, for the same queries and by the same function, on what that cache gives back.
So an error is the layer's own, not what earlier layers passed on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .caches import make_cache
from .lockstep import CHUNK
from .metrics import F64
from .model import Subject
from .progress import progress
from .settings import Setting

PROBE = "libturboquant_probe"


@dataclass
class LayerErrors:
    """Errors of one setting: rms of the difference / rms of what 16 bit gives.

    Attributes
    ----------
    keys, values : array [layers]
        Of the tokens that are coded; 0 where none is.
    attention : array [layers, query heads]
        Of attention outputs, over all queries after the first pass.
    """

    keys: F64
    values: F64
    attention: F64

    @property
    def attention_by_layer(self) -> F64:
        """Root mean square over heads, [layers]."""
        by_layer: F64 = np.sqrt((self.attention**2).mean(axis=1))
        return by_layer

    @property
    def mean_attention(self) -> float:
        """Root mean square over layers and heads."""
        return float(np.sqrt(np.mean(self.attention**2)))


class _Sums:
    """Squares of differences and of references, by layer (and head)."""

    def __init__(self) -> None:
        self.difference: dict[int, F64] = {}
        self.reference: dict[int, F64] = {}

    def add(self, layer: int, exact: Any, coded: Any, over: tuple[int, ...]) -> None:
        exact, coded = exact.double(), coded.double()
        for sums, square in ((self.difference, (exact - coded) ** 2), (self.reference, exact**2)):
            part = square.sum(dim=over).cpu().numpy()
            sums[layer] = sums.get(layer, 0) + part

    def errors(self, layers: int) -> F64:
        shape = next(iter(self.reference.values())).shape if self.reference else ()
        result = np.zeros((layers, *shape))
        for layer, reference in self.reference.items():
            if self.difference[layer].shape == shape:
                ratio = np.divide(self.difference[layer], reference, out=np.zeros(shape), where=reference > 0)
                result[layer] = np.sqrt(ratio)
        return result


class _Probe:
    """Stands in for the attention function of the model."""

    def __init__(self, subject: Subject, settings: list[Setting], attention: Callable[..., Any] | None) -> None:
        self.subject, self.settings, self.attention = subject, settings, attention
        self.first = self.last = True
        self.caches: list[Any] = []
        self.sums = [(_Sums(), _Sums(), _Sums()) for _ in settings]

    def start(self) -> None:
        self.caches = [make_cache(self.subject, setting) for setting in self.settings]

    def __call__(self, module: Any, query: Any, key: Any, value: Any, mask: Any, **named: Any) -> Any:
        attend = self.attention or sys.modules[type(module).__module__].eager_attention_forward
        exact, weights = attend(module, query, key, value, mask, **named)
        n, layer = query.shape[2], module.layer_idx
        for cache, (keys, values, outputs) in zip(self.caches, self.sums, strict=True):
            coded_key, coded_value = cache.update(key[:, :, -n:], value[:, :, -n:], layer)
            if not self.first:
                coded, _ = attend(module, query, coded_key, coded_value, mask, **named)
                outputs.add(layer, exact, coded, (0, 1, 3))  # [batch, n, heads, dim]
            if self.last:
                add_coded(keys, layer, key, coded_key)
                add_coded(values, layer, value, coded_value)
        return exact, weights


def add_coded(sums: _Sums, layer: int, exact: Any, coded: Any) -> None:
    """Add the tokens [batch, heads, tokens, dim] that are no longer what they were."""
    coded = coded + 0  # a plain tensor, whatever the cache gives
    tokens = (exact != coded).any(dim=-1).any(dim=1).any(dim=0)
    if bool(tokens.any()):
        sums.add(layer, exact[:, :, tokens], coded[:, :, tokens], (0, 1, 2, 3))


@contextmanager
def installed(subject: Subject, make: Callable[[Callable[..., Any] | None], Any]) -> Iterator[Any]:
    """Replace the model's attention function by make(that function; None: the model's eager one) for a while."""
    before = subject.model.config._attn_implementation
    probe = make(ALL_ATTENTION_FUNCTIONS.get(before, None))
    mask = before if before in ALL_MASK_ATTENTION_FUNCTIONS else "eager"
    AttentionInterface.register(PROBE, probe)
    AttentionMaskInterface.register(PROBE, ALL_MASK_ATTENTION_FUNCTIONS[mask])
    subject.model.set_attn_implementation(PROBE)
    try:
        yield probe
    finally:
        subject.model.set_attn_implementation(before)


def layer_errors(subject: Subject, windows: list[NDArray[np.int64]], settings: list[Setting]) -> dict[str, LayerErrors]:
    """Errors of every setting that is not the reference."""
    coded = [setting for setting in settings if setting.kind != "16bit"]
    passes = sum(-(-len(window) // CHUNK) for window in windows)
    with (
        torch.inference_mode(),
        progress("attention of every layer", passes) as advance,
        installed(subject, lambda attention: _Probe(subject, coded, attention)) as probe,
    ):
        for window in windows:
            reference = make_cache(subject, Setting("16bit", "16bit"))
            probe.start()
            for start in range(0, len(window), CHUNK):
                probe.first, probe.last = start == 0, start + CHUNK >= len(window)
                subject.logits(window[start : start + CHUNK], reference)
                advance()
    layers = subject.layer_count
    return {
        setting.name: LayerErrors(keys.errors(layers), values.errors(layers), outputs.errors(layers))
        for setting, (keys, values, outputs) in zip(coded, probe.sums, strict=True)
    }
