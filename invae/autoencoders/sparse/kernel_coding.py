"""Sparse maps of codes for a dictionary of shifted kernels.

* `convolutional_fista`: the minimiser of ||x - sum_k d_k * z_k||^2 + w sum_k ||z_k||_1;
* `convolutional_pursuit`: greedy, one atom at a time, with least squares on those chosen, until a number of
  atoms or a size of the error is reached.

References
----------
[1] Beck, Teboulle (2009), A fast iterative shrinkage-thresholding algorithm. Deviation: momentum restarts
    whenever it points uphill (O'Donoghue, Candes 2015).
[2] Pati, Rezaiifar, Krishnaprasad (1993), Orthogonal matching pursuit.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from invae.autoencoders.sparse.coding import threshold
from invae.autoencoders.sparse.kernel_dictionary import KernelDictionary

__all__ = ["convolutional_fista", "convolutional_loss", "convolutional_pursuit"]

LEAST_NORM = 0.05  # atoms of which less than this is left within the signal are never chosen greedily


def convolutional_loss(
    X: np.ndarray, dictionary: KernelDictionary, Z: np.ndarray, weight: float
) -> np.ndarray:
    """||x - sum_k d_k * z_k||^2 + w sum_k ||z_k||_1 of every sample, shape (N,)."""
    residual = _flat(X - dictionary.decode(Z))
    return np.einsum("ij,ij->i", residual, residual) + weight * np.abs(_flat(Z)).sum(axis=1)


def convolutional_fista(
    X: np.ndarray,
    dictionary: KernelDictionary,
    weight: float,
    n_steps: int = 200,
    tol: float = 1e-5,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Maps of least ||x - sum_k d_k * z_k||^2 + w sum_k ||z_k||_1.

    Parameters
    ----------
    X : ndarray of shape (N, *shape)
    dictionary : KernelDictionary
        Kernels of the dtype of X.
    weight : float
        w >= 0.
    n_steps : int
        Most steps; one costs 2 K + 2 Fourier transforms of every sample.
    tol : float
        A sample is done when none of its codes changes by more than this part of its largest.
    start : ndarray of shape (N, K, *grid), optional
        First guess, 0 by default.

    Returns
    -------
    ndarray of shape (N, K, *grid)
        Exact zeros where a code is off. Keeps the dtype of X.
    """
    real = X.dtype.type
    step = 1.0 / (2.0 * 1.0001 * max(dictionary.squared_norm, 1e-300))  # rounding of the transforms
    shape = (len(X), len(dictionary.kernels), *dictionary.grid)
    Z = np.zeros(shape, X.dtype) if start is None else np.array(start, X.dtype)
    rows = np.arange(len(Z))
    ones = (1,) * (Z.ndim - 1)
    z, y, target, t = Z.copy(), Z, X, np.ones((len(Z), *ones), X.dtype)
    for _ in range(n_steps):
        gradient = dictionary.correlate(dictionary.decode(y) - target)
        new = threshold(y - real(2 * step) * gradient, real(weight * step))
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


def convolutional_pursuit(
    X: np.ndarray,
    dictionary: KernelDictionary,
    n_nonzero: int,
    tolerance: float | np.ndarray = 0.0,
) -> np.ndarray:
    """Greedy maps: add the atom that correlates most with the error, refit, until either limit is met.

    Parameters
    ----------
    X : ndarray of shape (N, *shape)
    dictionary : KernelDictionary
    n_nonzero : int
        Most atoms of a code.
    tolerance : float or ndarray of shape (N,)
        Stop when ||x - x_hat|| is at most this.

    Returns
    -------
    ndarray of shape (N, K, *grid)
        A code is that of the kernel, not of the atom it was cut to at an open boundary.
    """
    exact = KernelDictionary(dictionary.kernels.astype(np.float64), dictionary.shape, dictionary.boundary)
    inverse = np.where(exact.norms > LEAST_NORM, 1 / np.maximum(exact.norms, LEAST_NORM), 0.0)
    limits = np.broadcast_to(np.asarray(tolerance, np.float64), (len(X),))
    Z = np.zeros((len(X), *inverse.shape))
    for row, (x, limit) in enumerate(zip(X.astype(np.float64), limits)):
        _pursue(x, exact, inverse, n_nonzero, limit, Z[row])
    return Z.astype(X.dtype)


def _pursue(
    x: np.ndarray,
    dictionary: KernelDictionary,
    inverse: np.ndarray,
    most: int,
    limit: float,
    Z: np.ndarray,
) -> None:
    """Fill the maps Z (K, *grid) of one signal. Atoms = basis @ triangle, basis orthonormal (QR)."""
    most = min(most, x.size)
    basis = np.empty((min(most, 32), x.size))
    columns: list[np.ndarray] = []
    residual = x.ravel().copy()
    size = np.linalg.norm(residual)
    free = inverse.copy()
    chosen: list[tuple[int, ...]] = []
    while len(chosen) < most and np.linalg.norm(residual) > max(limit, 1e-12 * size):
        scores = np.abs(dictionary.correlate(residual.reshape(1, *x.shape))[0]) * free
        place = np.unravel_index(np.argmax(scores), scores.shape)
        if scores[place] <= 1e-12 * size:
            break
        free[place] = 0.0
        atom = dictionary.atom(int(place[0]), place[1:]).ravel()
        used = basis[: len(chosen)]
        parts = used @ atom
        rest = atom - parts @ used
        again = used @ rest
        rest -= again @ used
        length = np.linalg.norm(rest)
        if length <= 1e-5 / inverse[place]:  # the atom lies in the span of those chosen
            continue
        k = len(chosen)
        if k == len(basis):
            basis = np.concatenate([basis, np.empty((min(k, most - k), x.size))])
        basis[k] = rest / length
        columns.append(np.append(parts + again, length))
        chosen.append(place)
        residual -= (basis[k] @ residual) * basis[k]
    if chosen:
        triangle = np.zeros((len(chosen), len(chosen)))
        for k, column in enumerate(columns):
            triangle[: k + 1, k] = column
        codes = solve_triangular(triangle, basis[: len(chosen)] @ x.ravel())
        Z[tuple(np.array(chosen).T)] = codes


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)
