"""Joseph's ray model: the coefficients of a line integral over an image of unit pixels, in one place.

A ray steps through the rows (or the columns, whichever it crosses more steeply); at each step the image
is interpolated linearly between the two neighbouring pixels and weighted by the length of the step:

    (F x)_i = length_i * sum_k [(1 - f_ik) x(k, p_ik) + f_ik x(k, p_ik + 1)],   p + f = start_i + slope_i * k.

The sparse matrix and the matrix-free products evaluate this same line, so the adjoint is exact.

References
----------
P. M. Joseph (1982), An improved algorithm for reprojecting rays through pixel images, IEEE Trans. Med.
Imaging 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.sparse import csr_array

__all__ = ["JosephProducts", "RayTable", "joseph_matrix", "ray_table"]


class RayTable(NamedTuple):
    """Rays as steps through an image of shape (rows, cols).

    Attributes
    ----------
    lines : ndarray of shape (R, 3)
        Start and slope of the position across, and the length of a step.
    spans : ndarray of shape (2, R, 2)
        First and last (exclusive) step that touches the image: in spans[0] for rays whose steps are rows, in
        spans[1] for rays whose steps are columns; (0, 0) where a ray is of the other kind.
    """

    lines: np.ndarray
    spans: np.ndarray


def ray_table(rays: np.ndarray, shape: tuple[int, int]) -> RayTable:
    """Steps of rays (R, 4), given as x, y, dx, dy, through a centred image of unit pixels."""
    x, y, dx, dy = rays.T
    n_rows, n_cols = shape
    by_column = np.abs(dx) > np.abs(dy)
    main, cross = np.where(by_column, dx, dy), np.where(by_column, dy, dx)
    slope = -cross / main
    start = np.where(
        by_column,
        (n_rows - 1) / 2 - y - (x + (n_cols - 1) / 2) * slope,
        (n_cols - 1) / 2 + x - ((n_rows - 1) / 2 - y) * slope,
    )
    length = np.hypot(dx, dy) / np.abs(main)
    steps, width = np.where(by_column, n_cols, n_rows), np.where(by_column, n_rows, n_cols)
    # Only steps with -1 < start + slope k < width touch the image; a level ray has all or none of them.
    level = np.abs(slope) < 1e-12
    safe = np.where(level, 1.0, slope)
    ends = np.sort(np.stack([(-1 - start) / safe, (width - start) / safe]), axis=0)
    first = np.where(level, 0, np.clip(np.floor(ends[0]), 0, steps))
    last = np.where(level, steps, np.clip(np.ceil(ends[1]) + 1, 0, steps))
    steps_touched = np.stack([first, np.maximum(first, last)], axis=1)
    spans = np.stack([np.where(chosen[:, None], steps_touched, 0) for chosen in (~by_column, by_column)])
    return RayTable(np.stack([start, slope, length], axis=1), spans.astype(np.int64))


def joseph_matrix(table: RayTable, shape: tuple[int, int]) -> csr_array:
    """Joseph's coefficients as a sparse matrix (R, rows * cols), float64."""
    n_rows, n_cols = shape
    indptr = np.cumsum(_row_sizes(*table, n_rows, n_cols))
    kind = np.int32 if max(indptr[-1], n_rows * n_cols) < 2**31 else np.int64
    indices, data = np.empty(indptr[-1], kind), np.empty(indptr[-1])
    _fill(*table, n_rows, n_cols, indptr, indices, data)
    return csr_array((data, indices, indptr.astype(kind)), shape=(len(table.lines), n_rows * n_cols))


class JosephProducts:
    """Matrix-free products for batches of up to `largest` samples, with working memory that is used again.

    Parameters
    ----------
    table : RayTable
    per_view : int
        Rays that make a view; they lie behind each other.
    shape : (int, int)
        Rows and columns of the image.
    largest : int
        Samples in a batch at most.
    dtype : dtype
        float32 or float64.
    """

    def __init__(
        self, table: RayTable, per_view: int, shape: tuple[int, int], largest: int, dtype: np.dtype
    ) -> None:
        self.table, self.per_view, self.shape = table, per_view, shape
        size = shape[0] * shape[1]
        self._images = np.empty((2, size * largest), dtype)
        self._rays = np.empty(len(table.lines) * largest, dtype)

    def forward(self, images: np.ndarray, out: np.ndarray) -> None:
        """Images (B, rows * cols) -> out (B, R)."""
        by_row, by_column, rays = self._views(len(images))
        _flip(images, by_row.reshape(-1, len(images)))
        by_column[:] = by_row.transpose(1, 0, 2)
        rays[:] = 0
        _gather(self.table.lines, self.table.spans[0], self.per_view, by_row, rays)
        _gather(self.table.lines, self.table.spans[1], self.per_view, by_column, rays)
        _flip(rays, out)

    def adjoint(self, measurements: np.ndarray, out: np.ndarray) -> None:
        """Measurements (B, R) -> out (B, rows * cols)."""
        by_row, by_column, rays = self._views(len(measurements))
        _flip(measurements, rays)
        by_row[:], by_column[:] = 0, 0
        _scatter(self.table.lines, self.table.spans[0], self.per_view, rays, by_row)
        _scatter(self.table.lines, self.table.spans[1], self.per_view, rays, by_column)
        by_row += by_column.transpose(1, 0, 2)
        _flip(by_row.reshape(-1, len(measurements)), out)

    def _views(self, n_samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The working memory as an image by rows, one by columns, and measurements, samples side by side."""
        n_rows, n_cols = self.shape
        images = self._images[:, : n_rows * n_cols * n_samples]
        rays = self._rays[: len(self.table.lines) * n_samples]
        return (
            images[0].reshape(n_rows, n_cols, n_samples),
            images[1].reshape(n_cols, n_rows, n_samples),
            rays.reshape(-1, n_samples),
        )


@njit(nogil=True, cache=True)
def _flip(array, out):
    """Transpose (p, q) into out (q, p) by blocks that fit the cache."""
    p, q = array.shape
    for first in range(0, q, 16):
        for i in range(p):
            for j in range(first, min(first + 16, q)):
                out[j, i] = array[i, j]


@njit(nogil=True, cache=True)
def _row_sizes(lines, spans, n_rows, n_cols):
    sizes = np.zeros(len(lines) + 1, np.int64)
    for i in range(len(lines)):
        kind = 1 if spans[1, i, 1] > 0 else 0
        width = n_rows if kind == 1 else n_cols
        for k in range(spans[kind, i, 0], spans[kind, i, 1]):
            p = math.floor(lines[i, 0] + lines[i, 1] * k)
            sizes[i + 1] += (0 <= p < width) + (0 <= p + 1 < width)
    return sizes


@njit(nogil=True, cache=True)
def _fill(lines, spans, n_rows, n_cols, indptr, indices, data):
    for i in range(len(lines)):
        kind = 1 if spans[1, i, 1] > 0 else 0
        width = n_rows if kind == 1 else n_cols
        step, stride = (1, n_cols) if kind == 1 else (n_cols, 1)
        at = indptr[i]
        for k in range(spans[kind, i, 0], spans[kind, i, 1]):
            exact = lines[i, 0] + lines[i, 1] * k
            p = math.floor(exact)
            f = exact - p
            if 0 <= p < width:
                indices[at] = k * step + p * stride
                data[at] = lines[i, 2] * (1 - f)
                at += 1
            if 0 <= p + 1 < width:
                indices[at] = k * step + (p + 1) * stride
                data[at] = lines[i, 2] * f
                at += 1


# The two kernels below take B samples side by side and, within a view, all rays of one step before the next:
# that image row and that view's measurements stay in the first-level cache. Loops over B are the vectorised
# ones.
@njit(nogil=True, cache=True)
def _gather(lines, spans, per_view, image, out):
    steps, width, n_samples = image.shape
    for view in range(0, len(lines), per_view):
        if spans[view : view + per_view, 1].max() == 0:
            continue
        for k in range(steps):
            for i in range(view, view + per_view):
                if k < spans[i, 0] or k >= spans[i, 1]:
                    continue
                exact = lines[i, 0] + lines[i, 1] * k
                p = math.floor(exact)
                f = exact - p
                near = out.dtype.type(lines[i, 2] * (1 - f))
                far = out.dtype.type(lines[i, 2] * f)
                if 0 <= p and p + 1 < width:
                    for b in range(n_samples):
                        out[i, b] += near * image[k, p, b] + far * image[k, p + 1, b]
                elif p == -1:
                    for b in range(n_samples):
                        out[i, b] += far * image[k, 0, b]
                elif p == width - 1:
                    for b in range(n_samples):
                        out[i, b] += near * image[k, p, b]


@njit(nogil=True, cache=True)
def _scatter(lines, spans, per_view, rays, image):
    steps, width, n_samples = image.shape
    for view in range(0, len(lines), per_view):
        if spans[view : view + per_view, 1].max() == 0:
            continue
        for k in range(steps):
            for i in range(view, view + per_view):
                if k < spans[i, 0] or k >= spans[i, 1]:
                    continue
                exact = lines[i, 0] + lines[i, 1] * k
                p = math.floor(exact)
                f = exact - p
                near = image.dtype.type(lines[i, 2] * (1 - f))
                far = image.dtype.type(lines[i, 2] * f)
                if 0 <= p and p + 1 < width:
                    for b in range(n_samples):
                        image[k, p, b] += near * rays[i, b]
                        image[k, p + 1, b] += far * rays[i, b]
                elif p == -1:
                    for b in range(n_samples):
                        image[k, 0, b] += far * rays[i, b]
                elif p == width - 1:
                    for b in range(n_samples):
                        image[k, p, b] += near * rays[i, b]
