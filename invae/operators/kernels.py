"""Blur kernels: arrays with their centre at index size // 2, of sum one."""

from __future__ import annotations

import math

import numpy as np

from invae.errors import InputError

__all__ = ["gaussian_kernel", "motion_kernel"]


def gaussian_kernel(
    sigma: float | tuple[float, ...], ndim: int = 2, *, angle: float = 0.0, truncate: float = 4.0
) -> np.ndarray:
    """Sampled Gaussian exp(-|x|^2 / (2 sigma^2)) of sum one.

    Parameters
    ----------
    sigma : float or tuple of float
        Standard deviation in pixels, one for all axes or one for each.
    ndim : int
        Number of axes.
    angle : float
        Radians by which a 2-D kernel is turned, anticlockwise as an image is displayed.
    truncate : float
        The kernel reaches ceil(truncate * sigma) pixels from its centre.

    Examples
    --------
    >>> gaussian_kernel(1.0).shape, gaussian_kernel((1.0, 3.0), angle=0.5).shape
    ((9, 9), (25, 25))
    """
    widths = np.broadcast_to(np.asarray(sigma, np.float64), (ndim,))
    if not (np.isfinite(widths).all() and (widths > 0).all()):
        raise InputError(
            f"sigma={sigma} must be positive (pixels), one number or one for each of {ndim} axes"
        )
    if angle and ndim != 2:
        raise InputError(f"angle turns 2-D kernels only, this one has {ndim} axes")
    reach = [math.ceil(truncate * w) for w in (np.full(2, widths.max()) if angle else widths)]
    grid = list(np.meshgrid(*(np.arange(-r, r + 1.0) for r in reach), indexing="ij"))
    if angle:
        c, s = math.cos(angle), math.sin(angle)
        down, right = grid
        grid = [c * down + s * right, c * right - s * down]
    kernel = np.exp(-0.5 * sum((g / w) ** 2 for g, w in zip(grid, widths)))
    return kernel / kernel.sum()


def motion_kernel(length: float, angle: float = 0.0, oversampling: int = 64) -> np.ndarray:
    """Uniform motion along a straight segment: 2-D kernel of sum one.

    Parameters
    ----------
    length : float
        Length of the path in pixels.
    angle : float
        Direction in radians, 0 along a row, anticlockwise as an image is displayed.
    oversampling : int
        Points of the path for each pixel; each point is shared bilinearly among its four pixels.

    Examples
    --------
    >>> np.round(motion_kernel(3.0)[1], 3)
    array([0.042, 0.292, 0.333, 0.292, 0.042])
    """
    if not 0 < length < np.inf:
        raise InputError(f"length={length} must be a positive number of pixels")
    n_points = max(2, math.ceil(length * oversampling))
    along = ((np.arange(n_points) + 0.5) / n_points - 0.5) * length
    x, y = along * math.cos(angle), -along * math.sin(angle)
    reach_x, reach_y = (max(1, math.ceil(float(np.abs(p).max()))) for p in (x, y))
    kernel = np.zeros((2 * reach_y + 1, 2 * reach_x + 1))
    column, row = np.floor(x), np.floor(y)
    for right in (0, 1):
        for down in (0, 1):
            weight = np.abs(1 - right - (x - column)) * np.abs(1 - down - (y - row))
            i, j = (row + down + reach_y).astype(int), (column + right + reach_x).astype(int)
            np.add.at(kernel, (np.clip(i, 0, len(kernel) - 1), np.clip(j, 0, kernel.shape[1] - 1)), weight)
    return kernel / kernel.sum()
