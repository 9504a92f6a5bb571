"""Cells of non-negative counts for the bound |n' - n| <= K sqrt(max(n, 1)), in integers.

Cells [a, b] with representative c cover 0, 1, 2, .. without gaps. From a the representative is the farthest
that a allows,

    c = a + floor(K sqrt(max(a, 1))),   b = the largest n with n - c <= K sqrt(n),

K a multiple of 2^-16 (rounded down), square roots by integer search. A count is coded as the number of its
cell.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["MOST_CELLS", "cells", "cells_to_counts", "counts_to_cells"]

MOST_CELLS = 1 << 21
K_BITS = 16


def cells(k: float, top: int) -> np.ndarray | None:
    """Return the cells that reach ``top`` as rows (first, representative), or None when they are too many."""
    K = math.floor(min(k, 1e6) * (1 << K_BITS))
    estimate = math.sqrt(top) / max(k, 1e-9) if k > 0 else math.inf
    if top < 0 or estimate > MOST_CELLS or K == 0:
        return None
    rows = []
    a = 0
    while a <= top:
        c = a + (math.isqrt(K * K * max(a, 1)) >> K_BITS)
        # largest b with (b - c)^2 2^32 <= K^2 b: the root of a quadratic, then at most a step or two
        square, scale = K * K, 1 << (2 * K_BITS)
        b = c + (square + math.isqrt(square * square + 4 * square * scale * c)) // (2 * scale)
        while (b - c) ** 2 * scale > square * max(b, 1):
            b -= 1
        rows.append((a, c))
        a = b + 1
    return np.array(rows, dtype=np.int64)


def counts_to_cells(counts: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Number of the cell of each count."""
    return np.searchsorted(table[:, 0], counts, side="right").astype(np.int64) - 1


def cells_to_counts(numbers: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Representative of each cell."""
    return table[np.clip(numbers, 0, len(table) - 1), 1]
