"""The base of a pixel: all experts joined, and its two corrections; and how errors and corrections learn.

The error R of each expert is taken from its errors at the neighbours left, above left, above and above right.
The base is the mean of the experts with weights (R^2 + .02)^-3/2. Two correct it, as for curves: a sum of the
experts' distances to it that adapts by signs, and its mean error after the same errors on the left and above.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.cells import cell_size
from invae.codec.coding.compiled import step
from invae.codec.frames.experts import BASE, BIAS, N_ALL, N_MEAN, SUM, Frames, Pixel, Place

__all__ = ["N_SIDES", "N_WIDTHS", "SUM_STEP", "Base", "Corrections", "join", "last_errors", "learn"]

N_WIDTHS, N_SIDES = 16, 50  # contexts of the sum and of the mean error
SUM_STEP = 3  # place of the step of the sum's weights among the rates
MOST_PREDICTION, MOST_ERROR, MOST_BIAS = 1 << 38, 1 << 39, 1 << 36


class Corrections(NamedTuple):
    """What corrects the base (int64)."""

    sums: np.ndarray  # (N_WIDTHS, N_MEAN), 2^-16: weights by the size of the least error
    means: np.ndarray  # (N_SIDES, N_WIDTHS): mean errors by those near by and that size, in 1/16 of 2^z / 256


class Base(NamedTuple):
    """The base of a pixel and what it comes from."""

    value: int
    least: int  # least error near by
    z: int  # log2 of the values in a cell
    wide: int  # class of the least error
    side: int  # class of the last errors and of whether the opposite pixel is known


@step
def last_errors(frames: Frames, place: Place) -> tuple[int, int, int, int]:
    """Errors of the centre on the left, above, above left and above right, in cells."""
    i, j = place.i, place.j
    here, above = frames.missed[i & 1], frames.missed[1 - (i & 1)]
    return here[j] if j > 0 else above[1], above[j + 1], above[j], above[min(j + 2, place.n)]


@step
def join(
    frames: Frames, place: Place, turned: int, weight: np.ndarray, corrections: Corrections, pixel: Pixel
) -> Base:
    """Join the predictions and add the corrected ones to them."""
    i, j, p, R = place.i, place.j, pixel.predictions, pixel.errors
    here, before = frames.errors[i & 1], frames.errors[1 - (i & 1)]
    above, corner = before[j + 1], before[j]
    left = here[j] if j > 0 else above
    right = before[min(j + 2, place.n)]
    for k in range(N_ALL):
        R[k] = (3 * left[k] + 3 * above[k] + corner[k] + right[k] + 4) >> 3
    least = 1 << 60
    for k in range(N_MEAN):
        least = min(least, R[k])
    z = cell_size(least)
    top, bottom = 0, 0
    for k in range(N_MEAN):
        p[k] = clip(p[k], MOST_PREDICTION)
        share = weight[min(R[k] >> (z + 2), weight.size - 1)] >> 2
        top += share * ((p[k] - p[0]) >> 4)
        bottom += share
    base = p[0] + (top // max(bottom, 1) << 4)
    wide = min(level(least >> (z + 3)), N_WIDTHS - 1)
    total = 0
    for k in range(N_MEAN):
        total += corrections.sums[wide, k] * clip(p[k] - base, 16 << (z + 8))
    p[SUM] = base + (total >> 16)
    errors = last_errors(frames, place)
    side = (clip(errors[0], 2) * 5 + clip(errors[1], 2) + 12) * 2 + turned
    p[BIAS] = base + (corrections.means[side, wide] << z >> 4)
    p[BASE] = base
    return Base(base, least, z, wide, side)


@step
def learn(
    frames: Frames,
    place: Place,
    base: Base,
    truth: int,
    sum_step: int,
    corrections: Corrections,
    pixel: Pixel,
) -> None:
    """Keep the errors of all experts and let the corrections learn."""
    j, p, here = place.j, pixel.predictions, frames.errors[place.i & 1]
    for k in range(N_ALL):
        error = min(abs(truth - p[k]), MOST_ERROR)
        here[j + 1, k] = error
        if j == 0:
            here[0, k] = error
        if j == place.n - 1:
            here[j + 2, k] = error
    C = corrections.means[base.side]
    C[base.wide] += ((clip(truth - base.value, MOST_BIAS) >> base.z) * 16 - C[base.wide]) >> 6
    step = sum_step if truth > p[SUM] else -sum_step
    L = corrections.sums[base.wide]
    for k in range(N_MEAN):
        L[k] += step if p[k] > base.value else -step if p[k] < base.value else 0
