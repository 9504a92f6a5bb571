"""Stationary covariance kernels on a grid, applied and sampled by FFT.

The Matern kernel of smoothness nu and length l, at distance d (in pixels):

    k(d) = 2^{1-nu} / Gamma(nu) t^nu K_nu(t),   t = sqrt(2 nu) d / l,   k(0) = 1

nu = 1/2 is the exponential kernel exp(-d / l), nu = inf the Gaussian exp(-d^2 / (2 l^2)). On a grid the
matrix K_ij = k(|p_i - p_j|) is block Toeplitz: a part of a circulant matrix on a grid at least twice as
large, so that K v costs two FFTs and is exact. The same embedding gives samples [1]; they are exact when
its spectrum is non-negative, and the few negative values that a long kernel leaves are set to 0.

References
----------
[1] Dietrich, Newsam (1997), Fast and exact simulation of stationary Gaussian processes.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from invae.errors import InputError

__all__ = ["CosineModes", "MaternKernel", "matern"]

Array = NDArray[np.float64]


def matern(distance: np.ndarray, length_scale: float, smoothness: float) -> Array:
    """Matern correlation at the given distances.

    Examples
    --------
    >>> import numpy as np
    >>> matern(np.array([0.0, 2.0]), length_scale=2.0, smoothness=0.5).round(4)
    array([1.    , 0.3679])
    """
    scaled = np.asarray(distance, np.float64) / length_scale
    if smoothness > 100:  # within 0.003 of the limit, and K_nu overflows
        return np.exp(-0.5 * scaled**2)
    t = math.sqrt(2 * smoothness) * scaled
    if smoothness == 0.5:
        return np.exp(-t)
    if smoothness == 1.5:
        return (1 + t) * np.exp(-t)
    if smoothness == 2.5:
        return (1 + t + t**2 / 3) * np.exp(-t)
    from scipy.special import gammaln, kve

    out = np.ones_like(t)
    far = t > 0
    log = smoothness * np.log(t[far]) - t[far] + (1 - smoothness) * math.log(2) - gammaln(smoothness)
    with np.errstate(over="ignore", invalid="ignore"):
        out[far] = np.exp(log) * kve(smoothness, t[far])
    return np.where(np.isfinite(out), np.minimum(out, 1.0), 1.0)  # not finite: t too small for K_nu, k = 1


class MaternKernel:
    """Correlation matrix K of a Matern field on a grid of unit spacing.

    Parameters
    ----------
    shape : tuple of int
        Grid of the signal, n = prod(shape).
    length_scale : float
        In pixels, > 0.
    smoothness : float, default 0.5
        nu > 0; 0.5 exponential, inf Gaussian.
    """

    def __init__(self, shape: tuple[int, ...], length_scale: float, smoothness: float = 0.5) -> None:
        self.shape = tuple(int(size) for size in shape)
        if not length_scale > 0 or math.isinf(length_scale):
            raise InputError(f"length_scale={length_scale} must be a positive number of pixels")
        if not smoothness > 0:
            raise InputError(f"smoothness={smoothness} must be > 0; 0.5 is the exponential kernel")
        self.length_scale, self.smoothness = float(length_scale), float(smoothness)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def spectrum(self) -> Array:
        """Eigenvalues of the circulant embedding, on the half grid of a real FFT."""
        grid = [scipy.fft.next_fast_len(2 * size, real=True) for size in self.shape]
        lags = [np.minimum(np.arange(g), g - np.arange(g)) for g in grid]
        distance = np.sqrt(sum(np.square(lag, dtype=np.float64) for lag in np.ix_(*lags)))
        self._grid = grid
        return scipy.fft.rfftn(matern(distance, self.length_scale, self.smoothness)).real

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, n) times K; float32 or float64 is kept."""
        spectrum = self.spectrum.astype(rows.dtype)
        out = np.empty_like(rows)
        axes = tuple(range(1, 1 + len(self.shape)))
        corner = (slice(None), *(slice(0, size) for size in self.shape))
        step = max(1, 2**24 // math.prod(self._grid))
        for start in range(0, len(rows), step):
            block = rows[start : start + step].reshape(-1, *self.shape)
            full = scipy.fft.irfftn(scipy.fft.rfftn(block, self._grid, axes) * spectrum, self._grid, axes)
            out[start : start + step] = full[corner].reshape(len(block), self.size)
        return out

    def sample(self, n_samples: int, rng: np.random.Generator) -> Array:
        """Fields of mean 0 and covariance K, rows (n_samples, n)."""
        root = np.sqrt(np.maximum(self.spectrum, 0.0))
        out = np.empty((n_samples, self.size))
        axes = tuple(range(len(self.shape)))
        corner = tuple(slice(0, size) for size in self.shape)
        for row in out:
            noise = scipy.fft.rfftn(rng.standard_normal(self._grid))
            row[:] = scipy.fft.irfftn(noise * root, self._grid, axes)[corner].ravel()
        return out

    def dense(self) -> Array:
        """K itself, shape (n, n)."""
        positions = np.stack(np.unravel_index(np.arange(self.size), self.shape), axis=1).astype(np.float64)
        square = (positions**2).sum(axis=1)
        distance2 = square[:, None] + square - 2 * positions @ positions.T
        return matern(np.sqrt(np.maximum(distance2, 0.0)), self.length_scale, self.smoothness)


class CosineModes:
    """The k lowest cosine modes of a grid: a common basis for low-rank Matern kernels of every length.

    With reflecting boundaries (the field continues as its mirror image) a stationary kernel is diagonal
    in the DCT-II basis, and the eigenvalues are the kernel's spectrum on the grid of twice the size.
    They fall with frequency for every Matern kernel, so that the same k modes lead for every length and
    smoothness: ``modes.T @ diag(eigenvalues(kernel)) @ modes`` is the best rank-k version of the reflected
    kernel, up to the grid's anisotropy.

    Parameters
    ----------
    shape : tuple of int
    k : int
        Number of modes, at most prod(shape).

    Attributes
    ----------
    modes : ndarray of shape (k, n)
        Orthonormal rows.
    """

    def __init__(self, shape: tuple[int, ...], k: int, dtype: type = np.float64) -> None:
        self.shape = tuple(shape)
        squares = [np.square(np.arange(size) / size) for size in self.shape]
        frequency2 = sum(np.ix_(*squares))
        order = np.argsort(frequency2, axis=None, kind="stable")[:k]
        self.index = np.unravel_index(order, self.shape)
        axes = [_cosines(size)[index] for size, index in zip(self.shape, self.index)]
        modes: np.ndarray = axes[0].astype(dtype)
        for axis in axes[1:]:
            modes = (modes[:, :, None] * axis[:, None, :].astype(dtype)).reshape(len(order), -1)
        self.modes = modes

    def eigenvalues(self, length_scale: float, smoothness: float) -> Array:
        """Power of each mode under a Matern kernel, shape (k,)."""
        return self._spectrum(length_scale, smoothness)[self.index]

    def cut_off(self, white: np.ndarray, length_scale: float, smoothness: float) -> np.ndarray:
        """Fields of the reflected kernel without these modes, from white noise (N, n)."""
        root = np.sqrt(self._spectrum(length_scale, smoothness))
        root[self.index] = 0.0
        axes = tuple(range(1, 1 + len(self.shape)))
        fields = scipy.fft.idctn(white.reshape(-1, *self.shape) * root, norm="ortho", axes=axes)
        return fields.reshape(white.shape)

    def variance(self, length_scale: float, smoothness: float) -> Array:
        """Variance of each pixel under the reflected kernel, shape (n,): 1 but near the edges."""
        power = self._spectrum(length_scale, smoothness)
        for axis, size in enumerate(self.shape):
            power = np.moveaxis(np.tensordot(_cosines(size).T ** 2, power, (1, axis)), 0, axis)
        return power.ravel()

    def _spectrum(self, length_scale: float, smoothness: float) -> Array:
        lags = [np.minimum(np.arange(2 * size), 2 * size - np.arange(2 * size)) for size in self.shape]
        distance = np.sqrt(sum(np.square(lag, dtype=np.float64) for lag in np.ix_(*lags)))
        spectrum = scipy.fft.fftn(matern(distance, length_scale, smoothness)).real
        return np.maximum(spectrum[tuple(slice(0, size) for size in self.shape)], 0.0)


def _cosines(size: int) -> Array:
    """Orthonormal DCT-II basis, one vector a row."""
    return scipy.fft.idct(np.eye(size), norm="ortho", axis=1)
