"""Causal experts: how each of them continues a row of grid integers, in integers.

Predictions are relative to the last value, in 1/256 of a grid step. Fixed ones extrapolate the least-squares
polynomial (degree, window) of ``SHAPES``; learned ones are linear in the last 15 or 39 differences to the
last value, with taps (2^-14) chosen by the roughness and slope of the row or by place and roughness; two
solve their own normal equations of order 2 on decaying sums of products of differences.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.curves.polynomials import polynomial_taps

__all__ = [
    "CLIP",
    "LEARNED_A",
    "LEARNED_B",
    "LEAST_SQUARES",
    "LENGTH_A",
    "LENGTH_B",
    "N_A",
    "N_B",
    "N_EXPERTS",
    "PAD",
    "POLYNOMIALS",
    "WINDOWS",
    "follow",
    "predict",
]

SHAPES = ((0, 1), (1, 2), (1, 4), (1, 8), (2, 3), (2, 6), (3, 8), (3, 16), (1, 16), (2, 16))
N_POLYNOMIALS = len(SHAPES)
LEARNED_A, LEARNED_B, LEAST_SQUARES = N_POLYNOMIALS, N_POLYNOMIALS + 1, N_POLYNOMIALS + 2
N_EXPERTS = N_POLYNOMIALS + 4
PAD = 64  # copies of the first value in front of a row
CLIP = 1 << 22
LIMIT = 1 << 31
N_A, N_B = 36, 64
LENGTH_A, LENGTH_B = 16, 40

WINDOWS = np.array([window for _, window in SHAPES], dtype=np.int64)
POLYNOMIALS = np.zeros((N_POLYNOMIALS, 16), dtype=np.int64)
for _k, (_degree, _window) in enumerate(SHAPES):
    POLYNOMIALS[_k, :_window] = polynomial_taps(_degree, _window, 14)


@njit(cache=True, nogil=True)
def predict(
    H: np.ndarray,
    q: int,
    j: int,
    n: int,
    D: np.ndarray,
    A: np.ndarray,
    B: np.ndarray,
    G: np.ndarray,
    p: np.ndarray,
) -> None:
    """Fill ``p[:N_EXPERTS]`` for value j of n, to stand at H[q]; ``D`` takes the clipped differences."""
    last = H[q - 1]
    for k in range(LENGTH_B):
        D[k] = clip(H[q - 1 - k] - last, CLIP)
    rough = 0
    for k in range(4):
        rough += min(abs(D[k] - 2 * D[k + 1] + D[k + 2]), CLIP)
    for k in range(1, N_POLYNOMIALS):
        total = 0
        if WINDOWS[k] <= j:
            for m in range(1, WINDOWS[k]):
                total += POLYNOMIALS[k, m] * D[m]
        else:
            total = -D[1] << 14
        p[k] = clip((total + 32) >> 6, LIMIT)
    p[0] = 0
    if j >= 6:
        slope = abs(D[5])
        a = A[min(level(rough), 11) * 3 + (0 if slope == 0 else 1 if slope < 4 else 2)]
        total = 0
        for m in range(1, LENGTH_A):
            total += a[m] * D[m]
        p[LEARNED_A] = clip((total + 32) >> 6, LIMIT)
        b = B[(16 * j // n) * 4 + (0 if rough < 3 else 1 if rough < 9 else 2 if rough < 33 else 3)]
        total = 0
        for m in range(1, LENGTH_B):
            total += b[m] * D[m]
        p[LEARNED_B] = clip((total + 32) >> 6, LIMIT)
    else:
        p[LEARNED_A] = p[LEARNED_B] = p[1]
    for k in range(2):
        p[LEAST_SQUARES + k] = clip(_solve(G[k], -D[1], D[1] - D[2]), LIMIT)


@njit(cache=True, nogil=True)
def follow(G: np.ndarray, d0: int, d1: int, d2: int) -> None:
    """Take the newest difference d0 and the two before it into the decaying sums (decay 13/16 and 15/16)."""
    d0, d1, d2 = clip(d0, 1 << 20), clip(d1, 1 << 20), clip(d2, 1 << 20)
    for k in range(2):
        loss = 3 - 2 * k
        g = G[k]
        g[0] += (d1 * d1 << 8) - ((loss * g[0]) >> 4)
        g[1] += (d1 * d2 << 8) - ((loss * g[1]) >> 4)
        g[2] += (d2 * d2 << 8) - ((loss * g[2]) >> 4)
        g[3] += (d1 * d0 << 8) - ((loss * g[3]) >> 4)
        g[4] += (d2 * d0 << 8) - ((loss * g[4]) >> 4)


@njit(cache=True, nogil=True)
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
