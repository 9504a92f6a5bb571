"""The base of a value: all experts joined, and its two corrections; and how they learn from the value.

The base is the mean of the experts with weights (R^2 + .02)^-3/2, R their running absolute errors (decay
3/4). Two more repeat the row above, its step and what the others missed there, and join where that was better
in that row: so a series of like curves predicts itself. Two correct the base: a sum of the experts' distances
to it, whose weights adapt by signs (sign-LMS), and its mean error after the same last errors. All in 1/256.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.cells import cell_size
from invae.codec.coding.compiled import step
from invae.codec.curves.experts import (
    BASE,
    BIAS,
    CLIP,
    LMS,
    MISS,
    MOST_MISSES,
    N_ALL,
    N_EXPERTS,
    N_MEAN,
    PAD,
    STEP,
    UNKNOWN,
    Row,
    follow,
)

__all__ = ["LMS_STEP", "Base", "Corrections", "join", "learn", "miss_class", "start_row"]

LMS_STEP = 3  # place of the step of the sum's weights among the rates
BIAS_CLIP = 1 << 20


class Corrections(NamedTuple):
    """What corrects the base (int64)."""

    sums: np.ndarray  # (16, N_MEAN), 2^-16: weights by the size of the least error
    means: np.ndarray  # (25, 16), 1/16: mean errors by the last two errors and that size


class Base(NamedTuple):
    """The base of a value and what it comes from."""

    value: int
    mean: int  # of the experts along the row alone
    least: int  # least running error
    z: int  # log2 of the values in a cell
    wide: int  # class of the least error
    miss: int  # class of the last two errors


@step
def start_row(row: Row, i: int, n: int, first: int, start: int) -> None:
    """Make ready for the values behind the ``first`` of row i; ``start`` is the error to expect there."""
    R = row.errors
    row.values[: PAD + 1] = first
    for k in range(2):
        row.active[k] = i > 1 and row.totals[k] < row.totals[2]
        R[STEP + k] = row.totals[k] // n + 1 if row.active[k] else UNKNOWN
    R[:STEP] = start
    R[LMS:] = start
    row.totals[:] = 0
    row.products[:] = 0
    row.missed[:] = 0


@step
def miss_class(row: Row) -> int:
    """Class of the last two errors, behind at least one; it is 0 before."""
    return clip(row.missed[0], 2) * 5 + clip(row.missed[1], 2) + 12


@step
def join(row: Row, j: int, miss: int, weight: np.ndarray, corrections: Corrections) -> Base:
    """Join the predictions for value j of a row and add the corrected ones to them."""
    p, R = row.predictions, row.errors
    least = R[0]
    for k in range(1, N_MEAN):
        least = min(least, R[k])
    z = cell_size(least)
    top, bottom = 0, 0
    for k in range(N_EXPERTS):
        w = weight[min(R[k] >> (z + 2), weight.size - 1)]
        top += w * p[k]
        bottom += w
    mean = top // bottom
    p[STEP] = clip(row.above[j] - row.above[j - 1], CLIP) << 8
    p[MISS] = mean + row.missed_above[j]
    for k in range(STEP, N_MEAN):
        w = weight[min(R[k] >> (z + 2), weight.size - 1)]
        top += w * p[k]
        bottom += w
    base = top // bottom
    wide = min(level(least >> (z + 3)), 15)
    total = 0
    for k in range(N_MEAN):
        if k < STEP or row.active[k - STEP]:
            total += corrections.sums[wide, k] * clip(p[k] - base, 16 << (z + 8))
    p[LMS] = base + (total >> 16)
    p[BIAS] = base + (corrections.means[miss, wide] >> 4)
    p[BASE] = base
    return Base(base, mean, least, z, wide, miss)


@step
def learn(
    row: Row, j: int, step: int, centre: int, base: Base, corrections: Corrections, lms_step: int
) -> None:
    """Take in the ``step`` to value j, which was expected at ``centre``: errors, corrections, products."""
    p, R, L = row.predictions, row.errors, corrections.sums[base.wide]
    truth = clip(step, CLIP) << 8
    for k in range(2):
        row.totals[k] += min(abs(truth - p[STEP + k]), UNKNOWN)
    row.totals[2] += min(abs(truth - base.mean), UNKNOWN)
    row.missed_above[j] = clip(truth - base.mean, UNKNOWN)
    for k in range(N_ALL):
        R[k] = (3 * R[k] + abs(truth - p[k]) + 2) >> 2
    for k in range(2):
        if not row.active[k]:
            R[STEP + k] = UNKNOWN
    move = lms_step if truth > p[LMS] else -lms_step
    for k in range(N_MEAN):
        if k >= STEP and not row.active[k - STEP]:
            continue
        L[k] += move if p[k] > base.value else -move if p[k] < base.value else 0
    C = corrections.means[base.miss]
    C[base.wide] += (clip(truth - base.value, BIAS_CLIP) * 16 - C[base.wide]) >> 6
    D = row.differences
    follow(row.products, step, -D[1], D[1] - D[2])
    for k in range(MOST_MISSES - 1, 0, -1):
        row.missed[k] = row.missed[k - 1]
    row.missed[0] = clip(step - centre, CLIP) >> base.z
