"""Greedy sparse codes of signals in a dictionary of unit-norm atoms.

For rows x and a dictionary D (n, l), overcomplete when l > n, orthogonal matching pursuit takes one atom at a
time, with least squares on those chosen, until a number of atoms or a size of the error is reached.

References
----------
[1] Rubinstein, Zibulevsky, Elad (2008), Efficient implementation of the K-SVD algorithm using batch
    orthogonal matching pursuit (the Gram matrix and the progressive Cholesky factor).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.errors import InputError

__all__ = ["orthogonal_matching_pursuit"]

BATCH = 512  # signals whose correlations with all atoms are held at once


def orthogonal_matching_pursuit(
    X: np.ndarray, D: np.ndarray, n_nonzero: int | None = None, tolerance: float | np.ndarray = 0.0
) -> np.ndarray:
    """Greedy codes: add the atom that correlates most with the error, refit, until either limit is met.

    Parameters
    ----------
    X : ndarray of shape (N, n)
    D : ndarray of shape (n, l)
        Unit-norm columns.
    n_nonzero : int, optional
        Most atoms of a code, n by default.
    tolerance : float or ndarray of shape (N,)
        Stop when ||x - D z|| is at most this.

    Returns
    -------
    ndarray of shape (N, l)
    """
    n, l = D.shape
    most = min(n, l) if n_nonzero is None else int(n_nonzero)
    if not 1 <= most <= min(n, l):
        raise InputError(f"n_nonzero={n_nonzero} is not in 1..min(n={n}, l={l})={min(n, l)}")
    D = np.asarray(D, np.float64)
    rows = np.asarray(X, np.float64)
    limits = np.broadcast_to(np.asarray(tolerance, np.float64) ** 2, (len(rows),))
    Z = np.zeros((len(rows), l))
    G = D.T @ D
    for first in range(0, len(rows), BATCH):
        cut = slice(first, first + BATCH)
        energy = np.einsum("ij,ij->i", rows[cut], rows[cut])
        _batch_omp(G, rows[cut] @ D, energy, np.ascontiguousarray(limits[cut]), most, Z[cut])
    return Z.astype(X.dtype)


@njit(cache=True, nogil=True)
def _batch_omp(G, correlations, energy, limits, most, Z):
    l = len(G)
    L = np.zeros((most, most))
    chosen = np.zeros(most, np.int64)
    solution, work = np.zeros(most), np.zeros(most)
    for i in range(len(correlations)):
        alpha = correlations[i].copy()
        free = np.ones(l, np.bool_)
        left, k = energy[i], 0
        while k < most and left > limits[i]:
            best, j = 0.0, -1
            for a in range(l):
                if free[a] and abs(alpha[a]) > best:
                    best, j = abs(alpha[a]), a
            if j < 0 or best * best <= 1e-24 * energy[i]:
                break
            # extend the Cholesky factor of the chosen atoms' Gram matrix
            pivot = G[j, j]
            for a in range(k):
                value = G[chosen[a], j]
                for b in range(a):
                    value -= L[a, b] * L[k, b]
                L[k, a] = value / L[a, a]
                pivot -= L[k, a] ** 2
            free[j] = False
            if pivot <= 1e-10:  # the atom lies in the span of those chosen
                continue
            L[k, k] = np.sqrt(pivot)
            chosen[k] = j
            k += 1
            for a in range(k):
                value = correlations[i, chosen[a]]
                for b in range(a):
                    value -= L[a, b] * work[b]
                work[a] = value / L[a, a]
            for a in range(k - 1, -1, -1):
                value = work[a]
                for b in range(a + 1, k):
                    value -= L[b, a] * solution[b]
                solution[a] = value / L[a, a]
            alpha[:] = correlations[i]
            left = energy[i]
            for a in range(k):
                left -= solution[a] * correlations[i, chosen[a]]
                for b in range(l):
                    alpha[b] -= solution[a] * G[chosen[a], b]
        for a in range(k):
            Z[i, chosen[a]] = solution[a]
