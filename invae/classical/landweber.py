"""Landweber's iteration: steepest descent with a constant step, stopped in time.

x_{k+1} = P(x_k + w / ||F||^2 F^T (y - F x_k)),  0 < w < 2, P the projection onto the box of allowed values
(Landweber 1951). After k steps the direction of singular value s has the gain 1 - (1 - w s^2 / ||F||^2)^k.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from invae.classical.iterative import ProjectedMethod, project
from invae.operators.rows import adjoint, forward, operator_norm

__all__ = ["Landweber"]


class Landweber(ProjectedMethod):
    """Projected gradient descent on ||F x - y||^2.

    Parameters
    ----------
    operator : pylops.LinearOperator
    parameter : int or str, default "discrepancy"
        Number of iterations, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.
    bounds : (float or None, float or None), default (None, None)
        Box that the values are known to lie in.
    relaxation : float, default 1.0
        w in (0, 2).
    max_iter : int, default 500

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        Iterations spent on each row of the last `predict`.
    """

    def _prepare(self) -> None:
        self._check_options()
        norm = operator_norm(self.operator)
        self.step_ = self.relaxation / norm**2 if norm > 0 else 0.0

    def _iterate(self, Y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        X = self._start(Y)
        R = Y.copy()
        while True:
            X += Y.dtype.type(self.step_) * adjoint(self.operator, R)
            project(X, self.bounds)
            R = Y - forward(self.operator, X)
            yield X, R
