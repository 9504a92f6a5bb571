"""Causal experts: how each of them continues a row of grid integers, in integers.

Predictions are relative to the last value, in 1/256 of a grid step. Fixed ones extrapolate the least-squares
polynomial (degree, window) of ``SHAPES``; learned ones are linear in the last 15 or 39 differences to the
last value, with taps (2^-14) chosen by the roughness and slope of the row or by place and roughness; two
solve their own normal equations of order 2 on decaying sums of products of differences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.compiled import step
from invae.codec.curves.polynomials import polynomial_taps

__all__ = [
    "BASE",
    "BIAS",
    "CLIP",
    "FEWEST",
    "LENGTH_A",
    "LENGTH_B",
    "LMS",
    "MISS",
    "MOST_MISSES",
    "N_A",
    "N_ALL",
    "N_B",
    "N_EXPERTS",
    "N_MEAN",
    "PAD",
    "POLYNOMIALS",
    "SHOWN",
    "STEP",
    "UNKNOWN",
    "WINDOWS",
    "Row",
    "Taps",
    "classes",
    "follow",
    "new_row",
    "predict",
]

SHAPES = ((0, 1), (1, 2), (1, 4), (1, 8), (2, 3), (2, 6), (3, 8), (3, 16), (1, 16), (2, 16))
N_POLYNOMIALS = len(SHAPES)
LEARNED_A, LEARNED_B, LEAST_SQUARES = N_POLYNOMIALS, N_POLYNOMIALS + 1, N_POLYNOMIALS + 2
N_EXPERTS = N_POLYNOMIALS + 4
# Two repeat the row above: its step, and what the others missed there; they are mixed in by `curves.base`.
STEP, MISS = N_EXPERTS, N_EXPERTS + 1
N_MEAN = N_EXPERTS + 2
LMS, BIAS, BASE = N_MEAN, N_MEAN + 1, N_MEAN + 2
N_ALL = N_MEAN + 3
# What the network sees of; the first ones also state odds themselves.
SHOWN = np.array(
    [LEARNED_A, LMS, BASE, 2, 0, 1, 5, 9, LEARNED_B, LEAST_SQUARES, LEAST_SQUARES + 1, BIAS, STEP, MISS]
)
PAD = 64  # copies of the first value in front of a row
MOST_MISSES = 8  # last errors that are kept
CLIP = 1 << 22  # of differences: sums of 40 products with taps stay in 64 bits
LIMIT = 1 << 31
UNKNOWN = 1 << 24  # error of what has no row above
N_A, N_B = 36, 64
LENGTH_A, LENGTH_B = 16, 40
FEWEST = 6  # values before which learned experts repeat the line: their classes look that far back

WINDOWS = np.array([window for _, window in SHAPES], dtype=np.int64)
POLYNOMIALS = np.zeros((N_POLYNOMIALS, 16), dtype=np.int64)
for _k, (_degree, _window) in enumerate(SHAPES):
    POLYNOMIALS[_k, :_window] = polynomial_taps(_degree, _window, 14)


class Taps(NamedTuple):
    """Weights (2^-14) of both learned experts, by class; int32."""

    short: np.ndarray  # (N_A, LENGTH_A)
    long: np.ndarray  # (N_B, LENGTH_B)


class Row(NamedTuple):
    """What is known of the row before its next value (int64), in grid steps or (of experts) 1/256 of one."""

    values: np.ndarray  # behind `PAD` copies of the first
    differences: np.ndarray  # of the last values to the last one
    products: np.ndarray  # decaying sums of both least-squares experts
    predictions: np.ndarray  # of all experts
    errors: np.ndarray  # running absolute ones of all experts
    missed: np.ndarray  # last errors of the centre, in cells
    totals: np.ndarray  # absolute errors in this row: of both experts on the row above, of the others
    active: np.ndarray  # whether those two were better in the row above
    above: np.ndarray  # the row above
    missed_above: np.ndarray  # what the others missed there, and before the next value here


@njit(cache=True, nogil=True)
def new_row(n: int) -> Row:
    """Room for rows of ``n`` values."""
    return Row(
        np.zeros(n + PAD, dtype=np.int64),
        np.zeros(LENGTH_B, dtype=np.int64),
        np.zeros((2, 5), dtype=np.int64),
        np.zeros(N_ALL, dtype=np.int64),
        np.zeros(N_ALL, dtype=np.int64),
        np.zeros(MOST_MISSES, dtype=np.int64),
        np.zeros(3, dtype=np.int64),
        np.zeros(2, dtype=np.bool_),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
    )


@step
def classes(D: np.ndarray, j: int, n: int) -> tuple[int, int]:
    """Classes of the learned experts for value j of n, by the last differences D to the last value."""
    rough = 0
    for k in range(4):
        rough += min(abs(D[k] - 2 * D[k + 1] + D[k + 2]), CLIP)
    slope = abs(D[5])
    short = min(level(rough), 11) * 3 + (0 if slope == 0 else 1 if slope < 4 else 2)
    long = (16 * j // n) * 4 + (0 if rough < 3 else 1 if rough < 9 else 2 if rough < 33 else 3)
    return short, long


@step
def predict(row: Row, taps: Taps, j: int, n: int) -> None:
    """Fill ``row.predictions[:N_EXPERTS]`` for value j of n, and ``row.differences``."""
    D, p = row.differences, row.predictions
    q = PAD + j
    last = row.values[q - 1]
    for k in range(LENGTH_B):
        D[k] = clip(row.values[q - 1 - k] - last, CLIP)
    for k in range(1, N_POLYNOMIALS):
        total = 0
        if WINDOWS[k] <= j:
            for m in range(1, WINDOWS[k]):
                total += POLYNOMIALS[k, m] * D[m]
        else:
            total = -D[1] << 14
        p[k] = clip((total + 32) >> 6, LIMIT)
    p[0] = 0
    if j >= FEWEST:
        short, long = classes(D, j, n)
        p[LEARNED_A] = _weighted(taps.short[short], D)
        p[LEARNED_B] = _weighted(taps.long[long], D)
    else:
        p[LEARNED_A] = p[LEARNED_B] = p[1]
    for k in range(2):
        p[LEAST_SQUARES + k] = clip(_solve(row.products[k], -D[1], D[1] - D[2]), LIMIT)


@step
def _weighted(taps, D):
    total = 0
    for m in range(1, taps.size):
        total += taps[m] * D[m]
    return clip((total + 32) >> 6, LIMIT)


@step
def follow(products: np.ndarray, d0: int, d1: int, d2: int) -> None:
    """Take the newest difference d0 and the two before it into the decaying sums (decay 13/16 and 15/16)."""
    d0, d1, d2 = clip(d0, 1 << 20), clip(d1, 1 << 20), clip(d2, 1 << 20)
    for k in range(2):
        loss = 3 - 2 * k
        g = products[k]
        g[0] += (d1 * d1 << 8) - ((loss * g[0]) >> 4)
        g[1] += (d1 * d2 << 8) - ((loss * g[1]) >> 4)
        g[2] += (d2 * d2 << 8) - ((loss * g[2]) >> 4)
        g[3] += (d1 * d0 << 8) - ((loss * g[3]) >> 4)
        g[4] += (d2 * d0 << 8) - ((loss * g[4]) >> 4)


@step
def _solve(g, d1, d2):
    """Prediction w1 d1 + w2 d2 with [[g0 + r, g1], [g1, g2 + r]] w = [g3, g4]."""
    a, c = g[0] + 80, g[2] + 80
    s = 0
    while (a >> s) >= 1 << 30 or (c >> s) >= 1 << 30:
        s += 4
    a, b, c, u, v = a >> s, g[1] >> s, c >> s, g[3] >> s, g[4] >> s
    det = (a * c - b * b) >> 14
    if det <= 0:
        return 0
    w1 = clip((u * c - v * b) // det, 1 << 16)
    w2 = clip((v * a - u * b) // det, 1 << 16)
    return (w1 * d1 + w2 * d2 + 32) >> 6
