"""Causal integer predictors of a plane, and their exact inverse.

A plane has shape (rows, columns). With a = left, b = above, c = above left:

====== ============================================================ =========================
name   prediction                                                   suits
====== ============================================================ =========================
none   0                                                            codes, sparse counts
left   a                                                            steps
line   2 a - a'                                                     smooth curves, even grids
bend   3 a - 3 a' + a''                                             very smooth curves
above  b                                                            series of like curves
plane  a + b - c                                                    smooth maps (Lorenzo)
median median of a, b, a + b - c                                    edges (LOCO-I)
mean   (a + b) >> 1                                                 noisy maps
drift  b + (a - c) / 2                                              noisy series
====== ============================================================ =========================

The first row knows only the left, the first column only what is above. Sums wrap modulo 2^64, so every int64
is allowed.

References
----------
[1] Weinberger, Seroussi, Sapiro (2000), LOCO-I (the median). [2] Ibarria et al. (2003), Lorenzo predictor.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["PREDICTORS", "cost", "residuals", "restore"]

PREDICTORS = ("none", "left", "line", "bend", "above", "plane", "median", "mean", "drift")


def residuals(plane: np.ndarray, name: str) -> np.ndarray:
    """Return ``plane`` minus its prediction, int64 of the same shape."""
    out = np.empty(plane.shape, dtype=np.int64)
    _residuals(plane, PREDICTORS.index(name), out)
    return out


def restore(plane: np.ndarray, name: str) -> np.ndarray:
    """Turn residuals back into values, in place; inverse of `residuals`."""
    _restore(plane, PREDICTORS.index(name))
    return plane


@njit(cache=True, nogil=True)
def cost(residual: np.ndarray) -> float:
    """Estimate the bits that a plane of residuals takes under a running Laplace scale."""
    total = 0.0
    scale = 1.0
    for i in range(residual.shape[0]):
        for j in range(residual.shape[1]):
            size = abs(float(residual[i, j]))
            total += np.log2(scale + 0.4) + 1.0
            total += min(1.44 * size / (scale + 0.4), 2.0 * np.log2(size + 1.0) + 2.0)
            scale += (min(size, 4.0 * scale + 4.0) - scale) * 0.1
    return total


@njit(cache=True, nogil=True)
def _prediction(plane, kind, i, j):
    if kind == 0:
        return 0
    if j == 0 and i == 0:
        return 0
    if i == 0 and kind >= 4:
        return plane[i, j - 1]
    if j == 0:
        return plane[i - 1, 0]
    a = plane[i, j - 1]
    if kind <= 3:
        if kind == 1 or j == 1:
            return a
        if kind == 2 or j == 2:
            return 2 * a - plane[i, j - 2]
        return 3 * a - 3 * plane[i, j - 2] + plane[i, j - 3]
    b = plane[i - 1, j]
    c = plane[i - 1, j - 1]
    if kind == 4:
        return b
    if kind == 5:
        return a + b - c
    if kind == 6:
        if c >= max(a, b):
            return min(a, b)
        if c <= min(a, b):
            return max(a, b)
        return a + b - c
    if kind == 7:
        return (a >> 1) + (b >> 1) + (a & b & 1)
    return b + ((a - c) >> 1)


@njit(cache=True, nogil=True)
def _residuals(plane, kind, out):
    for i in range(plane.shape[0]):
        for j in range(plane.shape[1]):
            out[i, j] = plane[i, j] - _prediction(plane, kind, i, j)


@njit(cache=True, nogil=True)
def _restore(plane, kind):
    for i in range(plane.shape[0]):
        for j in range(plane.shape[1]):
            plane[i, j] += _prediction(plane, kind, i, j)
