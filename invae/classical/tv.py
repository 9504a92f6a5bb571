"""Total variation: piecewise smooth signals from few data, by a preconditioned primal-dual method.

Solves for each measurement

    min_{x in C}  1/2 ||F x - y||^2 + lambda TV(x),     TV(x) = sum_pixels |grad x|_2

(isotropic, forward differences), with C the box of allowed values, or
under the discrepancy rule the constrained form, which needs no lambda:

    min_{x in C}  TV(x)   subject to  ||F x - y|| <= tau sigma sqrt(m).

Chambolle, Pock (2011), J. Math. Imaging Vis. 40, with the diagonal steps of Pock, Chambolle (2011), ICCV.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.classical.base import ClassicalMethod, iterations_used_up
from invae.classical.gradients import dual_step, gradient, primal_step, total_variation
from invae.errors import InputError
from invae.linalg.power import largest_eigenvalue
from invae.operators.rows import adjoint, forward

__all__ = ["TotalVariation"]


class TotalVariation(ClassicalMethod):
    """Total variation regularisation in one or two dimensions, a whole batch at once.

    Parameters
    ----------
    operator : pylops.LinearOperator
    parameter : float or str, default "discrepancy"
        The weight lambda, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    nonnegative : bool, default True
        Whether signals are known to be >= 0.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.
    max_iter : int, default 1000
    tol : float, default 1e-4
        A row stops when its primal and dual variables move by less than this, relative, over ten iterations.

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        lambda of each row of the last `predict`; under the discrepancy rule the one that is equivalent.
    n_iter_ : ndarray of shape (N,)
        Iterations of each row in the last solve.
    converged_ : ndarray of shape (N,)
        Whether each row met ``tol``.
    """

    _deviations = 0.0
    _zooms = 1
    _check = 10

    def __init__(
        self,
        operator: Any,
        parameter: float | str = "discrepancy",
        noise: Any = None,
        nonnegative: bool = True,
        tau: float = 1.0,
        max_iter: int = 1000,
        tol: float = 1e-4,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.nonnegative = nonnegative
        self.tau = tau
        self.max_iter = max_iter
        self.tol = tol

    def _prepare(self) -> None:
        dims = tuple(self.operator.dims)
        if len(dims) > 2:
            raise InputError(f"signals of shape {dims}: total variation here is for one or two dimensions")
        self.grid_ = dims if len(dims) == 2 else (1, *dims)
        self._set_steps()

    def _path(self, Y: np.ndarray) -> np.ndarray:
        # Beyond max |F^T y| everything is flat; the useful weights lie some decades below.
        top = np.abs(adjoint(self.operator, Y)).max(axis=1)
        return np.maximum(top, np.finfo(np.float32).tiny) * np.geomspace(1e-1, 1e-6, 11)[:, None]

    def _seminorm(self, X: np.ndarray) -> np.ndarray:
        return total_variation(X.reshape(len(X), *self.grid_))

    def _reconstruct(self, Y: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if self.parameter == "discrepancy":
            return self._run(Y, np.ones(len(Y)), self._discrepancy_target(Y))
        return super()._reconstruct(Y, truth)

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        return self._run(Y, np.broadcast_to(values, len(Y)), None)[0]

    def _shortfall(self) -> str:
        return iterations_used_up(self)

    # The primal-dual iteration

    def _set_steps(self) -> None:
        """Steps whose preconditioned operator has norm <= 1, and the operator's scale.

        With row sums r and column sums c of |F| the dual steps are s and s r c eta / 2, the primal ones are
        proportional to 1 / (r c_j + 4 r c eta); the factor is found by power iteration on K^T K in that
        metric.
        """
        F, (m, n) = self.operator, self.operator.shape
        rows = np.abs(forward(F, np.ones((1, n)))[0])
        columns = np.abs(adjoint(F, np.ones((1, m)))[0])
        r, c = _mean_of_positive(rows), _mean_of_positive(columns)
        self.scale_ = r * c
        self.row_mean_ = r
        self.share_ = _GRADIENT_SHARE * r * c
        step = 1.0 / (r * np.maximum(columns, 1e-2 * c) + 4 * self.share_)

        def normal(x: np.ndarray) -> np.ndarray:
            z = x * np.sqrt(step)
            y = adjoint(F, forward(F, z)) + 0.5 * self.share_ * _gradient_normal(z.reshape(1, *self.grid_))
            return y * np.sqrt(step)

        start = np.random.default_rng(self._seed).standard_normal((1, n))
        norm = largest_eigenvalue(normal, start, 50)
        self.step_ = (step / (1.05 * norm)).reshape(self.grid_) if norm > 0 else step.reshape(self.grid_)

    def _run(
        self, Y: np.ndarray, values: np.ndarray, ball: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reconstructions of rows Y and their weights; ``ball`` (N,) holds the residuals allowed, if any."""
        N, dtype = len(Y), Y.dtype
        if ball is not None:
            # The weight only sets the balance of the steps here; this is about where it ends up. Data that
            # must be met exactly still need one.
            reach = np.maximum(ball, 1e-4 * np.linalg.norm(Y, axis=1))
            values = 0.5 * reach / np.sqrt(Y.shape[1] / max(self.scale_ / self.row_mean_, 1e-300))
        size = np.sqrt(np.mean(np.asarray(Y, np.float64) ** 2, axis=1)) / max(self.row_mean_, 1e-300)
        size[size == 0] = 1.0
        balance = np.clip(_BALANCE * np.sqrt(values / (max(self.scale_, 1e-300) * size)), 1e-3, 1e3)
        state = {
            "X": np.zeros((N, *self.grid_), dtype),
            "Xbar": np.zeros((N, *self.grid_), dtype),
            "P": np.zeros((N, 2, *self.grid_), dtype),
            "Q": np.zeros_like(Y),
            "Y": Y,
            "weight": np.asarray(values, dtype),
            "balance": balance.astype(dtype),
            "ball": np.full(N, -1.0, dtype) if ball is None else ball.astype(dtype),
            "largest": np.zeros(N, dtype) if ball is None else (_LARGEST_DUAL * reach).astype(dtype),
            "row": np.arange(N),
        }
        self._extend(state)
        out = np.empty((N, self.operator.shape[1]), dtype)
        duals = np.empty(N)
        self.n_iter_ = np.full(N, self.max_iter)
        self.converged_ = np.zeros(N, bool)
        low = dtype.type(0.0 if self.nonnegative else -np.inf)
        for k in range(1, self.max_iter + 1):
            check = k % self._check == 0 or k == self.max_iter
            if check:
                before = state["X"].copy(), state["Q"].copy()
            self._advance(state, low)
            if not check:
                continue
            moved = np.maximum(_change(before[0], state["X"]), _change(before[1], state["Q"]))
            done = moved <= self.tol / self._check
            rows = state["row"][done]
            self.n_iter_[rows] = k
            self.converged_[rows] = True
            if k == self.max_iter:
                done[:] = True
            if done.any():
                rows = state["row"][done]
                out[rows] = state["X"][done].reshape(len(rows), -1)
                duals[rows] = np.linalg.norm(state["Q"][done], axis=1)
                state = {name: array[~done] for name, array in state.items()}
            if not len(state["row"]):
                break
        if ball is None:
            return out, np.array(values, np.float64)
        # At the optimum Q = (weight / lambda) (F x - y).
        residual = np.linalg.norm(forward(self.operator, out) - Y, axis=1)
        return out, values * residual / np.where(duals > 0, duals, np.inf)

    def _extend(self, state: dict[str, np.ndarray]) -> None:
        """Further variables (N, ...) of a relative of this method."""

    def _advance(self, state: dict[str, np.ndarray], low: np.floating) -> None:
        """One iteration, in place."""
        X, P = state["X"], state["P"]
        self._data_step(state)
        rate = state["balance"] * X.dtype.type(0.5 * self.share_)
        dual_step(P, state["Xbar"], rate, state["weight"])
        G = adjoint(self.operator, state["Q"]).reshape(X.shape)
        primal_step(X, P, G, self.step_.astype(X.dtype), state["balance"], low, state["Xbar"])

    def _data_step(self, state: dict[str, np.ndarray]) -> None:
        """Dual step of the data term, in place."""
        Q, ball, s = state["Q"], state["ball"], state["balance"][:, None]
        Q += s * (forward(self.operator, state["Xbar"].reshape(len(Q), -1)) - state["Y"])
        if len(ball) and ball[0] >= 0:
            # Prox of the support function of the ball, with the dual held below the least weight allowed.
            norm = np.linalg.norm(Q, axis=1)
            wanted = np.clip(norm - state["balance"] * ball, 0, state["largest"])
            Q *= np.divide(wanted, norm, out=np.zeros_like(norm), where=norm > 0)[:, None]
        else:
            Q /= 1 + s


_GRADIENT_SHARE = 0.3  # of the operator's own scale, and the balance of primal and dual steps:
_BALANCE = 2.0  # both measured on tomography, blur and denoising problems
_LARGEST_DUAL = 100.0  # the discrepancy rule goes no lower than a hundredth of its first weight


def _gradient_normal(x: np.ndarray) -> np.ndarray:
    """grad^T grad of images (1, H, W), flat."""
    g = gradient(x)
    out = np.zeros_like(x)
    out[:, 1:] += g[:, 0, :-1]
    out[:, :-1] -= g[:, 0, :-1]
    out[:, :, 1:] += g[:, 1, :, :-1]
    out[:, :, :-1] -= g[:, 1, :, :-1]
    return out.reshape(1, -1)


def _mean_of_positive(sums: np.ndarray) -> float:
    positive = sums[sums > 1e-12 * max(sums.max(initial=0.0), 1e-300)]
    return float(positive.mean()) if positive.size else 1.0


def _change(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    old, new = old.reshape(len(old), -1), new.reshape(len(new), -1)
    return np.linalg.norm(new - old, axis=1) / np.maximum(np.linalg.norm(new, axis=1), 1e-30)
