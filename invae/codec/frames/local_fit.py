"""Local least squares in whole numbers: weights on regressors, fitted to what was decoded near by.

Each block of columns keeps the sums of products S of regressors x and target y (its last entry), every row
weighted by one over the error it met, so that absolute errors are what is kept small; sums decay from row to
row. Before a block is coded its own sums and half of those of its neighbours are joined, put to a common
scale by powers of two, a ridge is added, and S = L D L^T is factorised in fixed point. The last row of L
holds what forward substitution gives, so that back substitution is all that is left.

Every product is an int64 and every division one of whole numbers: all machines find the same weights.

References
----------
[1] Li and Orchard (2001), Edge-directed prediction for lossless compression of natural images, and Wu,
Barthel and Zhang (1998), Piecewise 2D autoregression for predictive image coding. Deviations: weights of
absolute errors, sums by blocks, whole numbers.
"""

from __future__ import annotations

import numpy as np

from invae.codec.coding.arithmetic import clip
from invae.codec.coding.compiled import step

__all__ = ["FINE", "TAP_BITS", "fit", "fitted", "take"]

FINE = 6  # regressors are in 1/64
TAP_BITS = 16
SCALE = 29  # bits of the diagonal after scaling
UNIT = 24  # bits of 1 in L
MOST_L = 1 << 31
MOST_TAP = 1 << 24
MOST_X = 1 << 20
RIDGE = 13  # 2^-13 of the diagonal
DECAY = 8  # sixteenths that sums keep from row to row
FLOOR = 1 << 10
DOUBT = 2048  # half a sample of difference one
ROOTS = np.array([int(4096 / (k + 1) ** 0.5) for k in range(1024)], dtype=np.int64)


@step
def fit(S, b, n_blocks, work, taps):
    """Find ``taps`` (2^-16) of block ``b`` from the sums S (blocks, m + 1, m + 1); then let S[b] decay."""
    m = taps.size
    for i in range(m + 1):
        for j in range(i + 1):
            total = S[b, i, j]
            if b > 0:
                total += S[b - 1, i, j] >> 1
            if b + 1 < n_blocks:
                total += S[b + 1, i, j] >> 1
            work[i, j] = total
    for i in range(m + 1):
        for j in range(i + 1):
            S[b, i, j] = (S[b, i, j] * DECAY) >> 4
    for i in range(m):
        work[i, i] += DOUBT
    # every variable times a power of two: diagonals of SCALE or SCALE - 1 bits
    shift = work[m + 1]
    for i in range(m + 1):
        bits, size = 0, work[i, i]
        while size >> bits:
            bits += 1
        shift[i] = (SCALE - bits) >> 1
    for i in range(m + 1):
        for j in range(i + 1):
            s = shift[i] + shift[j]
            work[i, j] = work[i, j] << s if s >= 0 else work[i, j] >> -s
    for i in range(m + 1):
        work[i, i] += (work[i, i] >> RIDGE) + FLOOR
    _factorise(work, m)
    last = work[m]
    for i in range(m - 1, -1, -1):
        t = clip(last[i], MOST_L)
        for k in range(i):
            last[k] -= (work[i, k] * t) >> UNIT
        s = shift[i] - shift[m] + TAP_BITS - UNIT
        taps[i] = clip(t << min(s, 30) if s >= 0 else t >> min(-s, 62), MOST_TAP)


@step
def _factorise(A, m):
    """A (lower half) becomes L (2^-24) below the diagonal, columns one after the other; the last row too."""
    for j in range(m):
        d = max(A[j, j], FLOOR)
        for i in range(j + 1, m + 1):
            row = A[i]
            ratio = clip((clip(row[j], 1 << 31) << UNIT) // d, MOST_L)
            for k in range(j + 1, i + 1):  # columns keep what they were until every row has lost its part
                row[k] -= (ratio * A[k, j]) >> UNIT
        for i in range(j + 1, m + 1):
            A[i, j] = clip((clip(A[i, j], 1 << 31) << UNIT) // d, MOST_L)


@step
def fitted(taps, x):
    """Sum of taps times regressors, in 1/256."""
    total = 0
    for k in range(taps.size):
        total += taps[k] * x[k]
    return total >> (TAP_BITS + FINE - 8)


@step
def take(S, b, x, y, error):
    """Take regressors ``x`` and target ``y`` (1/16) that met ``error`` (in whole values) into S[b]."""
    m = x.size
    e, s = abs(error), 0
    while e >= 1024:
        e >>= 2
        s += 1
    root = ROOTS[e]
    for k in range(m):
        x[k] = clip((x[k] * root) >> (12 + s), MOST_X)
    y = clip((y * root) >> (12 + s), MOST_X)
    for i in range(m):
        row, u = S[b, i], x[i]
        for j in range(i + 1):
            row[j] += u * x[j]
    row = S[b, m]
    for j in range(m):
        row[j] += y * x[j]
    row[m] += y * y
