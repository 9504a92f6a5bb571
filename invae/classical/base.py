"""What every classical method shares: one interface, and parameters chosen by the same rules.

A method offers `_table`: how residual, seminorm and degrees of freedom move along a path of parameters. The
rules of `invae.classical.parameters` read such tables; so a rule that is written once serves every method.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from invae.classical import parameters
from invae.classical.noise import finest_noise, noise_std
from invae.errors import InputError, InvaeWarning
from invae.linalg.estimators import check_is_fitted
from invae.linalg.samples import as_rows, from_rows, is_number, relative_error, shown
from invae.operators.rows import forward

__all__ = ["ClassicalMethod", "divergence", "iterations_used_up", "sensitivity"]

logger = logging.getLogger(__name__)


def divergence(FX: np.ndarray, probes: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Trace (N,) of y -> F x(y) from its values at y and, below, at y + h b for probes b (P, N, m)."""
    N = len(h)
    moved = FX[N:].reshape(probes.shape) - FX[:N]
    return np.sum(probes * moved, axis=2).mean(axis=0) / h[:, 0]


def sensitivity(X: np.ndarray, n_probes: int, h: np.ndarray) -> np.ndarray:
    """tr A^T A (N,) of the solution map y -> x from x at y and, below, at y + h b, (1 + P) N rows."""
    N = len(h)
    moved = X[N:].reshape(n_probes, N, -1).astype(np.float64) - X[:N]
    return np.sum(moved**2, axis=2).mean(axis=0) / h[:, 0] ** 2


def iterations_used_up(method: Any) -> str:
    """One sentence about rows that are not ``converged_``."""
    missed, count = int((~method.converged_).sum()), len(method.converged_)
    return (
        f"{type(method).__name__}: {missed} of {count} rows use all {method.max_iter} iterations; "
        "allow more with max_iter=... (see converged_)"
    )


class ClassicalMethod(BaseEstimator):
    """Base of the methods that are controlled by one parameter.

    `predict` leaves ``converged_`` (N,) behind: False for rows whose rule did not reach its target or that
    used up their iterations; one `InvaeWarning` says so.

    A subclass stores ``operator``, ``parameter`` and ``noise`` in its ``__init__`` and defines

    * ``_solve(Y, values)``: reconstructions (N, n) of rows Y (N, m) under parameters ``values`` (N,);
    * ``_path(Y)``: parameters (G,) or (G, N) from the strongest to the weakest regularisation;
    * optionally ``_seminorm(X)``, ``_prepare()``, ``_table(...)``.
    """

    _whole_numbers = False
    _extra_rules: tuple[str, ...] = ()
    _learnt: tuple[str, ...] = ()  # attributes that `_learn` sets
    _deviations = 2.0  # see `parameters.discrepancy_factor`
    _zooms = 2
    _fewest_probes = 1
    _seed = 20

    def fit(
        self, signals: np.ndarray | None = None, measurements: np.ndarray | None = None
    ) -> ClassicalMethod:
        """Prepare the method; choose the parameter on validation data if the rule says so.

        Parameters
        ----------
        signals : ndarray of shape (N, n) or (N, *dims), optional
            True signals; used by ``parameter="validation"`` only.
        measurements : ndarray of shape (N, m) or (N, *dimsd), optional
            Their measurements.

        Returns
        -------
        self

        Raises
        ------
        InputError
            An unknown rule, or validation without data.
        """
        self._check_parameter()
        self._prepare()
        self._learn(None if signals is None else as_rows(signals, tuple(self.operator.dims), "signals")[0])
        self.parameter_ = None
        if self.parameter == "validation":
            if signals is None or measurements is None:
                raise InputError(
                    "parameter='validation' needs data: call fit(signals, measurements), "
                    "or choose another rule or a number"
                )
            X, Y = self._pairs(signals, measurements)
            self.parameter_ = self._validate(X, Y)
            logger.info("%s: validation chose %g", type(self).__name__, self.parameter_)
        elif not isinstance(self.parameter, str):
            self.parameter_ = self.parameter
        self.n_features_in_ = self.operator.shape[0]
        return self

    def predict(self, measurements: np.ndarray, signals: np.ndarray | None = None) -> np.ndarray:
        """Reconstruct; leaves the parameters used in ``parameters_`` (N,).

        Parameters
        ----------
        measurements : ndarray of shape (N, m) or (N, *dimsd)
        signals : ndarray, optional
            The truth, for ``parameter="oracle"`` only.

        Returns
        -------
        ndarray of shape (N, n) or (N, *dims)
            Shaped as the measurements came, in their dtype.
        """
        check_is_fitted(self, "n_features_in_")
        Y, shaped = as_rows(measurements, tuple(self.operator.dimsd), "measurements")
        truth = None
        if self.parameter == "oracle":
            if signals is None:
                raise InputError(
                    "parameter='oracle' compares with the truth: call predict(measurements, signals)"
                )
            truth, Y = self._pairs(signals, measurements)
        self.converged_ = np.ones(len(Y), bool)
        wide = Y.astype(np.float64) if _is_extreme(Y) else Y
        with np.errstate(over="ignore", invalid="ignore"):
            X, self.parameters_ = self._reconstruct(wide, truth)
            X = X.astype(Y.dtype, copy=False)
        if not np.isfinite(X).all():
            raise InputError(
                f"the reconstruction overflows {Y.dtype}: measurements reach {np.abs(Y).max():.3g}; "
                "give them in other units, or choose a stronger regularisation"
            )
        if not self.converged_.all():
            warnings.warn(self._shortfall(), InvaeWarning, stacklevel=2)
        return from_rows(X, tuple(self.operator.dims), shaped)

    def to_state(self) -> dict[str, Any]:
        """Parameters, and what a fit chose and learnt, for `invae.save`; factors of the operator are found
        again."""
        state: dict[str, Any] = {"parameters": self.get_params(deep=False)}
        if hasattr(self, "n_features_in_"):
            state["fitted"] = {name: getattr(self, name) for name in ("parameter_", *self._learnt)}
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ClassicalMethod:
        """Rebuild what `to_state` described."""
        method = cls(**state["parameters"])
        if "fitted" in state:
            method._check_parameter()
            method._prepare()
            method.n_features_in_ = method.operator.shape[0]
            for name, value in state["fitted"].items():
                setattr(method, name, value)
        return method

    # What a subclass may replace

    def _shortfall(self) -> str:
        """What the rows that are not ``converged_`` missed, as one sentence."""
        return (
            f"{type(self).__name__}: {int((~self.converged_).sum())} of {len(self.converged_)} rows have no "
            "residual as small as the noise; it may be larger, or correlated: pass noise=... or use "
            "parameter='robust_gcv' (see converged_)"
        )

    def _prepare(self) -> None:
        """Work that is done once for an operator."""

    def _learn(self, X: np.ndarray | None) -> None:
        """What is learnt from examples (N, n), if there are any."""

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _path(self, Y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _seminorm(self, X: np.ndarray) -> np.ndarray:
        return np.linalg.norm(X, axis=1)

    def _reconstruct(self, Y: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        values = self._choose(Y, truth)
        return self._solve(Y, values), values

    def _table(
        self, Y: np.ndarray, values: np.ndarray, truth: np.ndarray | None, dof: bool
    ) -> dict[str, np.ndarray]:
        """Residual, seminorm, error against ``truth`` and, with ``dof``, degrees of freedom, gain and energy
        (see `parameters.quiet`), each (G, N), by solving everywhere.

        The degrees of freedom are the divergence of y -> F x(y) along random directions b,
        b^T (F x(y + h b) - F x(y)) / h with b of random signs (Ramani, Blu, Unser 2008); the gain is
        ||x(y + h b) - x(y)||^2 / h^2.
        """
        G, N = len(values), len(Y)
        table = {"residual": np.empty((G, N)), "seminorm": np.empty((G, N))}
        data, probes = Y, np.empty((0, *Y.shape))
        if truth is not None:
            table["error"] = np.empty((G, N))
        if dof:
            table |= {name: np.empty((G, N)) for name in ("dof", "gain", "energy")}
            probes, h = self._probes(Y)
            data = np.concatenate([Y, *(Y + h * b for b in probes)]).astype(Y.dtype)
        for g, value in enumerate(values):
            X = self._solve(data, np.tile(value, 1 + len(probes)))
            FX = forward(self.operator, X)
            table["residual"][g] = np.linalg.norm(FX[:N] - Y, axis=1)
            table["seminorm"][g] = self._seminorm(X[:N])
            if truth is not None:
                table["error"][g] = relative_error(X[:N], truth)
            if dof:
                table["dof"][g] = divergence(FX, probes, h)
                table["gain"][g] = sensitivity(X, len(probes), h)
                table["energy"][g] = np.sum(np.square(X[:N], dtype=np.float64), axis=1)
        return table

    def _probes(self, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Random signs (P, N, m), more of them where m is small, and the step (N, 1) to take along them."""
        # The same for every row: what is chosen for one does not depend on its company.
        rng = np.random.default_rng(self._seed)
        probes = rng.choice(
            [-1.0, 1.0], size=(max(self._fewest_probes, -(-256 // Y.shape[1])), 1, Y.shape[1])
        )
        h = 1e-3 * np.linalg.norm(Y, axis=1, keepdims=True) / np.sqrt(Y.shape[1]) + 1e-12
        return np.broadcast_to(probes, (len(probes), *Y.shape)), h

    # The rules at work

    def _check_parameter(self) -> None:
        if isinstance(self.parameter, str):
            rules = parameters.RULES + self._extra_rules
            if self.parameter not in rules:
                raise InputError(f"parameter={self.parameter!r}; use a number or one of {', '.join(rules)}")
        elif not is_number(self.parameter, 0.0):
            raise InputError(
                f"parameter={shown(self.parameter)}; use a finite number >= 0 or the name of a rule"
            )
        max_iter, tau, tol = (getattr(self, name, 1) for name in ("max_iter", "tau", "tol"))
        if not is_number(max_iter, 1) or int(max_iter) != max_iter:
            raise InputError(f"max_iter={shown(max_iter)}; allow at least one iteration, a whole number")
        if not (is_number(tau, 0.0) and tau > 0):
            raise InputError(f"tau={shown(tau)}; the factor of the discrepancy rule must be > 0")
        if not is_number(tol, 0.0):
            raise InputError(f"tol={shown(tol)}; the tolerance must be a finite number >= 0")
        if not hasattr(self.operator, "dims") or not hasattr(self.operator, "dimsd"):
            raise InputError(
                f"operator is of type {type(self.operator).__name__}, expected a pylops.LinearOperator; "
                "wrap a matrix in pylops.MatrixMult"
            )

    def _pairs(self, signals: np.ndarray, measurements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        X, _ = as_rows(signals, tuple(self.operator.dims), "signals")
        Y, _ = as_rows(measurements, tuple(self.operator.dimsd), "measurements")
        if len(X) != len(Y):
            raise InputError(f"{len(X)} signals but {len(Y)} measurements; pass them in pairs")
        return X, Y

    def _choose(self, Y: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        if self.parameter_ is not None:
            return np.full(len(Y), self.parameter_)
        rule = self.parameter
        values = self._columns(self._path(Y), len(Y))
        for zoom in range(self._zooms + 1):
            table = self._table(Y, values, truth, dof=rule in parameters.COUNTING)
            index = self._apply_rule(rule, table, Y)
            chosen = values[index, np.arange(len(Y))]
            # A corner of the L-curve is a matter of the whole curve; a zoomed piece of it has others.
            if zoom == self._zooms or self._whole_numbers or rule == "l_curve" or len(values) < 3:
                break
            values = _between_neighbours(values, index)
        return chosen

    def _apply_rule(self, rule: str, table: dict[str, np.ndarray], Y: np.ndarray) -> np.ndarray:
        m = Y.shape[1]
        if rule in parameters.COUNTING:
            std = self._finest_std(Y)
            table["size"] = np.sum(np.square(Y, dtype=np.float64), axis=1)
            if rule == "robust_gcv":
                return parameters.robust_gcv(table, m, std)
            index = parameters.gcv(table["residual"], table["dof"], m)
            return index if std is None else parameters.follow_data(table, index, m, std)
        if rule == "discrepancy":
            residual = table["residual"]
            if "gain" in table:
                residual = np.where(parameters.quiet(table, self._noise_std(Y) ** 2), residual, np.inf)
            target = self._discrepancy_target(Y)
            self.converged_ = (residual <= target).any(axis=0) | (target == 0)
            return parameters.discrepancy(residual, target)
        if rule == "l_curve":
            std = self._finest_std(Y) if "gain" in table else None
            allowed = None if std is None else parameters.quiet(table, std**2)
            return parameters.l_curve(table["residual"], table["seminorm"], allowed)
        return parameters.oracle(table["error"])

    def _noise_std(self, Y: np.ndarray) -> np.ndarray:
        return noise_std(getattr(self, "noise", None), Y, tuple(self.operator.dimsd))

    def _finest_std(self, Y: np.ndarray) -> np.ndarray | None:
        """The noise as it is told, else as the finest details tell it, if they can."""
        dimsd = tuple(self.operator.dimsd)
        noise = getattr(self, "noise", None)
        return finest_noise(Y, dimsd) if noise is None else noise_std(noise, Y, dimsd)

    def _discrepancy_target(self, Y: np.ndarray) -> np.ndarray:
        factor = parameters.discrepancy_factor(Y.shape[1], self._deviations)
        return getattr(self, "tau", 1.0) * self._noise_std(Y) * factor

    def _validate(self, X: np.ndarray, Y: np.ndarray) -> float:
        values = self._path(Y)
        # One parameter for all: where the path depends on the row, its middle row serves.
        values = np.median(values, axis=1) if values.ndim == 2 else values
        for zoom in range(self._zooms + 1):
            table = self._table(Y, self._columns(values, len(Y)), X, dof=False)
            best = parameters.validation(table["error"])
            if zoom == self._zooms or self._whole_numbers or len(values) < 3:
                break
            chosen = values[best]
            values = _between_neighbours(values[:, None], np.array([best]))[:, 0]
        chosen = values[best]
        return int(chosen) if self._whole_numbers else float(chosen)

    @staticmethod
    def _columns(values: np.ndarray, n: int) -> np.ndarray:
        return values if values.ndim == 2 else np.repeat(values[:, None], n, axis=1)


def _between_neighbours(values: np.ndarray, index: np.ndarray, points: int = 9) -> np.ndarray:
    """A finer geometric path (points, N) around the chosen entries of a path (G, N)."""
    columns = np.arange(values.shape[1])
    strong = values[np.maximum(index - 1, 0), columns]
    weak = values[np.minimum(index + 1, len(values) - 1), columns]
    return np.geomspace(strong, weak, points)


def _is_extreme(Y: np.ndarray) -> bool:
    """Whether squares of float32 rows leave its range."""
    largest = float(np.abs(Y).max(initial=0.0))
    return Y.dtype == np.float32 and largest > 0 and not 1e-12 < largest < 1e12
