"""A measurement with entries missing: dead detector bins, lost views, saturated pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.errors import InputError
from invae.linalg.samples import as_float
from invae.operators.base import Operator

__all__ = ["Masked"]


class Masked(Operator):
    """Another operator of which only some measurement entries are known, F = P F_0.

    Parameters
    ----------
    operator : Operator
        The complete one, F_0.
    keep : array_like of bool
        True where the measurement is usable; any shape that broadcasts to `operator.dimsd`: for `Radon`,
        (n_detectors,) for dead bins, (n_angles, 1) for lost views, (n_angles, n_detectors) for any entries.

    Attributes
    ----------
    dims, dimsd : tuple
        The operator's signal shape, and (number of kept entries,).
    keep : ndarray of bool, shape operator.dimsd

    Raises
    ------
    InputError
        `keep` does not broadcast to the measurement's shape, or keeps nothing.

    Examples
    --------
    >>> from invae.operators.radon import Radon
    >>> alive = np.ones(23, bool)
    >>> alive[[4, 17]] = False
    >>> F = Masked(Radon(16, 10), alive)
    >>> F.dimsd, F.fill(F.take(np.ones((1, 10, 23)))).sum()
    ((210,), np.float64(210.0))
    """

    def __init__(self, operator: Operator, keep: np.ndarray) -> None:
        if not isinstance(operator, Operator):
            raise InputError(f"operator is of type {type(operator).__name__}; pass Radon, Blur or Heat")
        try:
            mask = np.asarray(keep)
        except ValueError:
            mask = np.asarray(None)
        if mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all():
            raise InputError(f"keep must hold True and False only, got dtype {mask.dtype}")
        if mask.ndim > len(operator.dimsd) or any(
            a not in (1, b) for a, b in zip(mask.shape[::-1], operator.dimsd[::-1])
        ):
            raise InputError(
                f"keep of shape {mask.shape} does not broadcast to measurements {operator.dimsd}"
            )
        self.operator = operator
        self.keep = np.array(np.broadcast_to(mask.astype(bool), operator.dimsd))
        self._index = np.flatnonzero(self.keep)
        if self._index.size == 0:
            raise InputError("keep is False everywhere: no measurement is left")
        super().__init__(operator.dims, (self._index.size,))

    def take(self, measurements: np.ndarray) -> np.ndarray:
        """The kept entries (N, k) of complete measurements (N, m) or (N, *operator.dimsd)."""
        measurements = as_float(measurements)
        return measurements.reshape(len(measurements), self.keep.size)[:, self._index]

    def fill(self, rows: np.ndarray, value: float = 0.0) -> np.ndarray:
        """Complete measurements (N, *operator.dimsd) from kept entries (N, k); `value` fills the gaps."""
        rows = as_float(rows)
        full = np.full((len(rows), self.keep.size), value, rows.dtype)
        full[:, self._index] = rows
        return full.reshape(len(rows), *self.operator.dimsd)

    def to_state(self) -> dict[str, Any]:
        return {"operator": self.operator, "keep": self.keep}

    def __repr__(self) -> str:
        return f"Masked({self.operator!r}, {self._index.size} of {self.keep.size} entries kept)"

    def _apply(self, rows: np.ndarray) -> np.ndarray:
        return self.operator.apply(rows)[:, self._index]

    def _apply_adjoint(self, rows: np.ndarray) -> np.ndarray:
        return self.operator.apply_adjoint(self.fill(rows).reshape(len(rows), self.keep.size))
