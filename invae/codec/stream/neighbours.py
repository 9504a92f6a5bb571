"""What the value of a pixel is expected to be: a weighted sum of neighbours that are known already.

Taps, in the order of the weights, of the pixel at row i and column j (rows count from the top of a stripe):

====== =====================================================
0-2    (i, j-1), (i, j-2), (i, j-3)
3-7    (i-1, j-2) .. (i-1, j+2)
8-10   (i-2, j-1) .. (i-2, j+1); in the second row of a stripe of row i-1
11-19  the reference at (i-1, j-1), (i-1, j), .. (i+1, j+1)
====== =====================================================

Outside the frame stand copies: left of row i the first value of row i-1 while its first value is coded,
then its own first value, right of it its last value. In the first row of a stripe 0 stands on the left. The
reference holds 1/16 of a count and continues its edges. Sums wrap modulo 2^64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["N_TAPS", "PAD", "TILE", "close_row", "fill_gap", "follow", "open_row", "outer_sums", "own_pads"]

PAD = 3
TILE = 32
N_TAPS = 20
INNER = 3
REFERENCE = 11


@njit(cache=True, nogil=True)
def open_row(frame: np.ndarray, i: int, top: int) -> None:
    """Set what stands left of row ``i`` before it is coded."""
    value = frame[i - 1, PAD] if i > top else 0
    for k in range(PAD):
        frame[i, k] = value


@njit(cache=True, nogil=True)
def own_pads(frame: np.ndarray, i: int) -> None:
    """Set what stands left of row ``i`` once its first value is known."""
    for k in range(PAD):
        frame[i, k] = frame[i, PAD]


@njit(cache=True, nogil=True)
def close_row(frame: np.ndarray, i: int) -> None:
    """Set what stands beside row ``i`` once it is known."""
    last = frame.shape[1] - PAD
    own_pads(frame, i)
    for k in range(PAD):
        frame[i, last + k] = frame[i, last - 1]


@njit(cache=True, nogil=True)
def fill_gap(frame: np.ndarray, i: int, j: int, top: int) -> int:
    """Value that stands in for a pixel which is not coded: half left, half above."""
    left = frame[i, j + PAD - 1]
    if i == top:
        return left
    above = frame[i - 1, j + PAD]
    return (left >> 1) + (above >> 1) + (left & above & 1)


@njit(cache=True, nogil=True)
def outer_sums(sums, frame, i, top, reference, weights, tiles):
    """Weighted sums of row ``i`` over all taps outside of it; ``weights`` (1 + sets, N_TAPS)."""
    width = frame.shape[1] - 2 * PAD
    for k in range(tiles.shape[1]):
        start, stop = k * TILE, min(width, (k + 1) * TILE)
        if i == top:
            w = weights[0]
            for j in range(start, stop):
                sums[j] = 0
        else:
            w = weights[1 + tiles[i // TILE, k]]
            _rows_above(sums, frame[i - 1], frame[max(i - 2, top)], w, start, stop)
        if reference.shape[0] > 0:
            _reference(sums, reference, i, w, start, stop)


@njit(cache=True, nogil=True)
def _rows_above(sums, above, second, w, start, stop):
    a, b, c, d, e, f, g, h = w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10]
    if f == 0 and g == 0 and h == 0:
        for j in range(start, stop):
            sums[j] = (
                a * above[j + 1] + b * above[j + 2] + c * above[j + 3] + d * above[j + 4] + e * above[j + 5]
            )
        return
    for j in range(start, stop):
        sums[j] = (
            a * above[j + 1]
            + b * above[j + 2]
            + c * above[j + 3]
            + d * above[j + 4]
            + e * above[j + 5]
            + f * second[j + 2]
            + g * second[j + 3]
            + h * second[j + 4]
        )


@njit(cache=True, nogil=True)
def _reference(sums, reference, i, w, start, stop):
    above, own, below = reference[i], reference[i + 1], reference[i + 2]
    a, b, c, d, e, f, g, h, k = w[11], w[12], w[13], w[14], w[15], w[16], w[17], w[18], w[19]
    for j in range(start, stop):
        total = (
            a * above[j]
            + b * above[j + 1]
            + c * above[j + 2]
            + d * own[j]
            + e * own[j + 1]
            + f * own[j + 2]
            + g * below[j]
            + h * below[j + 1]
            + k * below[j + 2]
        )
        sums[j] += total >> 4


@njit(cache=True, nogil=True)
def follow(mean: np.ndarray, reference: np.ndarray, frame: np.ndarray, gain: int) -> None:
    """Move ``mean`` (in 1/256) towards ``frame`` by ``gain`` / 2^16 and set ``reference`` (in 1/16)."""
    h, w = mean.shape
    for i in range(h):
        for j in range(w):
            mean[i, j] += (((np.int64(frame[i, j + PAD]) << 8) - mean[i, j]) * gain + 32768) >> 16
            reference[i + 1, j + 1] = (mean[i, j] + 8) >> 4
        reference[i + 1, 0] = reference[i + 1, 1]
        reference[i + 1, w + 1] = reference[i + 1, w]
    for j in range(w + 2):
        reference[0, j] = reference[1, j]
        reference[h + 1, j] = reference[h, j]
