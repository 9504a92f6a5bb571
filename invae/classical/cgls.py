"""Conjugate gradients on the normal equations, stopped in time: iterating is the regularisation.

From x_0 = 0, x_k minimises ||F x - y|| over the Krylov space span{F^T y, ..., (F^T F)^{k-1} F^T y}. Early
iterates hold the signal, late ones the noise; the rule says where to stop (Hestenes, Stiefel 1952; Hansen
1998, ch. 6). The degrees of freedom of k iterations are not k: the iterates bend with the data,
so they are probed like those of every other iteration. A row whose gradient is down at rounding errors has
converged and stays where it is: further steps would follow the rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from invae.classical.iterative import IterativeMethod
from invae.operators.rows import adjoint, forward

__all__ = ["Cgls"]


class Cgls(IterativeMethod):
    """Least squares by conjugate gradients; all rows of a batch advance together.

    Parameters
    ----------
    operator : pylops.LinearOperator
    parameter : int or str, default "discrepancy"
        Number of iterations, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule: std of the measurement noise; None estimates it from each measurement.
    tau : float, default 1.0
        The discrepancy rule stops at ||F x - y|| <= tau std sqrt(m + 2 sqrt(2 m)).
    max_iter : int, default 200

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        Iterations spent on each row of the last `predict`.

    Examples
    --------
    >>> import numpy as np, pylops
    >>> F = pylops.MatrixMult(np.diag([2.0, 1.0]))
    >>> Cgls(F, parameter=2).fit().predict(np.array([[2.0, 3.0]]))
    array([[1., 3.]])
    """

    _fewest_probes = 4  # late iterates bend so much that one probe misleads a score now and then

    def __init__(
        self,
        operator: Any,
        parameter: int | str = "discrepancy",
        noise: Any = None,
        tau: float = 1.0,
        max_iter: int = 200,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.tau = tau
        self.max_iter = max_iter

    def _iterate(self, Y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        R = Y.copy()
        S = adjoint(self.operator, R)
        X = np.zeros_like(S)
        P = S.copy()
        gamma = _dots(S, S)
        # ||F^T r|| cannot be told from the rounding of F^T r below about 10 eps ||F|| ||r||;
        # ||F|| from inside.
        eps2, scale = (10 * float(np.finfo(Y.dtype).eps)) ** 2, np.zeros_like(gamma)
        while True:
            Q = forward(self.operator, P)
            power = _dots(Q, Q)
            scale = np.maximum(scale, _ratio(power, _dots(P, P)))
            gamma[gamma <= eps2 * scale * _dots(R, R)] = 0.0
            step = _ratio(gamma, power)
            X += step * P
            R -= step * Q
            yield X, R
            S = adjoint(self.operator, R)
            last, gamma = gamma, _dots(S, S)
            P *= _ratio(gamma, last)
            P += S


def _dots(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", A, B, dtype=np.float64)[:, None]


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0: a row that has converged stays where it is."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
