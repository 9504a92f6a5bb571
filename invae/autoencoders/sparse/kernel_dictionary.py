"""Dictionaries that do not depend on place: every shift of a few small kernels is an atom.

    x = sum_k d_k * z_k          kernels d_k of shape S and unit norm, one map z_k of codes for each

At the boundary one of two rules holds:

* "open": maps are larger than the signal by S - 1 on every axis, so that kernels may hang over its edge;
  what hangs over is cut off. Code g of a map belongs to the atom whose *last* sample lies at g, so a kernel
  is whole for S - 1 <= g < n. A cut atom has a norm below 1.
* "periodic": maps are as large as the signal, which is taken to repeat.

All products are taken in Fourier space. With D(f) = (d_1(f) ... d_K(f)) the row of the kernels' transforms,
the periodic map has the squared norm max_f ||D(f)||^2, exactly; the open map is a part of a periodic one on
the larger grid, so that the same figure, there, bounds it from above.

References
----------
[1] Garcia-Cardona, Wohlberg (2018), Convolutional dictionary learning: a comparative review and new
    algorithms, sections II and V (boundaries).
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from scipy import fft

from invae.errors import InputError

__all__ = ["BOUNDARIES", "KernelDictionary"]

BOUNDARIES = ("open", "periodic")


class KernelDictionary:
    """The linear map from maps of codes (N, K, *grid) to signals (N, *shape), and its adjoint.

    Parameters
    ----------
    kernels : ndarray of shape (K, *S)
    shape : tuple of int
        Of a signal, as many axes as S.
    boundary : {"open", "periodic"}

    Attributes
    ----------
    grid : tuple of int
        Shape of one map.
    norms : ndarray of shape (K, *grid)
        ||atom|| of every code; 1 where unit-norm kernels are not cut.

    Raises
    ------
    InputError
        A kernel that is larger than the signal, or has another number of axes.

    Examples
    --------
    >>> kernel = np.array([[0.6, 0.8]])
    >>> D = KernelDictionary(kernel, (4,), "open")
    >>> Z = np.zeros((1, 1, *D.grid)); Z[0, 0, 2] = 1
    >>> bool(np.allclose(D.decode(Z), [[0, 0.6, 0.8, 0]]))
    True
    """

    def __init__(self, kernels: np.ndarray, shape: tuple[int, ...], boundary: str = "open") -> None:
        size = kernels.shape[1:]
        if boundary not in BOUNDARIES:
            raise InputError(f"boundary={boundary!r} is unknown; choose one of {', '.join(BOUNDARIES)}")
        if len(size) != len(shape) or any(s > n for s, n in zip(size, shape)):
            raise InputError(
                f"kernels of shape {size} do not fit signals of shape {tuple(shape)}; use smaller ones"
            )
        self.kernels, self.shape, self.boundary = kernels, tuple(shape), boundary
        self.axes = tuple(range(-len(shape), 0))
        if boundary == "open":
            self.grid = tuple(n + s - 1 for n, s in zip(shape, size))
            self.period = tuple(fft.next_fast_len(g, real=True) for g in self.grid)
            self._inside = tuple(slice(s - 1, s - 1 + n) for n, s in zip(shape, size))
        else:
            self.grid = self.period = self.shape
            self._inside = tuple(slice(0, n) for n in shape)

    @property
    def code_shape(self) -> tuple[int, ...]:
        return (len(self.kernels), *self.grid)

    @property
    def n_codes(self) -> int:
        return math.prod(self.code_shape)

    @cached_property
    def spectrum(self) -> np.ndarray:
        """Transforms of the kernels on the periodic grid, (K, *frequencies)."""
        return self._forward(self.kernels)

    @cached_property
    def squared_norm(self) -> float:
        """max_f sum_k |d_k(f)|^2: the largest eigenvalue of D D^T (periodic), an upper bound of it (open)."""
        return float((np.abs(self.spectrum) ** 2).sum(axis=0, dtype=np.float64).max())

    @property
    def curvature(self) -> float:
        """The same, beyond the rounding of the transforms and above zero."""
        return 1.0001 * max(self.squared_norm, 1e-300)

    @cached_property
    def norms(self) -> np.ndarray:
        inside = self._embed(np.ones((1, *self.shape), np.float64))
        energy = self._backward(np.conj(self._forward(self.kernels.astype(np.float64) ** 2)) * inside)
        return np.sqrt(np.maximum(energy[self._codes], 0.0)).astype(self.kernels.dtype)

    def decode(self, Z: np.ndarray) -> np.ndarray:
        """sum_k d_k * z_k of maps (N, K, *grid), (N, *shape)."""
        return self._crop((self._forward(Z) * self.spectrum).sum(axis=1))

    def correlate(self, X: np.ndarray) -> np.ndarray:
        """The adjoint: inner products of signals (N, *shape) with every atom, (N, K, *grid)."""
        transforms = np.conj(self.spectrum) * self._embed(X)[:, None]
        return self._backward(transforms)[(slice(None), *self._codes)]

    def observed(self, X: np.ndarray) -> np.ndarray:
        """The signals themselves."""
        return X

    def half_gradient(self, Z: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """D^T (D z - x), (N, K, *grid)."""
        return self.correlate(self.decode(Z) - observed)

    def kernel_gradient(self, Z: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """sum over samples of <residual, moved codes>: minus half the gradient of the squared error."""
        moved = np.conj(self._forward(Z)) * self._embed(residual)[:, None]
        return self._backward(moved.sum(axis=0))[self._kernel_places]

    def code_correlations(self, Z: np.ndarray) -> np.ndarray:
        """c_ij(lag) = sum over samples and places g of z_i(g) z_j(g + lag), |lag| < S; (K, K, *(2 S - 1)).

        Lag 0 stands first and negative lags at the end of their axis, as in a discrete Fourier transform.
        """
        transforms = self._forward(Z)
        K, size = len(self.kernels), self.kernels.shape[1:]
        keep = [np.r_[0:s, p - s + 1 : p] for s, p in zip(size, self.period)]
        table = np.empty((K, K, *(len(k) for k in keep)))
        for i in range(K):
            product = np.einsum("n...,nj...->j...", np.conj(transforms[:, i]), transforms)
            table[i] = self._backward(product)[np.ix_(range(K), *keep)]
        return table

    def atom(self, k: int, place: tuple[int, ...]) -> np.ndarray:
        """One atom as a signal, of shape ``shape``: the column of the code at ``place`` of map k."""
        extended = np.zeros(self.period, self.kernels.dtype)
        places = [(g + np.arange(s)) % p for g, s, p in zip(place, self.kernels.shape[1:], self.period)]
        extended[np.ix_(*places)] = self.kernels[k]
        return extended[self._inside]

    @property
    def _codes(self) -> tuple:
        return (slice(None), *(slice(0, g) for g in self.grid))

    @property
    def _kernel_places(self) -> tuple:
        return (slice(None), *(slice(0, s) for s in self.kernels.shape[1:]))

    def _forward(self, values: np.ndarray) -> np.ndarray:
        return fft.rfftn(values, self.period, axes=self.axes)

    def _backward(self, transforms: np.ndarray) -> np.ndarray:
        return fft.irfftn(transforms, self.period, axes=self.axes)

    def _embed(self, X: np.ndarray) -> np.ndarray:
        """Transform of signals put inside the larger grid, zeros around them."""
        if self.period == self.shape:
            return self._forward(X)
        extended = np.zeros((len(X), *self.period), X.dtype)
        extended[(slice(None), *self._inside)] = X
        return self._forward(extended)

    def _crop(self, transforms: np.ndarray) -> np.ndarray:
        return self._backward(transforms)[(slice(None), *self._inside)]
