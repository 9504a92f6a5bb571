"""Methods whose parameter is the number of iterations: one run walks the path, a rule says where to stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from invae.classical import parameters
from invae.classical.base import ClassicalMethod, divergence, sensitivity
from invae.errors import InputError
from invae.linalg.samples import relative_error
from invae.operators.rows import forward

__all__ = ["IterativeMethod", "ProjectedMethod", "check_box", "project"]


class IterativeMethod(ClassicalMethod):
    """Base: a subclass defines ``_iterate(Y)``, which yields (X_k, R_k = Y - F X_k) for k = 1, 2, ...

    It never ends by itself, and its arrays may be reused between steps. Iterate 0 is ``_start(Y)``, x = 0
    unless a subclass says otherwise.
    """

    _whole_numbers = True
    _counts_freedom = False  # whether k steps count as k degrees of freedom, or are probed

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
        stops = np.zeros(len(Y), int)
        running = np.linalg.norm(Y - self._predicted(out), axis=1) > target
        if not running.any():
            return out, stops
        for k, (X, R) in zip(range(1, self.max_iter + 1), self._iterate(Y)):
            stops[running] = k
            done = running & ((np.linalg.norm(R, axis=1) <= target) | (k == self.max_iter))
            out[done] = X[done]
            running &= ~done
            if not running.any():
                break
        return out, stops

    def _record(self, Y: np.ndarray, truth: np.ndarray | None, dof: bool) -> dict[str, np.ndarray]:
        """Like `_table`, for iterations 0 to ``max_iter``; methods that count freedom have no gain."""
        N, K = len(Y), self.max_iter + 1
        probed = dof and not self._counts_freedom
        names = ["residual", "seminorm"] + ["error"] * (truth is not None)
        names += ["dof"] * dof + ["gain", "energy"] * probed
        table = {name: np.empty((K, N)) for name in names}
        data = Y
        if probed:
            probes, h = self._probes(Y)
            data = np.concatenate([Y, *(Y + h * b for b in probes)]).astype(Y.dtype)
        zero = self._start(data)
        zero = zero, data - self._predicted(zero)
        steps = self._iterate(data)
        for k in range(K):
            X, R = zero if k == 0 else next(steps)
            table["residual"][k] = np.linalg.norm(R[:N], axis=1)
            table["seminorm"][k] = self._seminorm(X[:N])
            if truth is not None:
                table["error"][k] = relative_error(X[:N], truth)
            if probed:
                table["dof"][k] = divergence(data - R, probes, h)
                table["gain"][k] = sensitivity(X, len(probes), h)
                table["energy"][k] = np.sum(np.square(X[:N], dtype=np.float64), axis=1)
            elif dof:
                table["dof"][k] = k
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
        if not 0 < self.relaxation < 2:
            raise InputError(f"relaxation={self.relaxation}; it converges for 0 < relaxation < 2")


def check_box(bounds: tuple[float | None, float | None]) -> None:
    """Refuse a box without inside."""
    low, high = (-np.inf if bounds[0] is None else bounds[0]), (np.inf if bounds[1] is None else bounds[1])
    if not low < high:
        raise InputError(f"bounds={bounds}; pass (low, high) with low < high, None where there is no bound")


def project(X: np.ndarray, bounds: tuple[float | None, float | None]) -> None:
    """Clip ``X`` to the box, in place."""
    if bounds[0] is not None:
        np.maximum(X, X.dtype.type(bounds[0]), out=X)
    if bounds[1] is not None:
        np.minimum(X, X.dtype.type(bounds[1]), out=X)
