"""What arrays are taken, and what is refused: element types, strides, DLPack, buffers, read-only memory."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import libturboquant as tq

HEADS, DIM = 2, 64


class Exchanged:
    """A tensor of another library: DLPack and nothing else."""

    def __init__(self, array: Any, device: tuple[int, int] = (1, 0)) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **arguments: Any) -> Any:
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(shape, dtype=np.float32)


@pytest.fixture
def sequence() -> Any:
    with tq.Cache(layer_count=1, kv_heads=HEADS, key_dim=DIM) as cache:
        yield cache.sequence()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_bits_in_uint16_are_what_dtype_says(dtype: Any, sequence: tq.Sequence) -> None:
    data = random(70, HEADS, DIM).astype(dtype)
    sequence.append(0, data, data)
    other = sequence.fork()
    other.truncate(0)
    bits = data.view(np.uint16)
    other.append(0, bits, bits, dtype="float16" if dtype is np.float16 else "bfloat16")
    for one, two in zip(sequence.read(0), other.read(0), strict=True):
        assert np.array_equal(one, two)


def test_uint16_without_a_dtype_is_refused(sequence: tq.Sequence) -> None:
    bits = np.zeros((1, HEADS, DIM), np.uint16)
    with pytest.raises(TypeError, match="keys.*uint16"):
        sequence.append(0, bits, bits)


def test_strided_views_are_read_where_they_lie(sequence: tq.Sequence) -> None:
    data = random(HEADS, 90, 2 * DIM)  # [head][token]: keys and values side by side
    keys, values = data[:, :, :DIM].transpose(1, 0, 2), data[:, :, DIM:].transpose(1, 0, 2)
    sequence.append(0, keys, values)
    other = sequence.fork()
    other.truncate(0)
    other.append(0, keys.copy(), values.copy())
    query = random(3, 4, DIM)
    assert np.array_equal(sequence.attend(0, query), other.attend(0, query))
    wide = np.zeros((3, 4, 2 * DIM), np.float32)
    sequence.attend(0, query, out=wide[:, :, DIM:])
    assert np.array_equal(wide[:, :, DIM:], other.attend(0, query))
    assert not wide[:, :, :DIM].any()


def test_dlpack_and_buffers(sequence: tq.Sequence) -> None:
    data = random(65, HEADS, DIM)
    sequence.append(0, Exchanged(data), memoryview(data))
    keys, values = sequence.read(0)
    wanted = data[:4].astype(np.float16)
    assert np.array_equal(keys[:4], wanted)
    assert np.array_equal(values[:4], wanted)


def test_other_devices_are_refused(sequence: tq.Sequence) -> None:
    data = random(1, HEADS, DIM)
    with pytest.raises(TypeError, match="values"):
        sequence.append(0, data, Exchanged(data, device=(2, 0)))


@pytest.mark.parametrize("wrong", [np.float64, np.int8, np.complex64])
def test_other_types_are_refused_by_name(wrong: Any, sequence: tq.Sequence) -> None:
    data = random(1, HEADS, DIM)
    with pytest.raises(TypeError, match=f"values.*{np.dtype(wrong)}"):
        sequence.append(0, data, data.astype(wrong))
    with pytest.raises(TypeError, match="keys"):
        sequence.append(0, [[1.0]], data)  # type: ignore[arg-type]


def test_last_axis_must_be_contiguous(sequence: tq.Sequence) -> None:
    data = random(1, HEADS, 2 * DIM)
    with pytest.raises(ValueError, match="keys"):
        sequence.append(0, data[:, :, ::2], data[:, :, :DIM])


@pytest.mark.parametrize("shape", [(1, HEADS, DIM + 1), (1, HEADS + 1, DIM), (HEADS, DIM), (1, 1, HEADS, DIM)])
def test_shapes_are_checked(shape: tuple[int, ...], sequence: tq.Sequence) -> None:
    good = random(1, HEADS, DIM)
    with pytest.raises(tq.InvalidArgument, match="keys"):
        sequence.append(0, random(*shape), good)
    with pytest.raises(tq.InvalidArgument, match="values"):
        sequence.append(0, good, random(*shape))
    assert sequence.length() == 0


def test_read_only_output_is_refused(sequence: tq.Sequence) -> None:
    data = random(10, HEADS, DIM)
    sequence.append(0, data, data)
    out = np.empty((1, HEADS, DIM), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out"):
        sequence.attend(0, data[:1], out=out)


def test_empty_append(sequence: tq.Sequence) -> None:
    nothing = random(0, HEADS, DIM)
    sequence.append(0, nothing, nothing)
    assert sequence.length() == 0
