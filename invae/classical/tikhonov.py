"""Tikhonov regularisation: min ||F x - y||^2 + alpha ||x||^2, solved in the operator's singular basis.

x = V diag(s / (s^2 + alpha)) U^T y (Tikhonov 1963). alpha has the units of s^2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.classical.spectral import SpectralMethod
from invae.linalg.filters import tikhonov

__all__ = ["Tikhonov"]


class Tikhonov(SpectralMethod):
    """Ridge-regularised inverse with an automatic weight.

    Parameters
    ----------
    operator : pylops.LinearOperator
    parameter : float or str, default "gcv"
        The weight alpha, or a rule: "gcv", "discrepancy", "l_curve", "oracle", "validation".
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        alpha of each row of the last `predict`.

    Examples
    --------
    >>> import numpy as np, pylops
    >>> F = pylops.MatrixMult(np.diag([2.0, 1.0]))
    >>> Tikhonov(F, parameter=1.0).fit().predict(np.array([[5.0, 2.0]]))
    array([[2., 1.]])
    """

    def __init__(
        self, operator: Any, parameter: float | str = "gcv", noise: Any = None, tau: float = 1.0
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.tau = tau

    def _path(self, Y: np.ndarray) -> np.ndarray:
        top = float(self.basis_.s.max(initial=0.0)) ** 2 or 1.0
        return np.geomspace(10 * top, 1e-12 * top, 60)

    def _gains(self, values: np.ndarray) -> np.ndarray:
        return tikhonov(self.basis_.s, values)
