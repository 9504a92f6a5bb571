"""Methods whose parameter is the number of iterations: one run walks the path, a rule says where to stop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from invae.classical import parameters
from invae.classical.base import ClassicalMethod, divergence, iterations_used_up, sensitivity
from invae.classical.noise import are_counts, estimate_noise, finest_noise
from invae.errors import InputError
from invae.linalg.samples import is_number, relative_error, shown
from invae.operators.rows import forward

__all__ = ["IterativeMethod", "ProjectedMethod", "check_box", "project"]


DOUBT = 0.7  # of the noise's estimate
LEAST_RATIO = 0.05


class IterativeMethod(ClassicalMethod):
    """Base: a subclass defines ``_iterate(Y)``, which yields (X_k, R_k = Y - F X_k) for k = 1, 2, ...

    It never ends by itself, and its arrays may be reused between steps. Iterate 0 is ``_start(Y)``, x = 0
    unless a subclass says otherwise.
    """

    _whole_numbers = True

    def _check_parameter(self) -> None:
        super()._check_parameter()
        if not isinstance(self.parameter, str) and self.parameter != int(self.parameter):
            raise InputError(f"parameter={self.parameter}; the number of iterations is a whole number")

    def _iterate(self, Y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        raise NotImplementedError

    def _reconstruct(self, Y: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if self.parameter_ is not None:
            stops = np.full(len(Y), int(self.parameter_))
            return self._run_to(Y, stops), stops
        if self.parameter == "discrepancy":
            return self._run_until(Y, self._discrepancy_target(Y))
        table = self._record(Y, truth, dof=self.parameter in parameters.COUNTING)
        if self.parameter == "l_curve":
            # Iterate 0 has no logarithm.
            stops = 1 + parameters.l_curve(table["residual"][1:], table["seminorm"][1:])
        else:
            stops = self._apply_rule(self.parameter, table, Y)
            if self.parameter != "oracle":
                # The last of all iterates that were looked at: better ones may lie beyond.
                self.converged_ = (stops < self.max_iter) | _at_rest(table["residual"])
        return self._run_to(Y, stops), stops

    def _validate(self, X: np.ndarray, Y: np.ndarray) -> int:
        return parameters.validation(self._record(Y, X, dof=False)["error"])

    def _run_to(self, Y: np.ndarray, stops: np.ndarray) -> np.ndarray:
        out = self._start(Y)
        for k, (X, _) in zip(range(1, int(stops.max()) + 1), self._iterate(Y)):
            arrived = stops == k
            out[arrived] = X[arrived]
        return out

    def _run_until(self, Y: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each row up to its first iterate with ||R|| <= target; at most ``max_iter``."""
        out = self._start(Y)
        stops, target = np.zeros(len(Y), int), target.copy()
        fresh = np.full(len(Y), getattr(self, "noise", None) is None)
        running = np.linalg.norm(Y - self._predicted(out), axis=1) > target
        if not running.any():
            return out, stops
        for k, (X, R) in zip(range(1, self.max_iter + 1), self._iterate(Y)):
            stops[running] = k
            reached = np.linalg.norm(R, axis=1) <= target
            once = reached & running & fresh
            if once.any():
                target[once] *= self._overrated(Y[once], R[once])
                fresh &= ~once
                reached = np.linalg.norm(R, axis=1) <= target
            if k == self.max_iter:
                self.converged_ = reached | ~running | (target == 0)
            done = running & (reached | (k == self.max_iter))
            out[done] = X[done]
            running &= ~done
            if not running.any():
                break
        return out, stops

    def _overrated(self, Y: np.ndarray, R: np.ndarray) -> np.ndarray:
        """Factor (N,) by which noise that was estimated from Y is smaller, as its residuals R tell.

        Fine texture passes for noise where an operator keeps it; what is left after some iterations holds
        less of it. 1 where the two agree within a third, for counts, whose noise a residual does not tell,
        and for measurements on another grid than the signal, whose residual holds the projector's error too.
        """
        dims, dimsd = tuple(self.operator.dims), tuple(self.operator.dimsd)
        left = finest_noise(R, dimsd) if dims == dimsd else None
        if left is None:
            return np.ones(len(Y))
        ratio = left / np.maximum(estimate_noise(Y, dimsd), np.finfo(np.float64).tiny)
        doubt = (ratio < DOUBT) & ~are_counts(Y, dimsd)
        return np.where(doubt, np.maximum(ratio, LEAST_RATIO), 1.0)

    def _shortfall(self) -> str:
        if self.parameter == "discrepancy":
            return super()._shortfall()
        return iterations_used_up(self)

    def _record(self, Y: np.ndarray, truth: np.ndarray | None, dof: bool) -> dict[str, np.ndarray]:
        """Like `_table`, for iterations 0 to ``max_iter``."""
        N, K = len(Y), self.max_iter + 1
        names = ["residual", "seminorm"] + ["error"] * (truth is not None)
        names += ["dof", "gain", "energy"] * dof
        table = {name: np.empty((K, N)) for name in names}
        data = Y
        if dof:
            probes, h = self._probes(Y)
            data = np.concatenate([Y, *(Y + h * b for b in probes)]).astype(Y.dtype)
        start = self._start(data)
        steps = chain([(start, data - self._predicted(start))], self._iterate(data))
        for k, (X, R) in zip(range(K), steps):
            table["residual"][k] = np.linalg.norm(R[:N], axis=1)
            table["seminorm"][k] = self._seminorm(X[:N])
            if truth is not None:
                table["error"][k] = relative_error(X[:N], truth)
            if dof:
                table["dof"][k] = divergence(data - R, probes, h)
                table["gain"][k] = sensitivity(X, len(probes), h)
                table["energy"][k] = np.sum(np.square(X[:N], dtype=np.float64), axis=1)
        return table

    def _start(self, Y: np.ndarray) -> np.ndarray:
        return np.zeros((len(Y), self.operator.shape[1]), Y.dtype)

    def _predicted(self, start: np.ndarray) -> np.ndarray:
        """What the starting point predicts."""
        return forward(self.operator, start) if start.any() else np.zeros((), start.dtype)

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        return self._run_to(Y, np.asarray(values, int))


class ProjectedMethod(IterativeMethod):
    """Base of steps that end in a projection onto a box, x <- P(x + w D F^T W (y - F x)), 0 < w < 2."""

    def __init__(
        self,
        operator: Any,
        parameter: int | str = "discrepancy",
        noise: Any = None,
        tau: float = 1.0,
        bounds: tuple[float | None, float | None] = (None, None),
        relaxation: float = 1.0,
        max_iter: int = 500,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.tau = tau
        self.bounds = bounds
        self.relaxation = relaxation
        self.max_iter = max_iter

    def _check_options(self) -> None:
        check_box(self.bounds)
        if not (is_number(self.relaxation) and 0 < self.relaxation < 2):
            raise InputError(f"relaxation={shown(self.relaxation)}; it converges for 0 < relaxation < 2")


def _is_end(end: Any) -> bool:
    return end is None or (isinstance(end, (int, float, np.integer, np.floating)) and not np.isnan(end))


def _at_rest(residual: np.ndarray) -> np.ndarray:
    """Whether the residuals (K, N) no longer move at the end."""
    return np.abs(residual[-1] - residual[-2]) <= 1e-9 * np.abs(residual[0])


def check_box(bounds: tuple[float | None, float | None]) -> None:
    """Refuse a box without inside."""
    if not (isinstance(bounds, (tuple, list)) and len(bounds) == 2 and all(map(_is_end, bounds))):
        raise InputError(f"bounds={shown(bounds)}; pass (low, high), None where there is no bound")
    low, high = (-np.inf if bounds[0] is None else bounds[0]), (np.inf if bounds[1] is None else bounds[1])
    if not low < high:
        raise InputError(f"bounds={bounds}; pass (low, high) with low < high, None where there is no bound")


def project(X: np.ndarray, bounds: tuple[float | None, float | None]) -> None:
    """Clip ``X`` to the box, in place."""
    if bounds[0] is not None:
        np.maximum(X, X.dtype.type(bounds[0]), out=X)
    if bounds[1] is not None:
        np.minimum(X, X.dtype.type(bounds[1]), out=X)
