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

from invae.codec.coding.transforms import in_pieces

__all__ = [
    "MOST_CELLS",
    "MOST_DITHERED",
    "DitheredCells",
    "cells",
    "cells_to_counts",
    "counts_to_cells",
    "dither",
]

MOST_CELLS = 1 << 21
MOST_DITHERED = 1 << 22
LAST_EXACT = 8
K_BITS, T_BITS = 16, 24


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


def dither(n: int, seed: int) -> np.ndarray:
    """Return n reproducible numbers in [0, 2^24): SplitMix64 of the position, top bits."""
    with np.errstate(over="ignore"):
        z = (np.arange(n, dtype=np.uint64) + np.uint64(seed * n + 1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(64 - T_BITS)).astype(np.int64)


class DitheredCells:
    """Cells whose walls are moved at random from pixel to pixel, so that errors do not follow the counts.

    With t(n) = floor(K sqrt(n)), a cell that ends at n may hold w(n) = 2 t(n - 2 t(n)) + 1 counts and still
    have its middle within t of both ends. The scale T(n), the sum of 1 / w(m) over LAST_EXACT < m < n,
    grows by one over each such stretch; the number of a count n > LAST_EXACT is floor(T(n) + u) with a known
    uniform u (subtractive dither). The decoded value is (4 g - e) / 3, g the count at the middle of the
    cell in T and e the mean of its ends: T bends, which would shift g by k^2 / 12 and e by k^2 / 3.
    Counts up to `LAST_EXACT` are their own numbers; the first cell above them reaches below, as far as its
    width asks for, though none of those counts is in it: otherwise its middle would lie too high.

    Parameters
    ----------
    k : float
        K, rounded down to a multiple of 2^-16.
    top : int
        Largest count, below `MOST_DITHERED`.
    """

    def __init__(self, k: float, top: int) -> None:
        K = math.floor(min(k, 1e6) * (1 << K_BITS))
        n = np.arange(LAST_EXACT, max(top, LAST_EXACT + 1) + 1, dtype=np.int64)
        allowed = _floor_root(K, n)[1:]  # t of LAST_EXACT + 1, ..
        t = _floor_root(K, np.maximum(n[1:] - 2 * allowed, 0))
        steps = -(-(1 << T_BITS) // (2 * t + 1))
        self._below = 2 * int(t[0]) + 1  # counts below that the scale is continued to
        steps = np.concatenate([np.full(self._below, steps[0]), steps])
        self.allowed = np.concatenate([np.full(self._below, allowed[0]), allowed])
        self._first = LAST_EXACT + 1 - self._below
        self.scale = np.concatenate([[0], np.cumsum(steps)])  # T of self._first is scale[0]

    def numbers(self, counts: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Cell numbers of counts 0 .. top."""
        return in_pieces(self._numbers, counts, u)

    def _numbers(self, counts: np.ndarray, u: np.ndarray) -> np.ndarray:
        place = np.clip(counts - self._first, self._below, self.scale.size - 1)
        cell = ((self.scale[place] + u) >> T_BITS) - self._first_cell(u)
        return np.where(counts <= LAST_EXACT, counts, LAST_EXACT + 1 + cell)

    def counts(self, numbers: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Decoded counts."""
        return in_pieces(self._counts, numbers, u)

    def _counts(self, numbers: np.ndarray, u: np.ndarray) -> np.ndarray:
        cell = np.clip(numbers - LAST_EXACT - 1, 0, (self.scale[-1] >> T_BITS) + 1) + self._first_cell(u)
        start, stop = (
            np.clip((cell << T_BITS) - u, 0, self.scale[-1]),
            np.clip(((cell + 1) << T_BITS) - u, 0, self.scale[-1]),
        )
        ends = self._place(start) + self._place(stop) >> 1
        middle = (4 * self._place(start + stop >> 1) - ends) // 3
        middle = (middle + (1 << 15)) >> 16
        last = self.allowed.size - 1
        low = np.clip(np.searchsorted(self.scale, start, side="left"), self._below, last)
        high = np.clip(np.searchsorted(self.scale, stop, side="left") - 1, self._below, last)
        middle = np.minimum(np.maximum(middle, high - self.allowed[high]), low + self.allowed[low])
        return np.where(numbers <= LAST_EXACT, numbers, self._first + middle)

    def offsets(self, u: np.ndarray) -> np.ndarray:
        """Where counts of a cell lie on the scale, less the cell's number, in 1/256: within one half."""
        middle = (self._first_cell(u) << T_BITS) - u + (1 << (T_BITS - 1)) - self.scale[self._below]
        return middle >> (T_BITS - 8)

    def _first_cell(self, u: np.ndarray) -> np.ndarray:
        """Cell of the first count above `LAST_EXACT`."""
        return (self.scale[self._below] + u) >> T_BITS

    def _place(self, T: np.ndarray) -> np.ndarray:
        """Where T lies among the counts from the first of the scale on, in 2^-16."""
        k = np.clip(np.searchsorted(self.scale, T, side="right") - 1, 0, self.scale.size - 2)
        return (k << 16) + ((T - self.scale[k]) << 16) // (self.scale[k + 1] - self.scale[k])


def _floor_root(K: int, n: np.ndarray) -> np.ndarray:
    """floor(K 2^-16 sqrt(n)), exactly: by doubles, and by integers where those are near a whole number."""
    root = K / (1 << K_BITS) * np.sqrt(n.astype(np.float64))
    out = np.floor(root).astype(np.int64)
    near = np.abs(root - np.rint(root)) < 1e-6
    out[near] = [math.isqrt(K * K * m) >> K_BITS for m in n[near].tolist()]
    return out
