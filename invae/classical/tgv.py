"""Total generalised variation of second order: piecewise affine instead of piecewise constant signals.

    min_{x in C, w}  1/2 ||F x - y||^2 + lambda sum_pixels ( |grad x - w|_2 + beta |E w|_F )

w is a field of slopes that costs nothing where it is constant, E its symmetrised derivative: ramps are
free, no staircases appear (Bredies, Kunisch, Pock 2010, SIAM J. Imaging Sci. 3). Solved like total
variation; the discrepancy rule takes the constrained form here too.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from invae.classical.tv import TotalVariation
from invae.errors import InputError
from invae.linalg.power import largest_eigenvalue
from invae.linalg.samples import is_number, shown
from invae.operators.rows import adjoint, forward

__all__ = ["TotalGeneralisedVariation"]


class TotalGeneralisedVariation(TotalVariation):
    """Second-order total generalised variation in one or two dimensions.

    Parameters
    ----------
    operator, parameter, noise, nonnegative, tau, max_iter, tol
        As for `TotalVariation`; it needs about twice the iterations.
    beta : float, default 2.0
        What a change of slope costs, in pixels; the larger, the nearer to affine pieces with few kinks, the
        smaller, the less a slope is penalised at all.

    Attributes
    ----------
    parameters_, n_iter_, converged_
        As for `TotalVariation`.
    """

    def __init__(
        self,
        operator: Any,
        parameter: float | str = "discrepancy",
        noise: Any = None,
        nonnegative: bool = True,
        tau: float = 1.0,
        max_iter: int = 2000,
        tol: float = 1e-4,
        beta: float = 2.0,
    ) -> None:
        super().__init__(operator, parameter, noise, nonnegative, tau, max_iter, tol)
        self.beta = beta

    def _set_steps(self) -> None:
        if not (is_number(self.beta) and self.beta > 0):
            raise InputError(f"beta={shown(self.beta)}; the price of a change of slope must be > 0")
        super()._set_steps()
        # The slopes join the primal variables: their step, and one factor for both so that the norm is <= 1.
        n = self.operator.shape[1]
        step, slope_step = self.step_.ravel(), 1.0 / (4 * self.share_)

        def normal(v: np.ndarray) -> np.ndarray:
            zx, zw = np.sqrt(step) * v[:, :n], np.sqrt(slope_step) * v[:, n:].reshape(1, 2, *self.grid_)
            P, R = np.zeros_like(zw), np.zeros((1, 3, *self.grid_))
            one, free = np.full(1, 0.5 * self.share_), np.full(1, np.inf)
            _slope_dual_step(P, zx.reshape(1, *self.grid_), zw, one, free)
            _curvature_dual_step(R, zw, one, free)
            gx, gw = np.zeros((1, *self.grid_)), np.zeros_like(zw)
            _transposed(P, R, gx, gw)
            x = adjoint(self.operator, forward(self.operator, zx)) + gx.reshape(1, -1)
            return np.concatenate([np.sqrt(step) * x, np.sqrt(slope_step) * gw.reshape(1, -1)], axis=1)

        start = np.random.default_rng(self._seed).standard_normal((1, 3 * n))
        norm = largest_eigenvalue(normal, start, 60)
        self.step_ = self.step_ / (1.05 * norm)
        self.slope_step_ = slope_step / (1.05 * norm)

    def _extend(self, state: dict[str, np.ndarray]) -> None:
        N, dtype = len(state["X"]), state["X"].dtype
        state["W"] = np.zeros((N, 2, *self.grid_), dtype)
        state["Wbar"] = np.zeros((N, 2, *self.grid_), dtype)
        state["R"] = np.zeros((N, 3, *self.grid_), dtype)

    def _advance(self, state: dict[str, np.ndarray], low: np.floating) -> None:
        X, Xbar, P, W, Wbar, R = (state[name] for name in ("X", "Xbar", "P", "W", "Wbar", "R"))
        self._data_step(state)
        balance, dtype = state["balance"], X.dtype.type
        rate = balance * dtype(0.5 * self.share_)
        _slope_dual_step(P, Xbar, Wbar, rate, state["weight"])
        _curvature_dual_step(R, Wbar, rate, state["weight"] * dtype(self.beta))
        gx = adjoint(self.operator, state["Q"]).reshape(X.shape)
        gw = np.zeros_like(W)
        _transposed(P, R, gx, gw)
        old = X.copy()
        X -= (self.step_.astype(X.dtype) / balance[:, None, None]) * gx
        np.maximum(X, low, out=X)
        np.subtract(2 * X, old, out=Xbar)
        old = W.copy()
        W -= (dtype(self.slope_step_) / balance[:, None, None, None]) * gw
        np.subtract(2 * W, old, out=Wbar)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _slope_dual_step(P, X, W, sigma, radius):  # pragma: no cover - compiled
    """P <- projection of P + sigma (grad X - W) onto |P|_2 <= radius; forward differences."""
    N, H, V = X.shape
    for i in range(N):
        for r in range(H):
            for c in range(V):
                a = P[i, 0, r, c] - sigma[i] * W[i, 0, r, c]
                b = P[i, 1, r, c] - sigma[i] * W[i, 1, r, c]
                if r + 1 < H:
                    a += sigma[i] * (X[i, r + 1, c] - X[i, r, c])
                if c + 1 < V:
                    b += sigma[i] * (X[i, r, c + 1] - X[i, r, c])
                size = np.sqrt(a * a + b * b)
                scale = radius[i] / size if size > radius[i] else 1.0
                P[i, 0, r, c] = a * scale
                P[i, 1, r, c] = b * scale


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _curvature_dual_step(R, W, sigma, radius):  # pragma: no cover - compiled
    """R <- projection of R + sigma E W onto |R|_F <= radius; backward differences, rr, cc, rc."""
    N, _, H, V = W.shape
    for i in range(N):
        for r in range(H):
            for c in range(V):
                rr = cc = rc = 0.0
                if r > 0:
                    rr = W[i, 0, r, c] - W[i, 0, r - 1, c]
                    rc += 0.5 * (W[i, 1, r, c] - W[i, 1, r - 1, c])
                if c > 0:
                    cc = W[i, 1, r, c] - W[i, 1, r, c - 1]
                    rc += 0.5 * (W[i, 0, r, c] - W[i, 0, r, c - 1])
                rr = R[i, 0, r, c] + sigma[i] * rr
                cc = R[i, 1, r, c] + sigma[i] * cc
                rc = R[i, 2, r, c] + sigma[i] * rc
                size = np.sqrt(rr * rr + cc * cc + 2 * rc * rc)
                scale = radius[i] / size if size > radius[i] else 1.0
                R[i, 0, r, c] = rr * scale
                R[i, 1, r, c] = cc * scale
                R[i, 2, r, c] = rc * scale


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _transposed(P, R, gx, gw):  # pragma: no cover - compiled
    """gx += grad^T P,  gw += E^T R - P; the off-diagonal entry of R counts twice."""
    N, _, H, V = P.shape
    for i in range(N):
        for r in range(H):
            for c in range(V):
                a, b = P[i, 0, r, c], P[i, 1, r, c]
                rr, cc, rc = R[i, 0, r, c], R[i, 1, r, c], R[i, 2, r, c]
                gw[i, 0, r, c] -= a
                gw[i, 1, r, c] -= b
                if r + 1 < H:
                    gx[i, r, c] -= a
                    gx[i, r + 1, c] += a
                if c + 1 < V:
                    gx[i, r, c] -= b
                    gx[i, r, c + 1] += b
                if r > 0:
                    gw[i, 0, r, c] += rr
                    gw[i, 0, r - 1, c] -= rr
                    gw[i, 1, r, c] += rc
                    gw[i, 1, r - 1, c] -= rc
                if c > 0:
                    gw[i, 1, r, c] += cc
                    gw[i, 1, r, c - 1] -= cc
                    gw[i, 0, r, c] += rc
                    gw[i, 0, r, c - 1] -= rc
