"""Centres of symmetry of frames: where the half-turn about a point foresees the frame best."""

from __future__ import annotations

import numpy as np

__all__ = ["find_centres"]

NONE = (0, 0)
CANDIDATES = 4  # peaks looked at for a centre
COMMON = 0.6  # of the gain of own centres that a common one must reach
WINDOW = 160  # pixels about a centre on which it is judged


def find_centres(frames: np.ndarray) -> list[tuple[int, int]]:
    """Return a centre for each of the ``frames`` (k, rows, columns): twice its place plus one, or (0, 0).

    It is the same for all where that serves them about as well as their own ones.
    """
    levelled = [_levelled(frame) for frame in frames]
    own = [_find_centre(full) for full in levelled]
    if len(frames) == 1:
        return [centre for centre, _ in own]
    common, _ = _find_centre(np.mean(levelled, axis=0))
    if common == NONE:
        return [centre for centre, _ in own]
    shared = [_gain(full, common[0] - 1, common[1] - 1) for full in levelled]
    if sum(shared) > COMMON * sum(gain for _, gain in own):
        return [common] * len(frames)
    return [centre for centre, _ in own]


def _find_centre(full: np.ndarray) -> tuple[tuple[int, int], float]:
    """Twice the centre (row, column) of the half-turn that foresees the frame best, plus one; and its gain.

    Candidates are peaks of the autoconvolution and the middle; what counts is by how much opposite pixels
    are nearer to each other than neighbours are, summed over those pixels.
    """
    rows, columns = full.shape
    if rows < 16 or columns < 16:
        return NONE, 0.0
    step = max(1, min(rows, columns) // 128)
    small = full[::step, ::step] - full[::step, ::step].mean()
    size = [2 * n for n in small.shape]
    spectrum = np.fft.rfft2(small, size)
    match = np.fft.irfft2(spectrum * spectrum, size)  # peaks at twice the centre
    ones = np.fft.rfft2(np.ones_like(small), size)
    overlap = np.fft.irfft2(ones * ones, size)
    score = np.where(overlap > small.size / 4, match / np.sqrt(np.maximum(overlap, 1)), -np.inf)
    candidates = [((rows - 1) // step, (columns - 1) // step)]
    for _ in range(CANDIDATES):
        r, c = (int(k) for k in np.unravel_index(int(np.argmax(score)), score.shape))
        candidates.append((r, c))
        score[max(r - 2, 0) : r + 3, max(c - 2, 0) : c + 3] = -np.inf
    best, found = 0.0, NONE
    for r, c in candidates:
        for row in range(r * step - step, r * step + step + 1):
            for column in range(c * step - step, c * step + step + 1):
                gain = _gain(full, row, column)
                if gain > best:
                    best, found = gain, (row + 1, column + 1)
    return found, best


def _levelled(frame: np.ndarray) -> np.ndarray:
    """Values on a scale on which neither a bright middle nor sentinels rule: asinh about the median."""
    values = frame.astype(np.float64)
    middle = np.median(values)
    spread = float(np.median(np.abs(values - middle)))
    return np.asarray(np.arcsinh((values - middle) / max(spread, 1.0)))


def _gain(full: np.ndarray, row: int, column: int) -> float:
    """Difference between neighbours less that between opposites, summed over the part with opposites."""
    r0, r1 = _window(row, full.shape[0])
    c0, c1 = _window(column, full.shape[1])
    if r1 - r0 < min(full.shape[0], WINDOW) // 4 or c1 - c0 < min(full.shape[1], WINDOW) // 4:
        return -np.inf
    part = full[r0:r1, c0:c1]
    down, right = np.abs(np.diff(part, axis=0)), np.abs(np.diff(part, axis=1))
    neighbours = 0.5 * (down.mean() + right.mean()) * part.size
    return float(neighbours - np.abs(part - part[::-1, ::-1]).sum())


def _window(twice: int, n: int) -> tuple[int, int]:
    """Range of at most `WINDOW` indices 0 .. n - 1 that is symmetric about ``twice`` / 2."""
    first, last = max(0, twice - n + 1), min(n - 1, twice)
    cut = max(0, last - first + 1 - WINDOW) // 2
    return first + cut, last + 1 - cut
