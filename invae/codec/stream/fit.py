"""Weights of the neighbours by least absolute deviation, from a sample of pixels.

Only the encoder fits; sums run in one order in doubles, so that the bytes do not depend on the machine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.stream.neighbours import N_TAPS, PAD, TILE

__all__ = [
    "FRAME_TAPS",
    "NEAR_TAPS",
    "REFERENCE_TAPS",
    "ROW_TAPS",
    "Sample",
    "cost",
    "fit_classes",
    "fit_weights",
    "preset_weights",
    "sample_pixels",
]

ROW_TAPS = (1, 2)
NEAR_TAPS = (4, 5, 6)
FRAME_TAPS = tuple(range(1, 11))
REFERENCE_TAPS = tuple(range(11, N_TAPS))
PRESETS = (
    {0: 1},
    {0: 2, 1: -1},
    {0: 3, 1: -3, 2: 1},
    {5: 1},
    {0: 1, 5: 1, 4: -1},
)  # left, line, bend, above, plane
LARGEST = 8
ROUNDS = 3
FEWEST = 200


class Sample(NamedTuple):
    """Values of pixels less those on the left, ``taps`` (pixels, N_TAPS) likewise.

    ``sizes`` are those of local steps, ``levels`` means of neighbours, ``tiles`` numbers of tiles.
    """

    taps: np.ndarray
    values: np.ndarray
    sizes: np.ndarray
    tiles: np.ndarray
    levels: np.ndarray


@njit(cache=True, nogil=True)
def _gather(frame, reference, mask, rows, step, sample):
    taps, values, sizes = sample.taps, sample.values, sample.sizes
    width = frame.shape[1] - 2 * PAD
    across = (width + TILE - 1) // TILE
    n = 0
    for k in range(rows.size):
        i = rows[k]
        for j in range((3 * k) % step, width, step):
            if mask.shape[0] > 0 and mask[i, j]:
                continue
            if n == values.size:
                return n
            left = np.int64(frame[i, j + 2])
            t = taps[n]
            t[0] = 0.0
            t[1] = np.float64(frame[i, j + 1] - left)
            t[2] = np.float64(frame[i, j] - left)
            size = 0.5 + abs(t[1])
            if i > 0:
                for d in range(5):
                    t[3 + d] = np.float64(frame[i - 1, j + 1 + d] - left)
                for d in range(3):
                    t[8 + d] = np.float64(frame[max(i - 2, 0), j + 2 + d] - left)
                size += abs(t[4]) + abs(t[5]) + abs(t[6])
            else:
                t[3:11] = 0.0
            if reference.shape[0] > 0:
                for d in range(9):
                    t[11 + d] = reference[i + d // 3, j + d % 3] / 16.0 - left
            else:
                t[11:] = 0.0
            values[n] = np.float64(frame[i, j + PAD] - left)
            sizes[n] = size
            sample.levels[n] = max(left + 0.25 * (t[4] + t[5] + t[6]), 0.0) + 0.5
            sample.tiles[n] = (i // TILE) * across + j // TILE
            n += 1
    return n


@njit(cache=True, nogil=True)
def _solve(sample, part, chosen, weights, rounds, warm, even):
    """Fit to pixels whose entry of ``part`` is non-zero, by normal equations.

    Weights are 1 / level (``even``) or 1 / size^2 at first, then 1 / (size (error + a share of size)).
    """
    m = chosen.size
    A, b = np.zeros((m, m)), np.zeros(m)
    taps, values, sizes = sample.taps, sample.values, sample.sizes
    errors = np.zeros(values.size)
    for turn in range(rounds):
        A[:] = 0.0
        b[:] = 0.0
        total, share = 0.0, 1e-9
        for k in range(values.size):
            if not part[k]:
                continue
            e = values[k]
            for a in range(m):
                e -= weights[chosen[a]] * taps[k, chosen[a]]
            errors[k] = abs(e)
            total += abs(e)
            share += sizes[k]
        share = 0.5 * total / share
        for k in range(values.size):
            if not part[k]:
                continue
            w = 1.0 / (sizes[k] * (errors[k] + share * sizes[k] + 0.02))
            if turn == 0 and not warm:
                w = 1.0 / sample.levels[k] if even else 1.0 / (sizes[k] * sizes[k])
            for a in range(m):
                wt = w * taps[k, chosen[a]]
                b[a] += wt * values[k]
                for c in range(a + 1):
                    A[a, c] += wt * taps[k, chosen[c]]
        trace = 1e-12
        for a in range(m):
            trace += A[a, a]
        for a in range(m):
            A[a, a] += 1e-6 * A[a, a] + 1e-13 * trace
        if not _cholesky(A, b):
            return False
        for a in range(m):
            weights[chosen[a]] = b[a]
    return True


@njit(cache=True, nogil=True)
def _cholesky(A, b):
    m = b.size
    for a in range(m):
        for c in range(a + 1):
            v = A[a, c]
            for k in range(c):
                v -= A[a, k] * A[c, k]
            if a == c:
                if not v > 0.0:
                    return False
                A[a, a] = np.sqrt(v)
            else:
                A[a, c] = v / A[c, c]
    for a in range(m):
        v = b[a]
        for k in range(a):
            v -= A[a, k] * b[k]
        b[a] = v / A[a, a]
    for a in range(m - 1, -1, -1):
        v = b[a]
        for k in range(a + 1, m):
            v -= A[k, a] * b[k]
        b[a] = v / A[a, a]
    return True


@njit(cache=True, nogil=True)
def _errors_by_size(sample, weights):
    """Sums of errors and numbers of pixels by octave of the local steps."""
    sums, pixels = np.zeros(64), np.zeros(64)
    last = weights.size
    while last > 1 and weights[last - 1] == 0.0:
        last -= 1
    for k in range(sample.values.size):
        e = sample.values[k]
        for a in range(1, last):
            e -= weights[a] * sample.taps[k, a]
        octave = min(int(np.log2(sample.sizes[k]) + 1.0), 63)
        sums[octave] += abs(e)
        pixels[octave] += 1.0
    return sums, pixels


@njit(cache=True, nogil=True)
def _tile_errors(sample, sets, n_tiles):
    """Sums of errors (tiles, sets) and pixels of every tile."""
    sums, pixels = np.zeros((n_tiles, sets.shape[0])), np.zeros(n_tiles)
    for k in range(sample.values.size):
        t = sample.tiles[k]
        pixels[t] += 1.0
        for c in range(sets.shape[0]):
            e = sample.values[k]
            for a in range(1, 11):
                e -= sets[c, a] * sample.taps[k, a]
            sums[t, c] += abs(e)
    return sums, pixels


def sample_pixels(frame: np.ndarray, reference: np.ndarray, mask: np.ndarray, most: int) -> Sample:
    """Up to ``most`` pixels on rows that are spread over the frame."""
    h, w = frame.shape[0], frame.shape[1] - 2 * PAD
    first = 2 if h > 2 else 0
    step = max(1, min(4, w * (h - first) // most))
    n_rows = min(h - first, max(1, -(-most * step // w)))
    step = max(step, -(-w * n_rows // most))
    rows = first + (np.arange(n_rows, dtype=np.int64) * (h - first)) // n_rows
    n = min(most, n_rows * w)
    taps, values = np.empty((n, N_TAPS)), np.empty(n)
    sample = Sample(taps, values, np.empty(n), np.empty(n, dtype=np.int64), np.empty(n))
    n = _gather(frame, reference, mask, rows, step, sample)
    return Sample(*(field[:n] for field in sample))


def fit_weights(sample: Sample, chosen: tuple[int, ...], robust: bool) -> np.ndarray:
    """Weights (N_TAPS, their sum 1) for ``chosen`` taps; the left value alone if none fit.

    ``robust``: least absolute deviation, for smooth planes; else least squares, which find means of counts.
    """
    weights = np.zeros(N_TAPS)
    if sample.values.size >= 4 * len(chosen):
        part = np.ones(sample.values.size, dtype=np.bool_)
        _fit_into(weights, sample, part, chosen, 2 if robust else 1, False, not robust)
    weights[0] = 1.0 - weights.sum()
    return weights


def _fit_into(weights, sample, part, chosen, rounds, warm, even):
    """Set ``weights`` but for the first; to 0 where the fit fails."""
    weights[0] = 0.0
    fits = _solve(sample, part, np.array(chosen), weights, rounds, warm, even)
    if not fits or not np.abs(weights).max() < LARGEST:
        weights[:] = 0.0


def cost(sample: Sample, weights: np.ndarray) -> float:
    """Bits a pixel, up to a constant, of the sample's errors: their mean size where steps are alike."""
    sums, pixels = _errors_by_size(sample, weights)
    n = pixels.sum()
    return float((pixels * np.log2(sums / np.maximum(pixels, 1) + 0.1)).sum() / n) if n else 0.0


def preset_weights() -> list[np.ndarray]:
    """Whole-number weights that smooth, even planes ask for."""
    sets = []
    for preset in PRESETS:
        weights = np.zeros(N_TAPS)
        weights[list(preset)] = list(preset.values())
        sets.append(weights)
    return sets


def fit_classes(
    sample: Sample, weights: np.ndarray, n_tiles: int, n_sets: int, robust: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Sets of weights for tiles that behave alike; which tile uses which; bits gained a pixel.

    Tiles are put in order of their errors under the one set, cut into classes, and then fitted and
    assigned in turns.
    """
    sums, pixels = _tile_errors(sample, weights[None], n_tiles)
    before = sums[:, 0]
    size = np.bincount(sample.tiles, sample.sizes, n_tiles)
    rank = np.argsort(np.argsort(before / (size + 1e-9), kind="stable"), kind="stable")
    chosen = rank * n_sets // n_tiles
    sets = np.repeat(weights[None], n_sets, axis=0)
    for _ in range(ROUNDS):
        of_pixel = chosen[sample.tiles]
        for c in range(n_sets):
            part = of_pixel == c
            if part.sum() > FEWEST:
                _fit_into(sets[c], sample, part, FRAME_TAPS, 1, robust, not robust)
        sums, _ = _tile_errors(sample, sets, n_tiles)
        chosen = sums.argmin(axis=1)
    sets[:, 0] = 1.0 - sets[:, 1:].sum(axis=1)
    after = sums.min(axis=1)
    gain = pixels * np.log2((before + 0.3 * pixels + 1) / (after + 0.3 * pixels + 1))
    return sets, chosen, float(gain.sum() / max(pixels.sum(), 1))
