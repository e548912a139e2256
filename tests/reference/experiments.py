"""The simulations behind the tables of docs/numerics.md: python3 tests/reference/experiments.py NAME

Every table there names the command that printed it. Data is drawn from fixed seeds, so a run repeats its numbers;
the last digit may differ between versions of NumPy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import erf, exp, pi, sqrt

import numpy as np

import experiments_attention
from tq_floats import F32, F64
from tq_groups import CANDIDATES, CODEBOOK, THRESHOLDS, UNITS_PER_SIGMA, code_tq4, code_values, scale_of_index
from tq_page import Layer, decode_page, encode_page
from tq_reference import Codec
from tq_rotation import rotate, transform

HEAD_DIMS = (64, 80, 96, 128, 192, 256)


def gaussian(*shape: int, seed: int = 1) -> F32:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def relative_error(decoded: F32, exact: F32) -> float:
    return float(((decoded - exact).astype(np.float64) ** 2).sum() / (exact.astype(np.float64) ** 2).sum())


def coded(x: F32, codec: Codec) -> F32:
    return codec.decode(codec.encode(x), len(x))


# ---- codebook ----


def gaussian_moments(a: float, b: float) -> tuple[float, float, float]:
    """Integrals of 1, x, x^2 times the density of N(0, 1) from a to b."""

    def density(x: float) -> float:
        return exp(-x * x / 2) / sqrt(2 * pi) if np.isfinite(x) else 0.0

    mass = (erf(b / sqrt(2)) - erf(a / sqrt(2))) / 2
    first = density(a) - density(b)
    second = mass + (a * density(a) if np.isfinite(a) else 0.0) - (b * density(b) if np.isfinite(b) else 0.0)
    return mass, first, second


def scalar_error(levels: F64, thresholds: F64) -> float:
    """Exact mean squared error of a symmetric quantizer on N(0, 1); levels and thresholds of the positive half."""
    edges = [0.0, *thresholds.tolist(), np.inf]
    total = 0.0
    for level, a, b in zip(levels.tolist(), edges, edges[1:], strict=False):
        mass, first, second = gaussian_moments(a, b)
        total += second - 2 * level * first + level * level * mass
    return 2 * total


def lloyd_max(count: int = 8) -> F64:
    levels = np.linspace(0.1, 2.7, count)
    for _ in range(20000):
        edges = [0.0, *((levels[1:] + levels[:-1]) / 2).tolist(), np.inf]
        moments = [gaussian_moments(a, b) for a, b in zip(edges, edges[1:], strict=False)]
        levels = np.array([first / mass for mass, first, _ in moments])
    return levels


def codebook() -> None:
    best = lloyd_max()
    best_error = scalar_error(best, (best[1:] + best[:-1]) / 2)
    print("Lloyd-Max levels", np.round(best, 6), f"error {best_error:.6f}")
    errors = {}
    for units in (22.0, 22.2, 22.3, 22.319, 22.34, 22.4, 22.6):
        errors[units] = scalar_error(CODEBOOK / units, THRESHOLDS / 2 / units)
        print(f"integer codebook, {units} units per sigma: {errors[units]:.6f}, {errors[units] / best_error - 1:+.2%}")
    midpoints = scalar_error(CODEBOOK / UNITS_PER_SIGMA, (CODEBOOK[1:] + CODEBOOK[:-1]) / 2 / UNITS_PER_SIGMA)
    print(f"its thresholds are the exact midpoints: {midpoints == errors[UNITS_PER_SIGMA]}")


# ---- scales ----


def e4m4(step: F64) -> F64:
    """The documented byte: 16 evenly spaced steps in each octave."""
    index = step.astype(np.int64)
    return np.exp2(index >> 4) * (1 + (index & 15) / 16)


def logarithmic(step: F64) -> F64:
    return np.exp2(step / 16)


def e5m3(step: F64) -> F64:
    index = step.astype(np.int64)
    return np.exp2(index >> 3) * (1 + (index & 7) / 8)


def nearest_e4m4(scale: F64) -> F64:
    octave = np.floor(np.log2(scale))
    return np.rint(16 * (octave + scale / np.exp2(octave) - 1))


def nearest_e5m3(scale: F64) -> F64:
    octave = np.floor(np.log2(scale))
    return np.rint(8 * (octave + scale / np.exp2(octave) - 1))


def nearest_logarithmic(scale: F64) -> F64:
    return np.rint(16 * np.log2(scale))


KINDS: dict[str, tuple[Callable[[F64], F64], Callable[[F64], F64]]] = {
    "4 + 4 bits (the format)": (e4m4, nearest_e4m4),
    "logarithm, 16 per octave": (logarithmic, nearest_logarithmic),
    "5 + 3 bits": (e5m3, nearest_e5m3),
}
SPREADS = [(-6, -3, -1, 1, 3), (-7, -5, -3, -2, -1, 1, 3), (-8, -6, -4, -3, -2, -1, 0, 2, 5)]
WINDOWS = [(0, 0), (-1, 1), (-2, 2), (-4, 2), (-4, 4), (-5, 3), (-6, 2), (-6, 4), (-8, 4), (-10, 6)]


def error_at(y: F32, scale: F64) -> F64:
    s = scale.astype(np.float32)[:, None]
    levels, thresholds = CODEBOOK.astype(np.float32), (THRESHOLDS / 2).astype(np.float32)
    decoded = levels[np.searchsorted(thresholds, y / s, side="right")] * s
    return ((y - decoded) ** 2).sum(1, dtype=np.float64)


def scale_errors(y: F32, kind: str) -> dict[int, F64]:
    """Squared error of every group for every step around the one that the norm suggests."""
    value, nearest = KINDS[kind]
    start = nearest(np.sqrt((y.astype(np.float64) ** 2).mean(1)) / UNITS_PER_SIGMA)
    return {delta: error_at(y, value(start + delta)) for delta in range(-10, 7)}


def scales() -> None:
    x = np.abs(gaussian(2_000_000 // 64 * 64)) * np.float32(100)
    for group in (64, 32):
        y = x.reshape(-1, group)
        energy = (y.astype(np.float64) ** 2).sum()
        print(f"\ngroups of {group}, {len(y)} groups; relative squared error")
        for kind in KINDS:
            errors = scale_errors(y, kind)
            row = []
            for low, high in WINDOWS:
                best = np.minimum.reduce([errors[d] for d in range(low, high + 1)])
                row.append(f"{low}..{high:+}: {best.sum() / energy:.6f}")
            for spread in SPREADS:
                best = np.minimum.reduce([errors[d] for d in spread])
                row.append(f"{spread}: {best.sum() / energy:.6f}")
            print(f"  {kind}\n    " + ", ".join(row))
        fine = np.full(len(y), np.inf)
        start = np.sqrt((y.astype(np.float64) ** 2).mean(1)) / UNITS_PER_SIGMA
        for step in range(-80, 49):
            fine = np.minimum(fine, error_at(y, start * np.exp2(step / 128)))
        print(f"  exact scale (128 per octave, -10/16 .. +6/16): {fine.sum() / energy:.6f}")


def integers() -> None:
    """What coding with 12-bit integers and a 16-bit multiplier costs against real numbers."""
    y = gaussian(16384, 64, seed=2)
    codes, index, _ = code_tq4(y, search=True)
    decoded = code_values(codes, "tq4") * scale_of_index(index)[:, None]
    start = nearest_e4m4(np.sqrt((y.astype(np.float64) ** 2).mean(1)) / UNITS_PER_SIGMA)
    candidates = {d: error_at(np.abs(y), e4m4(start + d)) for d in CANDIDATES}
    real = np.minimum.reduce(list(candidates.values()))
    chosen = np.array(list(candidates))[np.argmin(list(candidates.values()), axis=0)]
    exact_scale = e4m4(start + chosen)
    same_scale = exact_scale == scale_of_index(index)
    energy = (y.astype(np.float64) ** 2).sum()
    integer_error = ((y - decoded).astype(np.float64) ** 2).sum() / energy
    k = np.searchsorted(THRESHOLDS / 2, np.abs(y) / exact_scale[:, None], side="right")
    differs = (k != (codes & 7))[same_scale].mean()
    gain = (y.astype(np.float64) * decoded).sum() / energy
    print(f"<x, decoded> = {gain:.5f} |x|^2")
    print(f"error in real numbers {real.sum() / energy:.6f}, in integers {integer_error:.6f}")
    print(f"other scale {1 - same_scale.mean():.3%} of groups; other code, scale equal, {differs:.4%} of values")


# ---- whole vectors ----


def vectors() -> None:
    print("relative squared error of Gaussian vectors; 16384 vectors")
    for d in HEAD_DIMS:
        x = gaussian(16384, d, seed=d)
        row = {
            "tq4 64": Codec(d, layout="blocks"),
            "tq4 32": Codec(d, group_size=32, layout="blocks"),
            "tq4 64 no search": Codec(d, scale_search=False, layout="blocks"),
            "tq4 32 no search": Codec(d, group_size=32, scale_search=False, layout="blocks"),
            "tq8 64": Codec(d, "tq8", layout="blocks"),
        }
        print(d, ", ".join(f"{name} {relative_error(coded(x, codec), x):.3g}" for name, codec in row.items()))


def without_signs(x: F32, n: int) -> F32:
    """x rotated by the transform alone, coded, and rotated back: as if all signs were +1."""
    y = transform(x, n)
    return transform(coded(y, Codec(x.shape[1], rotation_block=1, layout="blocks")), n) * np.float32(1 / n)


def structure() -> None:
    d, rows = 128, 2048
    noise = gaussian(rows, d, seed=3)
    walsh = np.sign(transform(np.eye(d, dtype=np.float32), d))[np.arange(rows) % d]
    loud = noise.copy()
    loud[:, :4] *= 12
    sources = {
        "Gaussian": noise,
        "constant": np.ones((rows, d), np.float32) * gaussian(rows, 1, seed=4),
        "constant + 10 % noise": 1 + np.float32(0.1) * noise,
        "Walsh row + 10 % noise": walsh + np.float32(0.1) * noise,
        "x[j] = x[j + 64]": np.concatenate([noise[:, :64]] * 2, axis=1),
        "4 loud channels (12 sigma)": loud,
        "one spike": np.eye(d, dtype=np.float32)[np.arange(rows) % d],
    }
    print("relative squared error, tq4, groups of 64, d = 128: signs and transform / transform alone / signs alone")
    for name, x in sources.items():
        both = relative_error(coded(x, Codec(d, layout="blocks")), x)
        signs_alone = relative_error(coded(x, Codec(d, rotation_block=1, layout="blocks")), x)
        print(f"  {name}: {both:.5f} / {relative_error(without_signs(x, d), x):.5f} / {signs_alone:.5f}")
    print("4 loud channels by rotation block:")
    for n in (1, 4, 16, 32, 64, 128):
        print(f"  n = {n}: {relative_error(coded(loud, Codec(d, rotation_block=n, layout='blocks')), loud):.5f}")
    x = rotate(noise, Layer(1, d).seed, d) * np.float32(d**-0.5)
    print(f"rotated Gaussian: variance {x.var():.4f}, kurtosis {(x**4).mean() / x.var() ** 2 - 3:+.4f}")


def centring() -> None:
    d, blocks = 128, 24
    print("squared error of keys in units of the variance around their mean: centred / not centred")
    for offset in (0, 1, 3, 10, 30):
        shift = gaussian(1, 1, d, seed=5) * np.float32(offset)
        totals = []
        for centre in (True, False):
            layer, total = Layer(1, d, center_keys=centre), 0.0
            for b in range(blocks):
                keys = (gaussian(64, 1, d, seed=100 + b) + shift).astype(np.float32)
                total += float(((decode_page(encode_page(keys, keys, layer), layer)[0] - keys) ** 2).mean())
            totals.append(total / blocks)
        print(f"  offset {offset} sigma per channel: {totals[0]:.5f} / {totals[1]:.5f}")


EXPERIMENTS: dict[str, Callable[[], None]] = {
    "codebook": codebook,
    "scales": scales,
    "integers": integers,
    "vectors": vectors,
    "structure": structure,
    "centring": centring,
    "query": experiments_attention.query,
    "weights": experiments_attention.weights,
    "tolerances": experiments_attention.tolerances,
}


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in EXPERIMENTS:
        print(f"{__doc__}\nNAME is one of: {', '.join(EXPERIMENTS)}", file=sys.stderr)
        return 2
    EXPERIMENTS[sys.argv[1]]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
