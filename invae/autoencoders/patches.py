"""Patches of images: where they lie, and the kernels that encode, gate, map and average them.

A patch is a window around a centre, over all channels of an image; its core is the smaller block that a map
writes. Channel 0 is centred by its mean over the window before anything else. The code of a patch p is

    [ V^T p_0 / (s + floor),  weight * log(s + floor) ],   s = root mean square of the centred p_0,

and its gate the nearest leaf below the nearest root of a tree of centroids of such codes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import njit

__all__ = ["PatchGrid", "gather_patches", "in_threads", "label_patches", "map_patches", "padded"]


SUMS = {"reassoc", "contract", "nnan", "nsz"}  # sums and maxima may be reordered, infinities are kept


@dataclass(frozen=True)
class PatchGrid:
    """Patches of a (rows, cols) image; window and core are odd, all in pixels along each axis."""

    dims: tuple[int, int]
    window: tuple[int, int]
    core: tuple[int, int]
    stride: tuple[int, int]

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the patch centres, such that the cores cover the image."""
        along = []
        for size, step in zip(self.dims, self.stride):
            places = np.arange(0, size, step)
            along.append(places if places[-1] == size - 1 else np.append(places, size - 1))
        return along[0], along[1]

    @property
    def n_patches(self) -> int:
        rows, columns = self.centres
        return len(rows) * len(columns)

    @property
    def core_index(self) -> np.ndarray:
        """Places of the core's pixels in a flattened one-channel window."""
        index = np.arange(math.prod(self.window)).reshape(self.window)
        cut = tuple(slice((w - c) // 2, (w + c) // 2) for w, c in zip(self.window, self.core))
        return index[cut].ravel()

    @property
    def counts(self) -> np.ndarray:
        """How many cores cover each pixel, (rows, cols)."""
        cover = []
        for places, core, size in zip(self.centres, self.core, self.dims):
            near = np.abs(np.arange(size)[:, None] - places[None, :]) <= core // 2
            cover.append(near.sum(axis=1))
        return np.outer(*cover)

    def mirror(self, images: np.ndarray) -> np.ndarray:
        """Images (B, C, rows, cols) with half a window mirrored onto each side."""
        (a, b) = (w // 2 for w in self.window)
        return np.pad(images, ((0, 0), (0, 0), (a, a), (b, b)), mode="symmetric")


def in_threads(work: Callable[[int, int], Any], n: int, chunk: int) -> None:
    """Call ``work(first, last)`` on chunks of range(n), shared among the threads that numba may use."""
    spans = [(first, min(first + chunk, n)) for first in range(0, n, chunk)]
    if len(spans) == 1 or numba.get_num_threads() == 1:
        for span in spans:
            work(*span)
        return
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(lambda span: work(*span), spans))


def padded(matrix: np.ndarray, dtype: np.dtype, fill: float = 0.0) -> np.ndarray:
    """Copy with as many rows and columns as the kernels unroll: multiples of 4 and of 16."""
    rows, columns = (-(-size // block) * block for size, block in zip(matrix.shape[-2:], (4, 16)))
    out = np.full((*matrix.shape[:-2], rows, columns), fill, dtype)
    out[..., : matrix.shape[-2], : matrix.shape[-1]] = matrix
    return out


@njit(nogil=True, cache=True, fastmath=SUMS)
def _load(image, row, column, height, width, patch):
    """Fill `patch` from the mirrored image (C, ., .) and centre channel 0; returns its root mean square."""
    at = 0
    for channel in range(image.shape[0]):
        for i in range(row, row + height):
            for j in range(column, column + width):
                patch[at] = image[channel, i, j]
                at += 1
    size = height * width
    mean = 0.0
    for i in range(size):
        mean += patch[i]
    mean /= size
    total = 0.0
    for i in range(size):
        value = patch[i] - mean
        patch[i] = value
        total += value * value
    return math.sqrt(total / size)


@njit(nogil=True, cache=True, fastmath=SUMS)
def _add_product(vector, matrix, out):
    """out += vector @ matrix, four rows at a time."""
    for i in range(0, len(matrix), 4):
        a, b, c, d = vector[i], vector[i + 1], vector[i + 2], vector[i + 3]
        for t in range(len(out)):
            out[t] += a * matrix[i, t] + b * matrix[i + 1, t] + c * matrix[i + 2, t] + d * matrix[i + 3, t]


@njit(nogil=True, cache=True, fastmath=SUMS)
def _nearest(code, centroids, half_norms, score):
    """Index of the nearest centroid, that of the largest c . z - |c|^2 / 2."""
    for k in range(len(score)):
        score[k] = -half_norms[k]
    _add_product(code, centroids, score)
    top = score[0]
    for k in range(1, len(score)):
        top = max(top, score[k])
    best = 0
    while score[best] != top and best < len(score) - 1:
        best += 1
    return best


@njit(nogil=True, cache=True, fastmath=SUMS)
def _gate(patch, spread, tables, code, score):
    """Gate of a loaded patch; `tables` are those of `Gate.tables`."""
    basis, floor, weight, roots, root_norms, leaves, leaf_norms, n_leaves = tables
    components = basis.shape[1]
    code[:] = 0
    _add_product(patch, basis, code[:components])
    scale = 1.0 / (spread + floor)
    for c in range(components):
        code[c] *= scale
    code[components] = weight * math.log(spread + floor)
    root = _nearest(code, roots, root_norms, score[: len(root_norms)])
    leaf = _nearest(code, leaves[root], leaf_norms[root], score[: leaf_norms.shape[1]])
    return root * n_leaves + leaf


@njit(nogil=True, cache=True)
def _workspace(images, window, tables):
    """Room for a patch, its code, and the scores of a gate."""
    basis, _, _, roots, root_norms, _, leaf_norms, _ = tables
    patch = np.zeros(max(images.shape[1] * window[0] * window[1], len(basis)) + 4, images.dtype)
    code = np.empty(len(roots), images.dtype)
    score = np.empty(max(len(root_norms), leaf_norms.shape[1]), images.dtype)
    return patch, code, score


@njit(nogil=True, cache=True)
def label_patches(images, rows, columns, window, tables, labels):
    """Gates (B * patches,) of mirrored images (B, C, ., .)."""
    patch, code, score = _workspace(images, window, tables)
    at = 0
    for b in range(len(images)):
        for row in rows:
            for column in columns:
                spread = _load(images[b], row, column, window[0], window[1], patch)
                labels[at] = _gate(patch, spread, tables, code, score)
                at += 1


@njit(nogil=True, cache=True)
def gather_patches(images, rows, columns, window, patches):
    """All patches of mirrored images as rows (B * patches, C * window size), channel 0 centred."""
    at = 0
    for b in range(len(images)):
        for row in rows:
            for column in columns:
                _load(images[b], row, column, window[0], window[1], patches[at])
                at += 1


@njit(nogil=True, cache=True)
def map_patches(images, rows, columns, window, core, tables, maps, offsets, out):
    """Add to `out` (B, rows, cols), over all patches of mirrored images, the affine map of the patch's gate.

    `maps` (K, C * window size, core size) and `offsets` (K, core size) are `padded`.
    """
    patch, code, score = _workspace(images, window, tables)
    block = np.empty(maps.shape[2], images.dtype)
    up, left = core[0] // 2, core[1] // 2
    n_rows, n_columns = out.shape[1], out.shape[2]
    for b in range(len(images)):
        for row in rows:
            for column in columns:
                spread = _load(images[b], row, column, window[0], window[1], patch)
                k = _gate(patch, spread, tables, code, score)
                block[:] = offsets[k]
                _add_product(patch, maps[k], block)
                t = 0
                for i in range(row - up, row - up + core[0]):
                    for j in range(column - left, column - left + core[1]):
                        if 0 <= i < n_rows and 0 <= j < n_columns:
                            out[b, i, j] += block[t]
                        t += 1
