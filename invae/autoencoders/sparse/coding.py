"""Sparse codes of signals in a dictionary of unit-norm atoms.

For rows x and a dictionary D (n, l), overcomplete when l > n:

* `fista`: the minimiser of ||x - D z||^2 + w ||z||_1, by accelerated proximal steps with restart;
* `orthogonal_matching_pursuit`: greedy, one atom at a time, with least squares on those chosen, until a
  number of atoms or a size of the error is reached;
* `threshold`: soft thresholding, the last step of a feed-forward encoder.

References
----------
[1] Beck, Teboulle (2009), A fast iterative shrinkage-thresholding algorithm. Deviation: momentum restarts
    whenever it points uphill (O'Donoghue, Candes 2015).
[2] Rubinstein, Zibulevsky, Elad (2008), Efficient implementation of the K-SVD algorithm using batch
    orthogonal matching pursuit (the Gram matrix and the progressive Cholesky factor).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.errors import InputError

__all__ = ["fista", "lasso_loss", "orthogonal_matching_pursuit", "threshold"]


def threshold(values: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """Shrink towards zero: sign(v) (|v| - level)_+.

    >>> threshold(np.array([-3.0, 0.5, 2.0]), 1.0)
    array([-2.,  0.,  1.])
    """
    return values - np.clip(values, -level, level)


def lasso_loss(X: np.ndarray, D: np.ndarray, Z: np.ndarray, weight: float) -> np.ndarray:
    """||x - D z||^2 + w ||z||_1 of every row, shape (N,)."""
    residual = X - Z @ D.T
    return np.einsum("ij,ij->i", residual, residual) + weight * np.abs(Z).sum(axis=1)


def fista(
    X: np.ndarray,
    D: np.ndarray,
    weight: float,
    n_steps: int = 200,
    tol: float = 1e-5,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Codes of least ||x - D z||^2 + w ||z||_1.

    Parameters
    ----------
    X : ndarray of shape (N, n)
    D : ndarray of shape (n, l)
    weight : float
        w >= 0.
    n_steps : int
        Most steps; one costs N l^2 multiplications.
    tol : float
        A row is done when none of its codes changes by more than this part of its largest.
    start : ndarray of shape (N, l), optional
        First guess, 0 by default.

    Returns
    -------
    ndarray of shape (N, l)
        Exact zeros where a code is off. Keeps the dtype of X.
    """
    real = X.dtype.type
    G = (D.T @ D).astype(X.dtype)
    step = 1.0 / (2.0 * largest_eigenvalue(G))
    goal = (X @ D).astype(X.dtype)
    Z = np.zeros_like(goal) if start is None else np.array(start, X.dtype)
    # every row has its own momentum and its own end, so that its code does not depend on the other rows
    rows = np.arange(len(Z))
    z, y, target, t = Z.copy(), Z, goal, np.ones((len(Z), 1), X.dtype)
    for _ in range(n_steps):
        new = threshold(y - real(2 * step) * (y @ G - target), real(weight * step))
        change = new - z
        uphill = np.einsum("ij,ij->i", y - new, change) > 0
        t[uphill] = 1
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        y = new + (t - 1) / t_new * change
        z, t = new, t_new
        moving = np.abs(change).max(axis=1) > tol * np.abs(z).max(axis=1)
        if not moving.all():
            Z[rows] = z
            rows, z, y, target, t = rows[moving], z[moving], y[moving], target[moving], t[moving]
            if not len(rows):
                break
    Z[rows] = z
    return Z


def largest_eigenvalue(G: np.ndarray, n_steps: int = 50) -> float:
    """Upper estimate of the largest eigenvalue of a Gram matrix: power iteration, and 2 % on top."""
    v = np.ones(len(G)) / np.sqrt(len(G)) + np.linspace(-0.1, 0.1, len(G))
    size = 1.0
    for _ in range(n_steps):
        v = G @ v
        size = np.linalg.norm(v)
        if size == 0:
            return 1.0
        v /= size
    return float(1.02 * size)


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
    for first in range(0, len(rows), 512):
        cut = slice(first, first + 512)
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
