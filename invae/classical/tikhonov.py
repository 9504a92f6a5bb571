"""Tikhonov regularisation: min ||F x - y||^2 + alpha ||L x||^2, solved exactly for a whole path of alpha.

L is the identity, the gradient or the Laplacian (Tikhonov 1963; Phillips 1962). alpha has the units of s^2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.classical.derivatives import generalised_basis
from invae.classical.spectral import SpectralMethod, singular_basis
from invae.errors import InputError
from invae.linalg.filters import tikhonov
from invae.linalg.samples import is_number, shown

__all__ = ["Tikhonov"]


class Tikhonov(SpectralMethod):
    """Ridge-regularised inverse with an automatic weight.

    Parameters
    ----------
    operator : pylops.LinearOperator
    parameter : float or str, default "robust_gcv"
        The weight alpha, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.
    order : {0, 1, 2}, default 0
        What is held small: the signal itself, its first differences or its Laplacian. Constants are then
        free. At the border differences follow the operator's own transform where it has one (periodic or
        mirrored), else they are mirrored.

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
        self,
        operator: Any,
        parameter: float | str = "robust_gcv",
        noise: Any = None,
        tau: float = 1.0,
        order: int = 0,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.tau = tau
        self.order = order

    def _prepare(self) -> None:
        if not is_number(self.order) or self.order not in (0, 1, 2):
            raise InputError(f"order={shown(self.order)}; use 0 (signal), 1 (gradient) or 2 (Laplacian)")
        if self.order == 0:
            self.basis_ = singular_basis(self.operator)
            self.penalty_ = np.ones(len(self.basis_.s))
        else:
            self.basis_, self.penalty_ = generalised_basis(self.operator, self.order)

    def _path(self, Y: np.ndarray) -> np.ndarray:
        held = self.penalty_ > 0
        ratio = self.basis_.s[held] ** 2 / self.penalty_[held]
        top = float(ratio.max(initial=0.0)) or 1.0
        return np.geomspace(10 * top, 1e-12 * top, 60)

    def _gains(self, values: np.ndarray) -> np.ndarray:
        return tikhonov(self.basis_.s, values * self.penalty_)
