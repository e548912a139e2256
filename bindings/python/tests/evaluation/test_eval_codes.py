"""The yardsticks: known codes, known errors, honest bytes."""

from __future__ import annotations

import numpy as np
import pytest

from libturboquant.evaluation import codes


def error(code: str, rows: np.ndarray) -> float:
    return float(((codes.CODES[code](rows) - rows) ** 2).sum() / (rows**2).sum())


def test_int4_by_hand() -> None:
    row = np.zeros((1, 32), np.float32)
    row[0, :4] = [-9.37, 4, 1.4, 9.37001]  # the largest is positive: it gets code -8, and the other one is clipped
    scale = np.float32(np.float16(-9.37001 / 8))  # rounded to fp16: -1.171
    wanted = np.rint(row / scale).clip(-8, 7) * scale
    assert codes.int4(row).tolist() == wanted.tolist()
    assert codes.int4(row)[0, 0] == 7 * scale
    assert codes.int4(row)[0, 3] == -8 * scale


def test_int8_by_hand() -> None:
    row = np.zeros((1, 32), np.float32)
    row[0, :2] = [127, -3.4]
    assert codes.int8(row)[0, :2].tolist() == [127, -3]


@pytest.mark.parametrize("code", codes.CODES)
@pytest.mark.parametrize("dim", [64, 80, 128])
def test_zero_and_shape(code: str, dim: int) -> None:
    rows = np.zeros((3, dim), np.float32)
    rows[1] = np.random.default_rng(1).standard_normal(dim)
    back = codes.CODES[code](rows)
    assert back.shape == rows.shape
    assert back.dtype == np.float32
    assert not back[[0, 2]].any()


def test_errors_of_gaussian_rows() -> None:
    rows = np.random.default_rng(1).standard_normal((4000, 128)).astype(np.float32)
    found = {code: error(code, rows) for code in codes.CODES}
    assert found["int8"] < 1e-4
    step = np.abs(rows.reshape(-1, 32)).max(axis=1) / 8
    rounding = float((step**2 / 12).mean())
    # 31 of 32 values are rounded, the largest is exact; some of the opposite sign are clipped at 7 steps.
    assert 0.95 * 31 / 32 * rounding < found["int4"] < 1.2 * rounding
    assert found["int4-rotated"] == pytest.approx(found["int4"], rel=0.05)  # the rotation changes nothing here ..
    assert found["int4-rotated-refit"] < found["int4-rotated"]
    rows[:, 7] *= 30
    assert error("int4-rotated", rows) < 0.5 * error("int4", rows[:, :32].copy())  # .. but helps with a loud channel


def test_bytes() -> None:
    assert codes.bytes_per_vector("int4", 128) == 64 + 4 * 2
    assert codes.bytes_per_vector("int8", 64) == 64 + 2 * 2
    assert codes.bytes_per_vector("int4", 80) == 40 + 3 * 2
