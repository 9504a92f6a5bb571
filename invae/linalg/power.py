"""Power iteration: the largest eigenvalue of a symmetric positive semidefinite map that is only applied."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["largest_eigenvalue"]


def largest_eigenvalue(apply: Callable[[np.ndarray], np.ndarray], start: np.ndarray, n_iter: int) -> float:
    """lambda_max of ``apply`` from below, after ``n_iter`` steps x <- A x / ||A x||; 0 for a map to zero.

    Parameters
    ----------
    apply : callable
        x -> A x, arrays of the shape of ``start``, which is left as it is.
    start : ndarray
        Where to begin; any array that is not orthogonal to the leading eigenvector.
    n_iter : int
        The error falls as (lambda_2 / lambda_1)^(2 n_iter).

    Examples
    --------
    >>> round(largest_eigenvalue(lambda x: np.array([2.0, 1.0]) * x, np.ones(2), 30), 6)
    2.0
    """
    x, value = start, float(np.linalg.norm(start))
    for _ in range(n_iter):
        if value == 0:
            return 0.0
        x = apply(x / value)
        value = float(np.linalg.norm(x))
    return value
