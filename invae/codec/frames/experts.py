"""Experts of frames: how each of them predicts a pixel from those before it, in 1/256 of a count.

Experts are means, gradients and medians of decoded neighbours, the pixel opposite to a centre of symmetry
(`invae.codec.frames.centres`) as it is, moved by its neighbours and smoothed, the same pixel of the frame
before, wide means, learned taps on twenty neighbours and nine pixels about the opposite one (`TAPS`;
classes by the roughness of what is near), a sum of neighbours that adapts by signs, and, by far the best on
smooth frames, weights fitted to what was decoded near by (`invae.codec.frames.local_fit`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.compiled import step
from invae.codec.frames.local_fit import FINE, fit, fitted, take

__all__ = [
    "BASE",
    "BIAS",
    "BOX",
    "EARLIER",
    "N_ALL",
    "N_CLASSES",
    "N_MEAN",
    "N_NEAR",
    "N_TAPS",
    "OPPOSITE",
    "SHOWN",
    "SIDE",
    "SUM",
    "TOP",
    "Frames",
    "Near",
    "Pixel",
    "Place",
    "begin_row",
    "follow",
    "new_frames",
    "new_pixel",
    "predict",
    "store",
]

TOP, SIDE = 3, 5  # rows above and columns beside a frame in the history
N_BASIC = 15
OPPOSITE_MEAN, EARLIER, BOX, OPPOSITE, MOVED = 9, 10, 11, 13, 14
TAPS, LMS, FIT = N_BASIC, N_BASIC + 1, N_BASIC + 2
N_MEAN = N_BASIC + 3
SUM, BIAS, BASE = N_MEAN, N_MEAN + 1, N_MEAN + 2
N_ALL = N_MEAN + 3
# The first state odds themselves, the network sees all of these.
SHOWN = np.array(
    [FIT, BASE, SUM, TAPS, 1, OPPOSITE_MEAN, EARLIER, LMS, BIAS, 2, 3, 4, 8, BOX, BOX + 1, OPPOSITE, MOVED]
)
NEAR = np.array(
    [
        [0, -1], [-1, 0], [-1, -1], [-1, 1], [0, -2], [-2, 0], [-1, -2], [-1, 2], [-2, -1], [-2, 1],
        [0, -3], [-3, 0], [-2, -2], [-2, 2], [-1, -3], [-1, 3], [-3, -1], [-3, 1], [0, -4], [-2, 3],
    ]
)  # fmt: skip
N_NEAR = len(NEAR)
ABOUT = np.array([[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]])
N_ABOUT = len(ABOUT)
N_TAPS = N_NEAR + N_ABOUT  # with those about the opposite pixel
N_CLASSES = 32  # 16 of roughness, with and without an opposite pixel
BLOCK = 8  # columns with a fit of their own
N_FITTED = 25
BOXES = np.array([4, 9])  # half-widths of the wide means
START_ERROR = 256  # of every expert before anything is known: one count
# The sum of neighbours starts as a plane through the nearest six (2^-16), and moves by LMS_STEP.
LMS_START = np.array([26000, 26000, -8000, 14000, 3768, 3768])
LMS_STEP = 4
NEAR_CLIP = 1 << 30


class Frames(NamedTuple):
    """What is decoded of a stack (int64)."""

    values: np.ndarray  # (frames, TOP + height, SIDE + n + SIDE), 1/256
    errors: np.ndarray  # (2, n + 2, N_ALL): of all experts in this row and the one above, which take turns
    missed: np.ndarray  # (2, n + 2): errors of the centre there, in cells
    columns: np.ndarray  # (2, n): sums over the last rows of every column


class Place(NamedTuple):
    """Pixel (i, j) of a frame of ``height`` rows and ``n`` columns."""

    frame: int
    i: int
    j: int
    height: int
    n: int
    row2: int  # twice the centre of symmetry plus one, or 0
    column2: int


class Pixel(NamedTuple):
    """What is said of the next pixel, and what adapts (int64)."""

    differences: np.ndarray  # of neighbours, and of those about the opposite pixel, to the left one
    predictions: np.ndarray
    errors: np.ndarray  # of all experts near by
    weights: np.ndarray  # of the sum that adapts, 2^-16
    products: np.ndarray  # of the local fit, by blocks of columns
    work: np.ndarray
    fitted: np.ndarray
    regressors: np.ndarray


class Near(NamedTuple):
    """Neighbours in 1/256, and what is there of the opposite pixel."""

    w: int
    n: int
    ne: int
    around: int  # weighted sum of all neighbours
    turned: int  # 1 where the opposite pixel is decoded
    kind: int  # class of the learned taps


@njit(cache=True, nogil=True)
def new_frames(n_frames: int, height: int, n: int) -> Frames:
    """Nothing decoded yet."""
    return Frames(
        np.zeros((n_frames, height + TOP, n + 2 * SIDE), dtype=np.int64),
        np.full((2, n + 2, N_ALL), START_ERROR, dtype=np.int64),
        np.zeros((2, n + 2), dtype=np.int64),
        np.zeros((2, n), dtype=np.int64),
    )


@njit(cache=True, nogil=True)
def new_pixel(n: int) -> Pixel:
    """Room for pixels of rows of ``n``; nothing has adapted yet."""
    weights = np.zeros(N_NEAR, dtype=np.int64)
    weights[: LMS_START.size] = LMS_START
    return Pixel(
        np.zeros(N_TAPS, dtype=np.int64),
        np.zeros(N_ALL, dtype=np.int64),
        np.zeros(N_ALL, dtype=np.int64),
        weights,
        np.zeros(((n + BLOCK - 1) // BLOCK, N_FITTED + 1, N_FITTED + 1), dtype=np.int64),
        np.zeros((N_FITTED + 2, N_FITTED + 1), dtype=np.int64),
        np.zeros(N_FITTED, dtype=np.int64),
        np.zeros(N_FITTED, dtype=np.int64),
    )


@step
def begin_row(frames: Frames, g: int, i: int, n: int) -> None:
    """Make ready for row i of frame g."""
    h = frames.values[g]
    h[i + TOP, :SIDE] = h[i + TOP - 1, SIDE]
    if i == 0:
        frames.columns[:] = 0
    for k in range(2):
        _sum_columns(h, i, BOXES[k], frames.columns[k], n)


@step
def predict(frames: Frames, place: Place, taps: np.ndarray, pixel: Pixel) -> Near:
    """Fill the predictions of all experts but those that correct the base."""
    h, r, q = frames.values[place.frame], place.i + TOP, place.j + SIDE
    D, p, K = pixel.differences, pixel.predictions, pixel.weights
    if place.j % BLOCK == 0:
        fit(pixel.products, place.j // BLOCK, pixel.products.shape[0], pixel.work, pixel.fitted)
    w, n = h[r, q - 1], h[r - 1, q]
    for k in range(N_NEAR):
        D[k] = clip(h[r + NEAR[k, 0], q + NEAR[k, 1]] - w, NEAR_CLIP)
    turned = _about(h, place, D, w)
    around = _means(h, r, q, p)
    p[EARLIER] = p[0]
    if place.frame > 0:
        e = frames.values[place.frame - 1]
        change = w + n + h[r - 1, q - 1] + h[r - 1, q + 1]
        change -= e[r, q - 1] + e[r - 1, q] + e[r - 1, q - 1] + e[r - 1, q + 1]
        p[EARLIER] = e[r, q] + (change >> 2)
    for k in range(2):
        p[BOX + k] = _box_mean(h, place, BOXES[k], frames.columns[k], p[0])
    p[OPPOSITE_MEAN] = p[OPPOSITE] = p[MOVED] = p[0]
    if turned:
        o = D[N_NEAR : N_NEAR + N_ABOUT]
        p[OPPOSITE] = w + o[0]
        p[OPPOSITE_MEAN] = w + ((4 * o[0] + o[1] + o[2] + o[3] + o[4]) >> 3)
        p[MOVED] = (2 * o[0] + w - o[2] + n - o[4]) >> 1
    kind = 16 * turned + min(level(_roughness(D) >> 8), 15)
    own = taps[kind]
    total = 0
    for k in range(N_TAPS if turned else N_NEAR):
        total += own[k] * D[k]
    p[TAPS] = w + ((total + (32 << 8)) >> 14)
    total = 0
    for k in range(N_NEAR):
        total += K[k] * D[k]
    p[LMS] = w + (total >> 16)
    X = pixel.regressors
    for k in range(N_FITTED - 1):
        X[k] = D[k + 1] >> (8 - FINE)
    X[N_FITTED - 1] = (p[TAPS] - w) >> (8 - FINE)
    p[FIT] = w + fitted(pixel.fitted, X)
    return Near(w, n, h[r - 1, q + 1], around, turned, kind)


@step
def store(frames: Frames, place: Place, value: int) -> None:
    """Take a decoded ``value`` (1/256) into the history: the last pixel stands for what is not there."""
    h, r, q = frames.values[place.frame], place.i + TOP, place.j + SIDE
    h[r, q] = value
    if place.i == 0:
        h[:TOP, q + 1 :] = value
        if place.j == 0:
            h[:TOP, :] = value
    if place.j == 0:
        h[r, :SIDE] = value


@step
def follow(place: Place, near: Near, truth: int, pixel: Pixel) -> None:
    """Let the local fit and the sum of neighbours learn from the true value."""
    D, p, K = pixel.differences, pixel.predictions, pixel.weights
    block, error = place.j // BLOCK, (truth - p[FIT]) >> 8
    take(pixel.products, block, pixel.regressors, (truth - near.w) >> (8 - FINE), error)
    step = LMS_STEP if truth > p[LMS] else -LMS_STEP
    mean = (p[2] >> 8 << 8) - near.w
    for k in range(N_NEAR):
        K[k] += step if D[k] > mean else -step if D[k] < mean else 0


@step
def _means(h, r, q, p):
    """Predictions from the nearest twelve pixels; returns their weighted sum."""
    w, n, nw, ne = h[r, q - 1], h[r - 1, q], h[r - 1, q - 1], h[r - 1, q + 1]
    ww, nn, nne = h[r, q - 2], h[r - 2, q], h[r - 2, q + 1]
    twelve = 2 * (w + n) + nw + ne + ww + nn
    ring = h[r - 1, q - 2] + h[r - 1, q + 2] + h[r - 2, q - 1] + nne + h[r, q - 3] + h[r - 3, q]
    p[0] = twelve >> 3
    p[1] = (2 * twelve + ring) // 22
    p[2] = (w + n + nw + ne) >> 2
    p[3] = w + n - nw
    p[4] = _median(w, n, w + n - nw)
    p[5] = w
    p[6] = n
    p[7] = (w + ne + n - nne) >> 1
    p[8] = (2 * w - ww + 2 * n - nn) >> 1
    return twelve + ring


@step
def _about(h, place, D, w):
    """Differences to ``w`` about the pixel opposite to (i, j), where it is decoded; 1 if so, else 0."""
    i, j = place.i, place.j
    D[N_NEAR:] = 0
    if place.row2 == 0:
        return 0
    y, x = place.row2 - 1 - i, place.column2 - 1 - j
    if not (0 <= y < i or (y == i and x < j)) or not 0 <= x < place.n:
        return 0
    for k in range(N_ABOUT):
        b, a = y + ABOUT[k, 0], x + ABOUT[k, 1]
        if b < 0:
            b = 0
        if b > i or (b == i and a >= j):  # not yet decoded: the pixel turned back
            b, a = y, x
        D[N_NEAR + k] = clip(h[b + TOP, a + SIDE] - w, NEAR_CLIP)
    return 1


@step
def _roughness(D):
    """Sum of second differences among the neighbours: 0, 1, .. are left, above, .. as in `NEAR`."""
    across = abs(2 * D[4] - D[10]) + abs(D[1] - 2 * D[2] + D[6]) + abs(D[3] - 2 * D[1] + D[2])
    down = abs(D[1] - 2 * D[5] + D[11]) + abs(-2 * D[2] + D[8]) + abs(D[7] - 2 * D[3] + D[1])
    return across + down


@njit(cache=True, nogil=True)
def _median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@step
def _sum_columns(h, i, half, columns, n):
    """Keep the sums over the last ``half`` rows above row i of every column."""
    if i == 0:
        return
    for j in range(n):
        columns[j] += h[i - 1 + TOP, j + SIDE]
        if i > half:
            columns[j] -= h[i - 1 - half + TOP, j + SIDE]


@step
def _box_mean(h, place, half, columns, otherwise):
    """Mean of ``half`` rows above, as wide to both sides, and as many pixels on the left."""
    i, j = place.i, place.j
    low, high = max(j - half, 0), min(j + half, place.n - 1)
    total = 0
    for k in range(low, high + 1):
        total += columns[k]
    count = min(i, half) * (high - low + 1) + j - low
    for k in range(low, j):
        total += h[i + TOP, k + SIDE]
    return total // count if count > 0 else otherwise
