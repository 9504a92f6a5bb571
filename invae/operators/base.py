"""What all forward operators share: shapes, batches of rows, an exact adjoint, a state that can be stored."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
import pylops
from scipy.sparse import issparse

from invae.errors import InputError
from invae.linalg.samples import as_float, shown

__all__ = ["Operator", "as_dims"]


class Operator(pylops.LinearOperator):
    """A linear map F from signals of shape ``dims`` to measurements of shape ``dimsd``.

    A `pylops.LinearOperator`: ``F @ x``, ``F.H @ y``, ``matvec``, ``rmatvec``, ``matmat``, ``rmatmat``,
    ``todense`` and every pylops solver work. `apply` and `apply_adjoint` take batches with one sample per
    row, which is the layout of all estimators, and keep float32 or float64. A subclass writes `_apply` and
    `_apply_adjoint` for rows, and `to_state`.

    Attributes
    ----------
    dims, dimsd : tuple of int
        Shape of a signal and of a measurement.
    shape : (int, int)
        (m, n), the sizes of a measurement and of a signal.
    """

    def __init__(self, dims: tuple[int, ...], dimsd: tuple[int, ...]) -> None:
        # A flat measurement of a shaped signal is ambiguous to pylops (`F.H @ y`): products then stay flat.
        forceflat = True if (len(dims) == 1) != (len(dimsd) == 1) else None
        super().__init__(dtype=np.dtype(np.float64), dims=dims, dimsd=dimsd, forceflat=forceflat)

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Measurements of a batch: (N, n) -> (N, m), or (N, *dims) -> (N, *dimsd).

        Raises
        ------
        InputError
            The rows do not have the operator's signal shape.
        """
        return self._batch(rows, self.dims, self.dimsd, self._apply)

    def apply_adjoint(self, rows: np.ndarray) -> np.ndarray:
        """Adjoint of a batch: (N, m) -> (N, n), or (N, *dimsd) -> (N, *dims).

        Raises
        ------
        InputError
            The rows do not have the operator's measurement shape.
        """
        return self._batch(rows, self.dimsd, self.dims, self._apply_adjoint)

    @abstractmethod
    def to_state(self) -> dict[str, Any]:
        """Arguments that rebuild the operator, as JSON scalars, lists and arrays."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Operator:
        """Rebuild the operator that `to_state` described."""
        return cls(**state)

    @abstractmethod
    def _apply(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, n), float32 or float64 -> rows (N, m) of the same dtype."""

    @abstractmethod
    def _apply_adjoint(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, m), float32 or float64 -> rows (N, n) of the same dtype."""

    def __getstate__(self) -> dict[str, Any]:
        # What is computed on first use is computed again by a copy: factors of a sparse matrix, for one,
        # cannot be copied, and all of it may be large.
        return {name: value for name, value in self.__dict__.items() if not _is_cached(type(self), name)}

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._apply(as_float(x).reshape(1, -1))[0]

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return self._apply_adjoint(as_float(x).reshape(1, -1))[0]

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        return self._apply(np.ascontiguousarray(as_float(_dense(X)).T)).T

    def _rmatmat(self, X: np.ndarray) -> np.ndarray:
        return self._apply_adjoint(np.ascontiguousarray(as_float(_dense(X)).T)).T

    def _batch(
        self, rows: np.ndarray, dims: tuple[int, ...], dimsd: tuple[int, ...], function: Any
    ) -> np.ndarray:
        rows = as_float(rows)
        size = int(np.prod(dims))
        if rows.ndim and len(rows) == 0 and rows.shape[1:] in ((size,), tuple(dims)):
            out = (int(np.prod(dimsd)),) if rows.shape[1:] == (size,) else tuple(dimsd)
            return np.zeros((0, *out), rows.dtype)
        if rows.ndim == 2 and rows.shape[1] == size:
            return function(np.ascontiguousarray(rows))
        if rows.shape[1:] == tuple(dims):
            return function(np.ascontiguousarray(rows.reshape(len(rows), size))).reshape(len(rows), *dimsd)
        shaped = f" or (N, {', '.join(map(str, dims))})" if len(dims) > 1 else ""
        raise InputError(
            f"got an array of shape {rows.shape}, {type(self).__name__} wants (N, {size}){shaped}"
        )


def _dense(X: Any) -> np.ndarray:
    """pylops sends sparse identities through an operator to write out a large matrix."""
    return X.toarray() if issparse(X) else X


def _is_cached(kind: type, name: str) -> bool:
    return isinstance(getattr(kind, name, None), cached_property)


def as_dims(shape: int | tuple[int, ...], ndim: tuple[int, ...]) -> tuple[int, ...]:
    """Signal shape as a tuple of positive integers with an allowed number of axes."""
    try:
        sizes = np.atleast_1d(shape)
    except ValueError:
        sizes = np.zeros(1, object)
    whole = sizes.ndim == 1 and sizes.dtype.kind in "iuf" and (np.isfinite(sizes) & (sizes % 1 == 0)).all()
    dims = tuple(int(size) for size in sizes) if whole else ()
    if len(dims) not in ndim or min(dims, default=0) < 1:
        wanted = " or ".join(f"{k}-D" for k in ndim)
        raise InputError(
            f"shape={shown(shape)} is not a {wanted} signal shape; pass positive integers, one for each axis"
        )
    return dims
