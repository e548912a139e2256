"""Wrong arguments: the right exception, naming the argument and the value; nothing changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import libturboquant as tq
from support import gaussian

KEYS, VALUES, QUERY = gaussian(10, 2, 64), gaussian(10, 2, 32), gaussian(1, 4, 64)


def float64(x: Any) -> Any:
    return x.astype(np.float64)


def not_contiguous(x: Any) -> Any:
    return np.repeat(x, 2, axis=2)[:, :, ::2]


def big_endian(x: Any) -> Any:
    return x.astype(">f4")


def broadcast(x: Any) -> Any:
    return np.broadcast_to(x[:1], x.shape)


def backwards(x: Any) -> Any:
    return x[::-1]


def unaligned(x: Any) -> Any:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    view = raw[1:].view(np.float32).reshape(x.shape)
    view[...] = x
    return view


Case = tuple[Callable[[Any], Any], type[Exception], str]
BAD_INPUTS: dict[str, Case] = {
    "float64": (float64, TypeError, "has dtype float64"),
    "int32": (lambda x: x.astype(np.int32), TypeError, "has dtype int32"),
    "big endian": (big_endian, TypeError, "has dtype >f4"),
    "bits without dtype": (lambda x: x.astype(np.uint16), TypeError, "has dtype uint16; say what its bits are"),
    "a list": (lambda x: x.tolist(), TypeError, "expected a NumPy array"),
    "None": (lambda x: None, TypeError, "is None; expected a NumPy array"),
    "last axis": (not_contiguous, ValueError, "the last axis is not contiguous .8 bytes"),
    "broadcast": (broadcast, ValueError, "an axis steps by 0 bytes"),
    "backwards": (backwards, ValueError, "an axis steps by -"),
    "unaligned": (unaligned, ValueError, "is not aligned to its elements of 4 bytes"),
    "two dimensions": (lambda x: x[0], ValueError, "expected 3 dimensions"),
    "heads": (lambda x: np.concatenate([x, x], axis=1), ValueError, r"has the shape .10, 4, \d+.; expected .any, 2"),
    "dim": (lambda x: np.ascontiguousarray(x[:, :, :31]), ValueError, r"has the shape .10, 2, 31.; expected"),
    "nine dimensions": (lambda x: x.reshape(x.shape + (1,) * 6), ValueError, "has 9 dimensions"),
}


@pytest.mark.parametrize("argument", ["keys", "values"])
@pytest.mark.parametrize("name", BAD_INPUTS)
def test_append_refuses_arrays_it_cannot_take(sequence: tq.Sequence, name: str, argument: str) -> None:
    spoil, error, message = BAD_INPUTS[name]
    arrays = {"keys": KEYS, "values": VALUES}
    arrays[argument] = spoil(arrays[argument])
    with pytest.raises(error, match=f"^{argument}(:| ).*{message}"):
        sequence.append(0, **arrays)
    assert sequence.length() == 0


@pytest.mark.parametrize("name", [name for name in BAD_INPUTS if name not in ("heads", "broadcast", "backwards")])
def test_attend_refuses_queries_it_cannot_take(sequence: tq.Sequence, name: str) -> None:
    sequence.append(0, KEYS, VALUES)
    spoil, error, message = BAD_INPUTS[name]
    message = message.replace("10, 2, 31", "1, 4, 31")
    with pytest.raises(error, match=f"^query(:| ).*{message}"):
        sequence.attend(0, spoil(QUERY))


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((2, 4, 32), np.float32), ValueError, r"out has the shape \(2, 4, 32\); expected \(1, 4, 32\)"),
        (np.zeros((1, 4, 64), np.float32), ValueError, r"out has the shape \(1, 4, 64\); expected"),
        (np.zeros((1, 4, 32)), TypeError, "out has dtype float64"),
        (np.frombuffer(bytes(512), np.float32).reshape(1, 4, 32), ValueError, "out is read-only"),
        (bytes(512), ValueError, "out is read-only"),
        (np.zeros((1, 4, 64), np.float32)[:, :, ::2], ValueError, "out: the last axis is not contiguous"),
    ],
)
def test_attend_refuses_outputs_it_cannot_write(sequence: tq.Sequence, out: Any, error: Any, message: str) -> None:
    sequence.append(0, KEYS, VALUES)
    with pytest.raises(error, match=message):
        sequence.attend(0, QUERY, out=out)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"log_sum_exp": np.zeros((4, 1), np.float32)}, ValueError, r"log_sum_exp has the shape \(4, 1\)"),
        ({"log_sum_exp": np.zeros((1, 4))}, TypeError, "log_sum_exp has dtype float64; expected float32"),
        ({"log_sum_exp": np.zeros((4, 2), np.float32).T[:1]}, ValueError, "log_sum_exp is not C-contiguous"),
        ({"sink_logits": np.zeros(3, np.float32)}, ValueError, r"sink_logits has the shape \(3,\); expected \(4,\)"),
        ({"sink_logits": [0.0] * 4}, TypeError, "sink_logits is an object of type list; expected a NumPy"),
        ({"sink_logits": np.zeros(8, np.float32)[::2]}, ValueError, "sink_logits is not C-contiguous"),
        ({"pool": 2}, TypeError, "pool is 2; expected a libturboquant.Pool"),
        ({"scale": "big"}, TypeError, "scale is 'big'; expected a number"),
        ({"scale": float("nan")}, ValueError, "scale is nan"),
        ({"softcap": -1.0}, ValueError, "softcap is -1"),
        ({"causal": 2}, ValueError, "causal is 2; expected 0 or 1"),
        ({"causal": "yes"}, TypeError, "causal is 'yes'"),
        ({"dtype": "bfloat16"}, TypeError, "dtype says bfloat16, but no array is uint16"),
        ({"dtype": "int4"}, ValueError, "dtype is 'int4'; expected one of: float32, float16, bfloat16"),
        ({"output_dtype": 7}, ValueError, "output_dtype is 7"),
        ({"new_tokens": KEYS}, TypeError, "new_tokens is an object of type numpy.ndarray; expected a tuple"),
        ({"new_tokens": (KEYS,)}, TypeError, "new_tokens is an object of type tuple; expected a tuple"),
        ({"new_tokens": (KEYS, VALUES)}, ValueError, "new_tokens holds 10 tokens, but n_query is 1"),
        ({"new_tokens": (KEYS[:1], VALUES[:2])}, ValueError, "expected the same number of tokens"),
        ({"new_tokens": (KEYS[:1], VALUES[:1].astype(np.float16))}, TypeError, "values has dtype float16, but keys"),
    ],
)
def test_attend_refuses_options(sequence: tq.Sequence, options: Any, error: Any, message: str) -> None:
    sequence.append(0, KEYS, VALUES)
    with pytest.raises(error, match=message):
        sequence.attend(0, QUERY, **options)


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (2, ValueError, "layer is 2; the cache has 2"),
        (-1, ValueError, r"layer is -1; expected an integer from 0 to 2\*\*64"),
        (2**32, ValueError, r"layer is 4294967296; expected an integer from 0 to 2\*\*32"),
        (0.5, TypeError, "layer is 0.5; expected an integer"),
        ("0", TypeError, "layer is '0'; expected an integer"),
        (None, TypeError, "layer is None; expected an integer"),
    ],
)
def test_every_method_refuses_layers_that_do_not_exist(
    sequence: tq.Sequence, layer: Any, error: Any, message: str
) -> None:
    sequence.append(0, KEYS, VALUES)
    calls: list[Callable[[], object]] = [
        lambda: sequence.append(layer, KEYS, VALUES),
        lambda: sequence.attend(layer, QUERY),
        lambda: sequence.read(layer),
        lambda: sequence.length(layer),
        lambda: tq.attend(layer, [tq.AttendItem(sequence, QUERY)]),
    ]
    for call in calls:
        with pytest.raises(error, match=message):
            call()


def test_numpy_integers_are_integers(sequence: tq.Sequence) -> None:
    sequence.append(np.int64(1), KEYS, VALUES)
    assert sequence.length(np.uint8(1)) == 10


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_values_out_of_range_are_refused_with_their_place(sequence: tq.Sequence, value: float) -> None:
    keys = KEYS.copy()
    keys[3, 1, 17] = value
    with pytest.raises(tq.InvalidArgument, match=r"token 3.*head 1.*coordinate 17"):
        sequence.append(0, keys, VALUES)
    assert sequence.length() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 11), "first is 11, but the layer has only 10 tokens"),
        ((0, 0, 11), "first is 0 and count 11, but the layer has only 10 tokens"),
        ((0, 2**62, 2**62), "first is 4611686018427387904 and count 4611686018427387904"),
        ((0, -1), "first is -1"),
    ],
)
def test_read_refuses_tokens_that_do_not_exist(sequence: tq.Sequence, arguments: Any, message: str) -> None:
    sequence.append(0, KEYS, VALUES)
    with pytest.raises(tq.InvalidArgument, match=message):
        sequence.read(*arguments)
    with pytest.raises(tq.InvalidArgument):
        sequence.read(0, 5, 6, out=(np.zeros((6, 2, 64), np.float32), None))


def test_read_refuses_targets(sequence: tq.Sequence) -> None:
    sequence.append(0, KEYS, VALUES)
    keys, values = np.zeros((10, 2, 64), np.float32), np.zeros((10, 2, 32), np.float16)
    with pytest.raises(TypeError, match="out values has dtype float16, but the keys are of another type"):
        sequence.read(0, out=(keys, values))
    with pytest.raises(TypeError, match="out is an object of type list; expected a tuple"):
        sequence.read(0, out=[keys, None])  # type: ignore[call-overload]
    with pytest.raises(tq.InvalidArgument, match=r"out keys has the shape \(10, 2, 64\); expected \(9, 2, 64\)"):
        sequence.read(0, 1, out=(keys, None))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"kv_heads": 0}, tq.InvalidArgument, "kv_heads is 0; expected 1 to 65536"),
        ({"key_dim": 1025}, tq.InvalidArgument, "key_dim is 1025"),
        ({"key_dim": -1}, tq.InvalidArgument, "key_dim is -1"),
        ({"key_format": "tq5"}, tq.InvalidArgument, "key_format is 'tq5'; expected one of: tq4, tq8, f16, bf16"),
        ({"key_format": 77}, tq.InvalidArgument, "key_format is 77"),
        ({"value_format": 5}, tq.Unsupported, "value_format is 5: reserved"),
        ({"value_group_size": 48}, tq.InvalidArgument, "value_group_size is 48; expected 64 or 32"),
        ({"key_rotation_block": 3}, tq.InvalidArgument, "key_rotation_block is 3"),
        ({"sink_tokens": 65}, tq.InvalidArgument, "sink_tokens is 65"),
        ({"exact_dtype": "float32"}, tq.InvalidArgument, "exact_dtype is 'float32'"),
        ({"seed": 2**64}, tq.InvalidArgument, "seed is 18446744073709551616"),
        ({"seed": 1.0}, TypeError, "seed is 1.0; expected an integer"),
        ({"layer_count": 0}, tq.InvalidArgument, "layer_count is 0"),
        ({"layers": []}, tq.InvalidArgument, "layers and kv_heads, key_dim: describe layers in one way"),
        ({"byte_budget": -5}, tq.InvalidArgument, "byte_budget is -5"),
        ({"colour": "red"}, TypeError, "colour"),
    ],
)
def test_cache_refuses_options(fields: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        tq.Cache(**({"layer_count": 1, "kv_heads": 2, "key_dim": 64} | fields))


def test_cache_refuses_layers() -> None:
    one = tq.LayerOptions(2, 64)
    with pytest.raises(tq.InvalidArgument, match="layers is empty"):
        tq.Cache([])
    with pytest.raises(TypeError, match=r"layers\[1\] is 5; expected a LayerOptions"):
        tq.Cache([one, 5])  # type: ignore[list-item]
    with pytest.raises(tq.InvalidArgument, match="layers_given is 2; expected 0, 1 or layer_count, 3"):
        tq.Cache([one, one], layer_count=3)
    with pytest.raises(TypeError, match="missing 2 required"):
        tq.Cache()


def test_codec_refuses_arguments() -> None:
    codec = tq.Codec(64)
    blocks = tq.Codec(64, layout="blocks")
    codes, vectors = codec.encode(gaussian(3, 64)), gaussian(3, 64)
    cases: list[tuple[Callable[[], object], Any, str]] = [
        (lambda: tq.Codec(0), ValueError, "head_dim is 0"),
        (lambda: tq.Codec(64, layout="rows"), ValueError, "layout is 'rows'; expected one of: vectors, blocks"),  # type: ignore[arg-type]
        (lambda: tq.Codec(64, format=None), TypeError, "format is None"),  # type: ignore[arg-type]
        (lambda: codec.encode(gaussian(3, 63)), ValueError, r"vectors has the shape \(3, 63\); expected \(any, 64\)"),
        (lambda: codec.encode(gaussian(3, 2, 64)), ValueError, "expected 2 dimensions"),
        (lambda: codec.encode(vectors, out=bytearray(3)), tq.BufferTooSmall, "bytes"),
        (lambda: codec.encode(vectors, out=bytes(999)), ValueError, "out is read-only"),
        (lambda: codec.encode(vectors, out=np.zeros(999, np.float32)), TypeError, "expected uint8"),
        (lambda: codec.decode(codes, 4), ValueError, "first is 4, but codes holds only 3"),
        (lambda: codec.decode(codes, 0, 4), tq.BufferTooSmall, "4 vectors need"),
        (lambda: codec.decode(codes, 2**62, 2**63), ValueError, "count is"),
        (lambda: codec.decode(codes.ravel()[:-1]), ValueError, "expected a multiple"),
        (lambda: codec.decode(codes[:, ::2]), ValueError, "codes is not C-contiguous"),
        (lambda: codec.decode(codes, out=np.zeros((2, 64), np.float32)), ValueError, r"expected \(3, 64\)"),
        (lambda: codec.decode("codes"), TypeError, "codes is 'codes'"),  # type: ignore[call-overload]
        (lambda: blocks.decode(blocks.encode(vectors)), ValueError, "count is required in layout 'blocks'"),
        (lambda: codec.scores(codes, gaussian(1, 63)), ValueError, "queries has the shape"),
        (lambda: codec.scores(codes, gaussian(1, 64).astype(np.float16)), TypeError, "queries has dtype float16"),
        (lambda: codec.scores(codes, gaussian(1, 64), count=4), tq.BufferTooSmall, "4 vectors need"),
        (lambda: codec.scores(codes, gaussian(1, 64), out=np.zeros((1, 4), np.float32)), ValueError, r"\(1, 3\)"),
        (lambda: codec.encoded_bytes(-1), ValueError, "count is -1"),
        (lambda: codec.encoded_bytes(2**62), ValueError, "count is 4611686018427387904"),
        (lambda: codec.rotate(gaussian(2, 32)), ValueError, r"rows has the shape \(2, 32\); expected \(.., 64\)"),
        (lambda: codec.rotate(vectors, out=gaussian(2, 64)), ValueError, r"out has the shape \(2, 64\)"),
        (lambda: codec.rotate(gaussian(2, 128)[:, ::2]), ValueError, "rows is not C-contiguous"),
        (lambda: tq.fwht(gaussian(2, 48)), ValueError, "size is 48"),
        (lambda: tq.fwht(1.5), TypeError, "rows is 1.5; expected a NumPy array"),  # type: ignore[call-overload]
        (lambda: tq.fwht(np.array(1, np.float32)), ValueError, "rows has no dimensions"),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


def test_arguments_of_the_wrong_kind(sequence: tq.Sequence) -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: tq.Sequence(3), "cache is 3; expected a libturboquant.Cache"),  # type: ignore[arg-type]
        (lambda: tq.AttendItem(3, QUERY), "sequence is 3; expected a libturboquant.Sequence"),  # type: ignore[arg-type]
        (lambda: tq.attend(0, [3]), r"items\[0\] is 3; expected a libturboquant.AttendItem"),  # type: ignore[list-item]
        (lambda: tq.Pool("two"), "threads is 'two'"),  # type: ignore[arg-type]
    ]
    for call, message in cases:
        with pytest.raises(TypeError, match=message):
            call()
    for threads in (0, 1025):
        with pytest.raises(tq.InvalidArgument, match=f"threads is {threads}"):
            tq.Pool(threads)


def test_errors_of_a_batch_name_the_item(cache: tq.Cache) -> None:
    sequences = [tq.Sequence(cache) for _ in range(3)]
    for sequence in sequences:
        sequence.append(0, KEYS, VALUES)
    good = [tq.AttendItem(sequence, QUERY) for sequence in sequences]
    other = tq.Sequence(tq.Cache(layer_count=1, kv_heads=2, key_dim=64))
    cases: list[tuple[tq.AttendItem, Any, str]] = [
        (tq.AttendItem(sequences[1], gaussian(1, 4, 63)), ValueError, "query has the shape"),
        (tq.AttendItem(sequences[1], gaussian(1, 8, 64)), ValueError, "query has 8 heads, but that of items.0. has 4"),
        (tq.AttendItem(sequences[1], QUERY.astype(np.float16)), TypeError, "query is float16"),
        (tq.AttendItem(sequences[1], QUERY, out=np.zeros((1, 4, 32), np.float16)), TypeError, "out is float16"),
        (tq.AttendItem(sequences[1], gaussian(11, 4, 64)), ValueError, "n_query is 11"),
        (tq.AttendItem(other, QUERY), ValueError, "belongs to another cache"),
    ]
    for bad, error, message in cases:
        with pytest.raises(error, match=re.escape("items[1]") + f".*{message}"):
            tq.attend(0, [good[0], bad, good[2]])
    assert tq.attend(0, []) == []


def test_errors_know_their_status(sequence: tq.Sequence) -> None:
    with pytest.raises(tq.Error) as caught:
        sequence.truncate(1)
    assert (caught.value.status, caught.value.status_name) == (1, "TQ_ERR_INVALID_ARGUMENT")
    assert isinstance(caught.value, ValueError)
    for kind, base in ((tq.OutOfMemory, MemoryError), (tq.NotFound, LookupError), (tq.InvalidArgument, ValueError)):
        assert issubclass(kind, base) and issubclass(kind, tq.Error)


def test_unknown_statuses_are_kept() -> None:
    from libturboquant._errors import error_from_status

    error = error_from_status(99, "unknown tq_status", "something new")
    assert type(error) is tq.Error and error.status == 99 and str(error) == "something new"


def test_byte_budget() -> None:
    cache = tq.Cache(layer_count=1, kv_heads=2, key_dim=64, byte_budget=100_000)
    sequence = tq.Sequence(cache)
    sequence.append(0, gaussian(10, 2, 64), gaussian(10, 2, 64))
    before = cache.stats()
    with pytest.raises(tq.OutOfMemory, match="budget") as caught:
        sequence.append(0, gaussian(1000, 2, 64), gaussian(1000, 2, 64))
    assert isinstance(caught.value, MemoryError)
    assert cache.stats().bytes == before.bytes and sequence.length() == 10
    assert before.budget_bytes == 100_000


def test_unknown_keywords_are_named(sequence: tq.Sequence) -> None:
    query = gaussian(1, 2, 64)
    sequence.append(0, gaussian(1, 2, 64), gaussian(1, 2, 32))
    calls: dict[str, Callable[..., object]] = {
        "attend": lambda **more: sequence.attend(0, query, **more),
        "AttendItem": lambda **more: tq.AttendItem(sequence, query, **more),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'ouput'"):
            call(ouput=None)
        computed = "".join(["o", "u", "t"])  # a name that is not interned
        assert call(**{computed: None}) is not None
    with pytest.raises(TypeError, match=r"attend\(\) got an unexpected keyword argument 'dtype'"):
        tq.attend(0, [], dtype=None)
