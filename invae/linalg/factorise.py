"""Rank-revealing factorisations with fixed signs: symmetric eigenproblems and thin SVDs.

The thin SVD of a (k, m) matrix goes through the smaller side. Up to `DIRECT` rows or columns it is taken
directly; beyond, through the eigenproblem of the smaller Gram matrix, several times faster and exact to
sqrt(eps) relative to the largest singular value. Directions below the numerical rank are left out: maps
built on them are pseudo-inverses.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from invae.linalg.filters import numerical_rank

__all__ = ["fix_signs", "row_gram", "symmetric_eigen", "thin_svd"]

Array = NDArray[np.float64]

DIRECT = 400  # rows or columns up to which a direct SVD is taken


def symmetric_eigen(matrix: np.ndarray, rtol: float | None = None) -> tuple[Array, Array]:
    """Eigenpairs of a symmetric positive semidefinite matrix, largest first, up to its numerical rank.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
    rtol : float, optional
        Eigenvalues up to ``rtol`` times the largest count as zero; default n times machine epsilon.

    Returns
    -------
    values : ndarray of shape (q,)
    vectors : ndarray of shape (n, q)
        In each column the entry of largest magnitude is positive.

    Examples
    --------
    >>> import numpy as np
    >>> values, vectors = symmetric_eigen(np.diag([1.0, 0.0, 4.0]))
    >>> values, vectors.shape
    (array([4., 1.]), (3, 2))
    """
    values, vectors = scipy.linalg.eigh(matrix, check_finite=False, driver="evd")
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    q = numerical_rank(values, len(values), rtol)
    return values[:q].copy(), fix_signs(np.ascontiguousarray(vectors[:, :q]))


def thin_svd(matrix: np.ndarray, rtol: float | None = None) -> tuple[Array, Array, Array]:
    """Factors U (k, q), s (q,), Vt (q, m) of a (k, m) matrix of numerical rank q; signs fixed on U."""
    k, m = matrix.shape
    if min(k, m) <= DIRECT:
        U, s, Vt = scipy.linalg.svd(matrix, full_matrices=False, check_finite=False)
        q = numerical_rank(s, max(k, m), rtol)
        U, s, Vt = U[:, :q], s[:q], Vt[:q]
    elif k <= m:
        power, U = symmetric_eigen(matrix @ matrix.T, None if rtol is None else rtol**2)
        s = np.sqrt(power)
        Vt = (U / s).T @ matrix
    else:
        power, V = symmetric_eigen(matrix.T @ matrix, None if rtol is None else rtol**2)
        s, Vt = np.sqrt(power), V.T
        U = matrix @ (V / s)
    signs = _signs(U)
    return U * signs, s, Vt * signs[:, None]


def row_gram(rows: np.ndarray, block: int = 8192) -> Array:
    """rows @ rows.T in float64, block by block, so that float32 rows are never copied whole."""
    if rows.dtype == np.float64:
        return rows @ rows.T
    out = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], block):
        part = rows[:, start : start + block].astype(np.float64)
        out += part @ part.T
    return out


def fix_signs(columns: np.ndarray) -> np.ndarray:
    """Turn each column so that its entry of largest magnitude is positive."""
    return columns * _signs(columns)


def _signs(columns: np.ndarray) -> np.ndarray:
    if columns.size == 0:
        return np.ones(columns.shape[1], columns.dtype)
    largest = columns[np.abs(columns).argmax(axis=0), np.arange(columns.shape[1])]
    return np.where(largest < 0, -1.0, 1.0).astype(columns.dtype)
