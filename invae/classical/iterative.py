"""Methods whose parameter is the number of iterations: one run walks the path, a rule says where to stop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from invae.classical import parameters
from invae.classical.base import ClassicalMethod, divergence, forward, relative_error
from invae.errors import InputError

__all__ = ["IterativeMethod", "check_box", "project"]


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
        if self.max_iter < 1:
            raise InputError(f"max_iter={self.max_iter}; allow at least one iteration")

    def _iterate(self, Y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        raise NotImplementedError

    def _reconstruct(self, Y: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if self.parameter_ is not None:
            stops = np.full(len(Y), int(self.parameter_))
            return self._run_to(Y, stops), stops
        if self.parameter == "discrepancy":
            return self._run_until(Y, self._discrepancy_target(Y))
        residual, seminorm, error, dof = self._record(Y, truth, dof=self.parameter == "gcv")
        if self.parameter == "gcv":
            stops = parameters.gcv(residual, dof, Y.shape[1])
        elif self.parameter == "l_curve":
            # Iterate 0 has no logarithm.
            stops = 1 + parameters.l_curve(residual[1:], seminorm[1:])
        else:
            stops = parameters.oracle(error)
        return self._run_to(Y, stops), stops

    def _validate(self, X: np.ndarray, Y: np.ndarray) -> int:
        return parameters.validation(self._record(Y, X, dof=False)[2])

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

    def _record(
        self, Y: np.ndarray, truth: np.ndarray | None, dof: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Tables (max_iter + 1, N) of residual, seminorm, error and Monte-Carlo degrees of freedom."""
        N, K = len(Y), self.max_iter + 1
        residual, seminorm = np.empty((K, N)), np.empty((K, N))
        error = None if truth is None else np.empty((K, N))
        freedom = np.zeros((K, N)) if dof else None
        data = Y
        if dof and not self._counts_freedom:
            probes, h = self._probes(Y)
            data = np.concatenate([Y, *(Y + h * b for b in probes)]).astype(Y.dtype)
        zero = self._start(data)
        zero = zero, data - self._predicted(zero)
        steps = self._iterate(data)
        for k in range(K):
            X, R = zero if k == 0 else next(steps)
            residual[k] = np.linalg.norm(R[:N], axis=1)
            seminorm[k] = self._seminorm(X[:N])
            if error is not None:
                error[k] = relative_error(X[:N], truth)
            if freedom is not None:
                freedom[k] = k if self._counts_freedom else divergence(data - R, probes, h)
        return residual, seminorm, error, freedom

    def _start(self, Y: np.ndarray) -> np.ndarray:
        return np.zeros((len(Y), self.operator.shape[1]), Y.dtype)

    def _predicted(self, start: np.ndarray) -> np.ndarray:
        """What the starting point predicts."""
        return forward(self.operator, start) if start.any() else np.zeros((), start.dtype)

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        return self._run_to(Y, np.asarray(values, int))


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
