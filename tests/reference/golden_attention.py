"""Cases of the golden files about attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from golden_cache import Steps, layer_fields, run_steps
from golden_inputs import tensor
from golden_text import number, numbers
from tq_attention import Attend, attend
from tq_cache import Sequence
from tq_floats import F32, F64
from tq_layout import BLOCK
from tq_page import Layer

Case = dict[str, Any]
COMMENT = (
    "Attention (tq_attend) on a cached sequence: output and log_sum_exp are exact (float64) for the decoded cache. "
    "An implementation may round the query to 8 bits and the softmax weights: tolerance bounds the rms "
    "deviation of the whole output and the largest deviation of log_sum_exp. code_error is what coding itself costs."
)
KEYS = {"kind": "offset", "seed": 1, "exponent": -6}
VALUES = {"kind": "pattern", "seed": 2, "exponent": -7}
QUERIES = {"kind": "pattern", "seed": 3, "exponent": -7}


@dataclass(frozen=True)
class Setup:
    """One case before it is computed."""

    name: str
    layer: Layer
    options: Attend
    n_query: int = 2
    steps: Steps = (("append", 200),)
    new_tokens: bool = False
    dtype: str = "f16"
    keys: Case = field(default_factory=lambda: KEYS)
    values: Case = field(default_factory=lambda: VALUES)
    queries: Case = field(default_factory=lambda: QUERIES)

    def sequence(self) -> Sequence:
        return run_steps(self.layer, self.steps, self.dtype, self.keys, self.values)

    def query(self) -> F32:
        return tensor(self.queries, 0, self.n_query, self.options.q_heads, self.layer.key_dim)

    def new_kv(self, length: int) -> tuple[F32, F32] | None:
        if not self.new_tokens:
            return None
        layer = self.layer
        return (
            tensor(self.keys, length, self.n_query, layer.kv_heads, layer.key_dim),
            tensor(self.values, length, self.n_query, layer.kv_heads, layer.d_v),
        )


def exact_sequence(coded: Sequence, setup: Setup) -> Sequence:
    """The same tokens, nothing coded: all of them are tail."""
    layer = replace(coded.layer, recent_blocks=1024)
    return replace(setup, layer=layer, steps=(("append", coded.length),)).sequence()


def rms(x: np.ndarray) -> float:
    return float(np.sqrt((x.astype(np.float64) ** 2).mean())) if x.size else 0.0


def logit_code_error(coded: Sequence, uncoded: Sequence, query: F32, options: Attend) -> float:
    """How far coding moves a logit (before a soft cap), rms over the coded tokens of the worst query head."""
    scale = options.scale or 1 / np.sqrt(coded.layer.key_dim)
    first = len(coded.sink_keys)
    coded_tokens = slice(first, first + BLOCK * len(coded.pages))
    difference = (coded.read()[0].astype(np.float64) - uncoded.read()[0])[coded_tokens]
    share = options.q_heads // coded.layer.kv_heads
    per_head = [difference[:, h // share] @ query[:, h].astype(np.float64).T for h in range(options.q_heads)]
    return scale * max(rms(x) for x in per_head)


def tolerances(coded: Sequence, output: F64, log_sum_exp: F64, output_error: float, logit_error: float) -> Case:
    """A quarter of the coding's own output error, a fifth of its logit error; docs/numerics.md says what is used."""
    finite = log_sum_exp[np.isfinite(log_sum_exp)]
    return {
        "output_rms": number(0.25 * output_error + 1e-5 * max(rms(coded.read()[1]), rms(output))),
        "log_sum_exp": number(0.2 * logit_error + 1e-5 * max(1.0, np.abs(finite).max(initial=0.0))),
    }


def attention_case(setup: Setup) -> Case:
    sequence, query = setup.sequence(), setup.query()
    layer, options = setup.layer, setup.options
    new = setup.new_kv(sequence.length)
    output, log_sum_exp = attend(sequence, options, query, *(new or ()))
    uncoded = exact_sequence(sequence, setup)
    exact_output, _ = attend(uncoded, options, query, *(new or ()))
    output_error = rms(output - exact_output)
    logit_error = logit_code_error(sequence, uncoded, query, options)
    return {
        "name": setup.name,
        "layer": layer_fields(layer),
        "dtype": setup.dtype,
        "key_input": setup.keys,
        "value_input": setup.values,
        "steps": [list(step) for step in setup.steps],
        "query_input": setup.queries,
        "n_query": setup.n_query,
        "new_tokens": int(setup.new_tokens),
        "q_heads": options.q_heads,
        "causal": int(options.causal),
        "scale": options.scale,
        "softcap": options.softcap,
        "sink_logits": list(options.sink_logits) if options.sink_logits is not None else None,
        "output": numbers(output),
        "log_sum_exp": numbers(log_sum_exp),
        "code_error": {"output_rms": number(output_error), "logit_rms": number(logit_error)},
        "tolerance": tolerances(sequence, output, log_sum_exp, output_error, logit_error),
    }


def setups() -> Iterator[Setup]:
    plain, grouped = Attend(q_heads=2), Attend(q_heads=8)
    layer = Layer(2, 64)
    yield Setup("one query per kv head", layer, plain, 1)
    yield Setup("four query heads per kv head", layer, grouped, 1)
    yield Setup("three query heads per kv head", layer, Attend(q_heads=6), 1)
    yield Setup("many queries", layer, plain, 5)
    for d_k, d_v in ((80, 80), (96, 96), (128, 128), (192, 128), (256, 256), (31, 3)):
        yield Setup(f"d_k {d_k}, d_v {d_v}", Layer(1, d_k, d_v), Attend(q_heads=2), 1)
    for key_format, value_format in (("tq8", "tq4"), ("tq8", "tq8"), ("tq4", "f16"), ("bf16", "tq4"), ("f16", "f16")):
        mixed = Layer(1, 64, key_format=key_format, value_format=value_format)
        yield Setup(f"k {key_format}, v {value_format}", mixed, Attend(q_heads=4), 1)
    yield Setup("groups of 32", Layer(1, 64, key_group_size=32, value_group_size=32), plain, 1)
    yield Setup("not centred", replace(layer, center_keys=False), plain, 1)
    yield Setup("bf16", layer, plain, 1, dtype="bf16")

    not_causal = replace(plain, causal=False)
    yield Setup("not causal", layer, not_causal, 3)
    yield Setup("scale 0.25", layer, replace(plain, scale=0.25), 1)
    yield Setup("softcap 2", layer, replace(plain, softcap=2.0), 1)
    yield Setup("sink logits", layer, replace(plain, sink_logits=(6.5, -1.25)), 2)
    everything = Attend(q_heads=4, scale=0.5, softcap=4.0, sink_logits=(2.0, 0.5, -3.0, 7.0))
    yield Setup("window, softcap, sink logits", replace(layer, window=90), everything, 2)
    for window in (1, 7, 64, 100, 131):
        yield Setup(f"window {window}", replace(layer, window=window), plain, 2)

    yield Setup("new tokens", layer, plain, 3, new_tokens=True)
    yield Setup("new tokens, not causal", layer, not_causal, 3, new_tokens=True)
    yield Setup("new tokens, window 30", replace(layer, window=30), plain, 3, new_tokens=True)
    yield Setup("new tokens, grouped heads", layer, grouped, 2, new_tokens=True)

    yield Setup("sinks only", layer, plain, 1, (("append", 3),))
    yield Setup("sinks and tail", layer, plain, 2, (("append", 40),))
    yield Setup("last token completes a block", layer, plain, 2, (("append", 68),))
    yield Setup("queries begin in a coded block", layer, plain, 6, (("append", 70),))
    yield Setup("one recent block", replace(layer, recent_blocks=1), plain, 1)
    yield Setup("no sinks", replace(layer, sink_tokens=0), plain, 1, (("append", 130),))
    yield Setup("after a cut", layer, plain, 1, (("append", 200), ("truncate", 100), ("append", 10)))
    yield Setup("empty cache, new tokens", layer, plain, 3, (), new_tokens=True)
    yield Setup("empty cache, not causal", layer, not_causal, 1, ())

    sharp = {"kind": "pattern", "seed": 3, "exponent": -5}
    yield Setup("sharp softmax", layer, plain, 2, queries=sharp)
    loud = {"kind": "loud_token", "seed": 4, "exponent": -26}
    yield Setup("one token 2^20 times larger", layer, plain, 1, keys=loud, values=loud, dtype="bf16")
    zero = {"kind": "zero"}
    yield Setup("zero keys: the mean of the values", layer, plain, 1, keys=zero)
    yield Setup("zero queries", layer, plain, 1, queries=zero)
    yield Setup("zero values", layer, plain, 1, values=zero)


def cases() -> Iterator[Case]:
    return map(attention_case, setups())
