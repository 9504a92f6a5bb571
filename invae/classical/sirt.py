"""Algebraic reconstruction with row and column weights, all views at once or one after the other.

SIRT:  x <- P(x + w C F^T R (y - F x)),   R = 1 / row sums of F, C = 1 / column sums of F
SART:  the same with the rows of one view at a time; a sweep over all views counts as one iteration.

Gilbert (1972), J. Theor. Biol. 36; Andersen, Kak (1984), Ultrason. Imaging 6. P is the projection onto the
box.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from invae.classical.iterative import ProjectedMethod, project
from invae.errors import InputError
from invae.linalg.power import largest_eigenvalue
from invae.operators.rows import adjoint, forward, has_negative_entries

__all__ = ["Sart", "Sirt"]


class Sirt(ProjectedMethod):
    """Simultaneous iterative reconstruction.

    Parameters
    ----------
    operator : pylops.LinearOperator
        With entries >= 0, as those of tomography, blur and heat. A few negative ones, as those of a kernel
        that sharpens, are borne by shorter steps as long as no row or column adds up to less than 0.
    parameter : int or str, default "discrepancy"
        Number of iterations, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.
    bounds : (float or None, float or None), default (0, None)
        Box that the values are known to lie in.
    relaxation : float, default 1.0
        w in (0, 2).
    max_iter : int, default 300

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        Iterations spent on each row of the last `predict`.
    """

    def __init__(
        self,
        operator: Any,
        parameter: int | str = "discrepancy",
        noise: Any = None,
        tau: float = 1.0,
        bounds: tuple[float | None, float | None] = (0.0, None),
        relaxation: float = 1.0,
        max_iter: int = 300,
    ) -> None:
        super().__init__(operator, parameter, noise, tau, bounds, relaxation, max_iter)

    def _prepare(self) -> None:
        self._check_options()
        m, n = self.operator.shape
        rows = forward(self.operator, np.ones((1, n)))[0]
        columns = adjoint(self.operator, np.ones((1, m)))[0]
        self.row_weights_, self.column_weights_ = _inverse(rows), self.relaxation * _inverse(columns)
        if has_negative_entries(self.operator):
            # Signed entries cancel in the sums, and steps may be too long: at most 1 is what |F| would give.
            root = np.sqrt(self.column_weights_ / self.relaxation)[None]

            def normal(x: np.ndarray) -> np.ndarray:
                return root * adjoint(self.operator, self.row_weights_ * forward(self.operator, root * x))

            start = np.random.default_rng(self._seed).standard_normal((1, n))
            self.column_weights_ /= max(1.0, 1.02 * largest_eigenvalue(normal, start, 60))

    def _iterate(self, Y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        X = self._start(Y)
        rows, columns = self.row_weights_.astype(Y.dtype), self.column_weights_.astype(Y.dtype)
        R = Y.copy()
        while True:
            X += columns * adjoint(self.operator, rows * R)
            project(X, self.bounds)
            R = Y - forward(self.operator, X)
            yield X, R


class Sart(Sirt):
    """Simultaneous algebraic reconstruction, view by view: fast at first, restless near the end.

    The views are taken in the order of the golden section, so that successive ones differ much.

    Parameters
    ----------
    operator : pylops.LinearOperator
        With a sparse or dense ``matrix`` (Radon, a Masked Radon, pylops.MatrixMult); its measurement's first
        axis counts the views. A measurement of one axis is taken in eight interleaved parts.
    parameter : int or str, default "discrepancy"
        Number of sweeps, or a rule of `parameters.RULES`.
    noise, tau, bounds
        As for `Sirt`.
    relaxation : float, default 0.5
    max_iter : int, default 50

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        Sweeps spent on each row of the last `predict`.
    """

    def __init__(
        self,
        operator: Any,
        parameter: int | str = "discrepancy",
        noise: Any = None,
        tau: float = 1.0,
        bounds: tuple[float | None, float | None] = (0.0, None),
        relaxation: float = 0.5,
        max_iter: int = 50,
    ) -> None:
        super().__init__(operator, parameter, noise, tau, bounds, relaxation, max_iter)

    def _prepare(self) -> None:
        self._check_options()
        matrix, views = _matrix_by_views(self.operator)
        count = len(views)
        order = np.argsort((np.arange(count) * 0.6180339887498949) % 1.0, kind="stable")
        self.blocks_ = []
        for rows in (views[i] for i in order):
            block = matrix[rows]
            # The transpose is stored too: both products then run along rows.
            entry = rows, block, csr_array(block.T)
            sums = [np.asarray(block.sum(axis=axis)).ravel() for axis in (1, 0)]
            _inverse(sums[0]), _inverse(sums[1])  # refuses what is negative on the whole
            size = abs(block)
            sums = [np.asarray(size.sum(axis=axis)).ravel() for axis in (1, 0)]
            self.blocks_.append((*entry, _inverse(sums[0]), self.relaxation * _inverse(sums[1])))

    def _iterate(self, Y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        X = np.ascontiguousarray(self._start(Y).T)
        data = np.ascontiguousarray(Y.T)
        blocks = [(rows, *(part.astype(Y.dtype) for part in parts)) for rows, *parts in self.blocks_]
        while True:
            for rows, block, transpose, by_row, by_column in blocks:
                X += by_column[:, None] * (transpose @ (by_row[:, None] * (data[rows] - block @ X)))
                project(X, self.bounds)
            out = np.ascontiguousarray(X.T)
            yield out, Y - forward(self.operator, out)


_PARTS = 8


def _inverse(sums: np.ndarray) -> np.ndarray:
    """1 / sums; 0 for rays that meet nothing and pixels that no ray meets."""
    if sums.min(initial=0.0) < -1e-9 * np.abs(sums).max(initial=0.0):
        raise InputError(
            "the operator has negative entries, so row and column sums cannot weigh it; "
            "use Landweber or Cgls instead"
        )
    seen = sums > 1e-9 * sums.max(initial=0.0)
    return np.divide(1.0, sums, out=np.zeros_like(sums), where=seen)


def _matrix_by_views(operator: Any) -> tuple[csr_array, list[np.ndarray]]:
    """Sparse matrix and the rows of each view."""
    m = operator.shape[0]
    if hasattr(operator, "matrix"):
        matrix, number = csr_array(operator.matrix), np.arange(m) // (m // operator.dimsd[0])
        number = number if len(operator.dimsd) > 1 else np.arange(m) % _PARTS
    elif hasattr(operator, "keep") and hasattr(operator.operator, "matrix"):
        inner = operator.operator
        kept = np.flatnonzero(np.asarray(operator.keep).ravel())
        matrix, number = csr_array(inner.matrix)[kept], kept // inner.dimsd[-1]
    elif hasattr(operator, "A"):
        matrix, number = csr_array(np.asarray(operator.A)), np.arange(m) % _PARTS
    else:
        raise InputError(
            f"{type(operator).__name__} has no matrix to take rows from, view by view; use Sirt instead"
        )
    return matrix, [np.flatnonzero(number == view) for view in np.unique(number)]
