"""The lasso over any dictionary: codes of least ||x - D z||^2 + w ||z||_1, D given by what it does.

References
----------
[1] Beck, Teboulle (2009), A fast iterative shrinkage-thresholding algorithm. Deviation: momentum restarts
    whenever it points uphill (O'Donoghue, Candes 2015).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

__all__ = ["Dictionary", "fista", "lasso_loss", "threshold"]


class Dictionary(Protocol):
    """A linear map D from codes (N, *code_shape) to signals (N, *shape), and what a solver needs of it."""

    @property
    def code_shape(self) -> tuple[int, ...]: ...

    @property
    def curvature(self) -> float:
        """An upper bound of the largest eigenvalue of D^T D."""

    def decode(self, Z: np.ndarray) -> np.ndarray:
        """D z of every sample."""

    def correlate(self, X: np.ndarray) -> np.ndarray:
        """D^T x of every sample."""

    def observed(self, X: np.ndarray) -> np.ndarray:
        """What `half_gradient` wants of signals, made once for many steps."""

    def half_gradient(self, Z: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """D^T (D z - x), half the gradient of the squared error."""


def threshold(values: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """Shrink towards zero: sign(v) (|v| - level)_+.

    >>> threshold(np.array([-3.0, 0.5, 2.0]), 1.0)
    array([-2.,  0.,  1.])
    """
    return values - np.clip(values, -level, level)


def lasso_loss(X: np.ndarray, dictionary: Dictionary, Z: np.ndarray, weight: float) -> np.ndarray:
    """||x - D z||^2 + w ||z||_1 of every sample, shape (N,)."""
    residual = _flat(X - dictionary.decode(Z))
    return np.einsum("ij,ij->i", residual, residual) + weight * np.abs(_flat(Z)).sum(axis=1)


def fista(
    X: np.ndarray,
    dictionary: Dictionary,
    weight: float,
    n_steps: int = 200,
    tol: float = 1e-5,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Codes of least ||x - D z||^2 + w ||z||_1.

    Parameters
    ----------
    X : ndarray of shape (N, *shape)
    dictionary : Dictionary
        Of the dtype of X.
    weight : float
        w >= 0.
    n_steps : int
        Most steps. With atoms one costs N l^2 multiplications, with K kernels 2 K + 2 Fourier transforms of
        every sample.
    tol : float
        A sample is done when none of its codes changes by more than this part of its largest.
    start : ndarray of shape (N, *code_shape), optional
        First guess, 0 by default.

    Returns
    -------
    ndarray of shape (N, *code_shape)
        Exact zeros where a code is off. Keeps the dtype of X.
    """
    real = X.dtype.type
    step = 1.0 / (2.0 * dictionary.curvature)
    Z = np.zeros((len(X), *dictionary.code_shape), X.dtype) if start is None else np.array(start, X.dtype)
    # every row has its own momentum and its own end, so that its code does not depend on the other rows
    rows = np.arange(len(Z))
    ones = (1,) * (Z.ndim - 1)
    z, y, target, t = Z.copy(), Z, dictionary.observed(X), np.ones((len(Z), *ones), X.dtype)
    for _ in range(n_steps):
        new = threshold(y - real(2 * step) * dictionary.half_gradient(y, target), real(weight * step))
        change = new - z
        uphill = np.einsum("ij,ij->i", _flat(y - new), _flat(change)) > 0
        t[uphill] = 1
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        y = new + (t - 1) / t_new * change
        z, t = new, t_new
        moving = np.abs(_flat(change)).max(axis=1) > tol * np.abs(_flat(z)).max(axis=1)
        if not moving.all():
            Z[rows] = z
            rows, z, y, target, t = rows[moving], z[moving], y[moving], target[moving], t[moving]
            if not len(rows):
                break
    Z[rows] = z
    return Z


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)
