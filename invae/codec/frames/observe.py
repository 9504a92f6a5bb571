"""What the network of frames sees of a pixel to come, in [-127, 127], mirrored as the value will be.

Offsets of experts in units of their scales, the sizes of their errors, differences of neighbours to the
centre cell, the last errors near by, how neighbours differ from their opposites, and the counts' size, for
their noise depends on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.compiled import step
from invae.codec.coding.decisions import Statements
from invae.codec.coding.network import CONSTANT, MOST
from invae.codec.frames.base import last_errors
from invae.codec.frames.experts import N_NEAR, SHOWN, Frames, Near, Pixel, Place

__all__ = ["N_SEEN", "View", "observe"]

N_DIFFERENCES, N_SIZES, N_PAIRS, N_UNKNOWN = 14, 6, 4, 4
N_SEEN = 2 * SHOWN.size + N_DIFFERENCES + N_SIZES + 4 + N_PAIRS + N_UNKNOWN + 12


class View(NamedTuple):
    """How a pixel is looked at: as the distance to a centre, mirrored so that the base lies beyond it."""

    centre: int  # the number whose cell holds the base
    middle: int  # its true place, in 1/256
    phase: int  # of the base in its cell, 0 .. 128
    sign: int
    z: int  # log2 of the values in a cell
    base: int


@step
def observe(
    seen: np.ndarray,
    frames: Frames,
    place: Place,
    near: Near,
    view: View,
    statements: Statements,
    pixel: Pixel,
) -> None:
    """Fill ``seen`` (int32) with what is known before a pixel."""
    D, sign, z = pixel.differences, view.sign, view.z
    off, inv = statements.offsets, statements.scales
    m = 0
    for k in range(SHOWN.size):
        seen[m] = clip((off[k] * inv[k]) >> (16 + z), MOST)
        seen[m + 1] = clip(4 * level(pixel.errors[SHOWN[k]] >> (z + 2)) - 60, MOST)
        m += 2
    to_middle = near.w - view.middle
    for k in range(N_DIFFERENCES):
        seen[m + k] = 32 * sign * clip((D[k] + to_middle) >> (z + 8), 3)
    m += N_DIFFERENCES
    for k in range(N_SIZES):
        seen[m + k] = clip(4 * sign * _signed_level((D[k] + to_middle) >> (z + 8)), MOST)
    m += N_SIZES
    errors = last_errors(frames, place)
    for k in range(4):
        seen[m + k] = 32 * sign * clip(errors[k], 3)
    m += 4
    _observe_opposites(seen[m : m + N_PAIRS + N_UNKNOWN], D, sign, z, near.turned)
    m += N_PAIRS + N_UNKNOWN
    size = max(view.base, 0)
    seen[m] = view.phase >> 1
    seen[m + 1] = 127 * place.j // place.n - 64
    seen[m + 2] = 127 * place.i // place.height - 64
    seen[m + 3] = 4 * min(min(place.i, place.j), 32) - 64
    seen[m + 4] = min(5 * level(size >> 5), MOST)
    seen[m + 5] = min(size >> 3, MOST)
    seen[m + 6] = min(size >> 6, MOST)
    seen[m + 7] = 64 * sign
    seen[m + 8] = min(8 * z, MOST)
    seen[m + 9] = 64 * near.turned
    seen[m + 10] = 64 if place.frame > 0 else 0
    seen[m + 11] = CONSTANT


@step
def _observe_opposites(seen, D, sign, z, turned):
    """Neighbours less their opposites; the opposite pixel less those whose counterparts are still to come."""
    seen[:] = 0
    if not turned:
        return
    # left, above, above left and above right; their opposites are right, below, below right and below left
    seen[0] = 32 * sign * clip(-D[N_NEAR + 2] >> (z + 8), 3)
    seen[1] = 32 * sign * clip((D[1] - D[N_NEAR + 4]) >> (z + 8), 3)
    seen[2] = 32 * sign * clip((D[2] - D[N_NEAR + 8]) >> (z + 8), 3)
    seen[3] = 32 * sign * clip((D[3] - D[N_NEAR + 7]) >> (z + 8), 3)
    for k in range(N_UNKNOWN):
        other = D[N_NEAR] - D[N_NEAR + (1, 3, 5, 6)[k]]
        seen[N_PAIRS + k] = clip(4 * sign * _signed_level(other >> (z + 8)), MOST)


@njit(cache=True, nogil=True)
def _signed_level(value):
    return level(value) if value >= 0 else -level(-value)
