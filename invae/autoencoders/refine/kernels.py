"""Kernels over patches: load and turn, map and average.

Patches are sorted by their gates before they are mapped, so that each map is read once for many.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from invae.autoencoders.refine.patches import PatchGrid

__all__ = ["gather_patches", "map_patches", "sort_labels", "turn_rows"]

SUMS = {"reassoc", "contract", "nnan", "nsz"}  # sums and maxima may be reordered, infinities are kept


def gather_patches(
    mirrored: np.ndarray, grid: PatchGrid, patches: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fill `patches` (B * patches, >= C * window size) from mirrored images (B, C, ., .), turned.

    Returns their turns, and the root mean square of their channel 0 about its mean, (B * patches,) each.
    """
    n_channels, rows, columns = mirrored.shape[1:]
    width = grid.window[1]
    table = grid.turns(grid.window)
    table = table // width * columns + table % width
    table = np.concatenate([table + channel * rows * columns for channel in range(n_channels)], axis=1)
    corners = (grid.centres[0][:, None] * columns + grid.centres[1]).ravel()
    turns, spread = np.empty(len(patches), np.int64), np.empty(len(patches), mirrored.dtype)
    flat = mirrored.reshape(len(mirrored), -1)
    slopes = grid.slopes.astype(mirrored.dtype)
    _gather(flat, corners, columns, grid.window, slopes, table, patches, turns, spread)
    return turns, spread


@njit(nogil=True, cache=True, fastmath=SUMS)
def _gather(flat, corners, columns, window, slopes, table, patches, turns, spread):
    size, whole = window[0] * window[1], table.shape[1]
    raw = np.empty(size, flat.dtype)
    at = 0
    for b in range(len(flat)):
        image = flat[b]
        for corner in corners:
            total = image[corner] * 0
            down, right, power = total, total, total
            t = 0
            for i in range(window[0]):
                for j in range(window[1]):
                    raw[t] = image[corner + i * columns + j]
                    t += 1
            for t in range(size):
                total += raw[t]
                down += slopes[0, t] * raw[t]
                right += slopes[1, t] * raw[t]
            mean = total / size
            for t in range(size):
                power += (raw[t] - mean) ** 2
            turn = 0
            if len(table) > 1:
                turn = (down < 0) + 2 * (right < 0)
                if len(table) == 8 and abs(right) > abs(down):
                    turn += 4
            places, patch = table[turn], patches[at]
            for t in range(size):
                patch[t] = image[corner + places[t]] - mean
            for t in range(size, whole):
                patch[t] = image[corner + places[t]]
            turns[at] = turn
            spread[at] = math.sqrt(power / size)
            at += 1


@njit(nogil=True, cache=True, fastmath=SUMS)
def _add_two_products(first, second, matrix, one, two):
    """one += first @ matrix and two += second @ matrix, four rows at a time, each read once."""
    for i in range(0, len(matrix), 4):
        a, b, c, d = first[i], first[i + 1], first[i + 2], first[i + 3]
        e, f, g, h = second[i], second[i + 1], second[i + 2], second[i + 3]
        for t in range(len(one)):
            p, q, r, s = matrix[i, t], matrix[i + 1, t], matrix[i + 2, t], matrix[i + 3, t]
            one[t] += a * p + b * q + c * r + d * s
            two[t] += e * p + f * q + g * r + h * s


@njit(nogil=True, cache=True)
def sort_labels(labels, n):
    """Order (P,) that sorts labels below n, equal ones in place, and where each label begins, (n + 1,)."""
    ends = np.zeros(n + 1, np.int64)
    for label in labels:
        ends[label + 1] += 1
    for k in range(n):
        ends[k + 1] += ends[k]
    order = np.empty(len(labels), np.int64)
    following = ends[:-1].copy()
    for i in range(len(labels)):
        order[following[labels[i]]] = i
        following[labels[i]] += 1
    return order, ends


@njit(nogil=True, cache=True)
def turn_rows(rows, turns, table):
    """Turn every row by its own turn, in place."""
    copy = np.empty(rows.shape[1], rows.dtype)
    for i in range(len(rows)):
        copy[:] = rows[i]
        for t in range(rows.shape[1]):
            rows[i, t] = copy[table[turns[i], t]]


@njit(nogil=True, cache=True)
def map_patches(patches, turns, order, ends, maps, offsets, places, table, out):
    """Add to flat images the affine map of each patch's gate, turned back.

    Patch i has its core at ``places[i] + table[turns[i]]`` of `out`; ``order``, ``ends`` from `sort_labels`;
    `maps` (K, patch size, core size) and `offsets` (K, core size) are `padded`.
    """
    one, two = np.empty(maps.shape[2], out.dtype), np.empty(maps.shape[2], out.dtype)
    size = table.shape[1]
    for k in range(len(maps)):
        for i in range(ends[k], ends[k + 1], 2):
            first, second = order[i], order[min(i + 1, ends[k + 1] - 1)]
            one[:] = offsets[k]
            two[:] = offsets[k]
            _add_two_products(patches[first], patches[second], maps[k], one, two)
            core = table[turns[first]]
            for t in range(size):
                out[places[first] + core[t]] += one[t]
            if second != first:
                core = table[turns[second]]
                for t in range(size):
                    out[places[second] + core[t]] += two[t]
