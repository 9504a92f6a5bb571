"""Rows through an operator of any kind: invae, pylops, a dense or sparse matrix.

Estimators hold one sample per row; these helpers take the operator's own batch route where it has one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.sparse import issparse

from invae.linalg.power import largest_eigenvalue

__all__ = ["adjoint", "forward", "has_negative_entries", "operator_dims", "operator_norm"]

N_PROBES = 16


def forward(operator: Any, rows: np.ndarray) -> np.ndarray:
    """Rows (N, n) -> (N, m); ``operator`` None is the identity."""
    if operator is None:
        return rows
    if hasattr(operator, "apply"):
        return operator.apply(rows)
    return np.ascontiguousarray((operator @ rows.T).T)


def adjoint(operator: Any, rows: np.ndarray) -> np.ndarray:
    """Rows (N, m) -> (N, n) through the adjoint; ``operator`` None is the identity."""
    if operator is None:
        return rows
    if hasattr(operator, "apply_adjoint"):
        return operator.apply_adjoint(rows)
    transposed = operator.H if hasattr(operator, "H") else operator.T
    return np.ascontiguousarray((transposed @ rows.T).T)


def operator_dims(operator: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Signal and measurement shapes of an operator; flat where it only has a matrix shape."""
    m, n = operator.shape
    return tuple(getattr(operator, "dims", (n,))), tuple(getattr(operator, "dimsd", (m,)))


def operator_norm(operator: Any, n_iter: int = 60) -> float:
    """Largest singular value, by power iteration; 2 % are added, for the iteration comes from below."""
    start = np.random.default_rng(0).standard_normal((1, operator.shape[1]))
    power = largest_eigenvalue(lambda x: adjoint(operator, forward(operator, x)), start, n_iter)
    return 1.02 * math.sqrt(power)


def has_negative_entries(operator: Any, rtol: float = 1e-9) -> bool:
    """Whether the matrix of the operator holds entries below ``-rtol`` times its largest one.

    Read from a kernel or a matrix where there is one. Else single unit signals and sparse combs of them are
    sent through, which finds the negative entries of a map that is alike everywhere, and most others.
    """
    if hasattr(operator, "kernel"):
        return _below_zero(np.asarray(operator.kernel), rtol)
    if hasattr(operator, "keep") and hasattr(operator, "operator"):
        return has_negative_entries(operator.operator, rtol)
    if hasattr(operator, "A"):
        return _below_zero(operator.A.data if issparse(operator.A) else np.asarray(operator.A), rtol)
    n = operator.shape[1]
    rng = np.random.default_rng(0)
    probes = np.zeros((N_PROBES, n))
    for i, probe in enumerate(probes):
        size = max(1, n // 4**i) if i < N_PROBES // 2 else 1
        probe[rng.choice(n, size=size, replace=False)] = 1.0
    return _below_zero(forward(operator, probes), rtol)


def _below_zero(values: np.ndarray, rtol: float) -> bool:
    return bool(values.min(initial=0.0) < -rtol * np.abs(values).max(initial=0.0))
