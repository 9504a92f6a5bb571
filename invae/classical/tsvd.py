"""Truncated singular value decomposition: invert the leading directions, drop the rest.

x_k = sum_{i <= k} <u_i, y> / s_i v_i (Hanson 1971).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.classical.spectral import SpectralMethod
from invae.errors import InputError

__all__ = ["TruncatedSvd"]


class TruncatedSvd(SpectralMethod):
    """Pseudo-inverse of the operator's best approximation of low rank, the rank chosen automatically.

    Parameters
    ----------
    operator : pylops.LinearOperator
    parameter : int or str, default "robust_gcv"
        The rank, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        Rank used for each row of the last `predict`.

    Examples
    --------
    >>> import numpy as np, pylops
    >>> F = pylops.MatrixMult(np.diag([2.0, 1.0]))
    >>> TruncatedSvd(F, parameter=1).fit().predict(np.array([[4.0, 1.0]]))
    array([[2., 0.]])
    """

    _whole_numbers = True

    def __init__(
        self, operator: Any, parameter: int | str = "robust_gcv", noise: Any = None, tau: float = 1.0
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.tau = tau

    def _prepare(self) -> None:
        super()._prepare()
        if not isinstance(self.parameter, str) and self.parameter != int(self.parameter):
            raise InputError(f"parameter={self.parameter}; a rank is a whole number")

    def _path(self, Y: np.ndarray) -> np.ndarray:
        # The L-curve takes logarithms: rank 0 has none.
        return np.arange(1 if self.parameter == "l_curve" else 0, len(self.basis_.s) + 1)

    def _gains(self, values: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(self.basis_.s)) < values, 1.0, 0.0)
