"""Greedy sparse maps of codes for a dictionary of shifted kernels: one atom at a time, with least squares on
those chosen, until a number of atoms or a size of the error is reached.

References
----------
[1] Pati, Rezaiifar, Krishnaprasad (1993), Orthogonal matching pursuit.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from invae.autoencoders.sparse.kernel_dictionary import KernelDictionary

__all__ = ["convolutional_pursuit"]

LEAST_NORM = 0.05  # atoms of which less than this is left within the signal are never chosen greedily


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
    size = float(np.linalg.norm(residual))
    free = inverse.copy()
    chosen: list[tuple[int, ...]] = []
    while len(chosen) < most and np.linalg.norm(residual) > max(limit, 1e-12 * size):
        scores = np.abs(dictionary.correlate(residual.reshape(1, *x.shape))[0]) * free
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(scores)), scores.shape))
        if scores[place] <= 1e-12 * size:
            break
        free[place] = 0.0
        atom = dictionary.atom(place[0], place[1:]).ravel()
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
