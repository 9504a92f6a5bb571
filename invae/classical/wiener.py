"""Wiener filter: the linear estimate of least mean squared error for a known power spectrum.

In the operator's singular basis, with S_i the variance of the signals along v_i, mu their mean and sigma^2
the noise's variance:  x = mu + V diag(s S / (s^2 S + sigma^2)) U^T (y - F mu)  (Wiener 1949). For `Blur`
with an exact spectrum and `Heat` this is the usual filter in the Fourier or cosine domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.classical.noise import finest_noise, noise_std
from invae.classical.spectral import SpectralMethod
from invae.errors import InputError
from invae.linalg.filters import tikhonov
from invae.linalg.samples import error_scale, shown
from invae.operators.rows import forward

__all__ = ["Wiener"]


class Wiener(SpectralMethod):
    """Wiener deconvolution; ``fit(signals)`` learns mean and power spectrum from examples.

    Without examples the spectrum is the given ``power``: a flat one is Tikhonov regularisation with alpha =
    sigma^2 / power. Without that, too, each measurement tells its own: power falls with the place i = 1, 2,
    ... of a direction as A i^-q, and A and q are where the marginal likelihood of c_i = u_i^T y ~ N(0, s_i^2
    A i^-q + sigma^2) is largest. Such a filter follows the units of the data.

    Parameters
    ----------
    operator : pylops.LinearOperator
        Best with a ``spectrum`` (`Blur`, `Heat`); others are factorised.
    parameter : float or str, default "noise"
        The noise's variance; "noise" takes it from ``noise``; or a rule of `parameters.RULES`.
    noise : float, noise model or None
        None estimates it from each measurement.
    power : float, ndarray of shape (q,) or None
        Variance of the signals along the singular directions, where no examples are given to `fit`; None
        takes a power law from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.

    Attributes
    ----------
    mean_ : ndarray of shape (n,)
    power_ : ndarray of shape (q,) or None
    parameters_ : ndarray of shape (N,)
        Noise variance used for each row of the last `predict`.
    """

    _extra_rules = ("noise",)
    _learnt = ("mean_", "power_", "image_")

    def __init__(
        self,
        operator: Any,
        parameter: float | str = "noise",
        noise: Any = None,
        power: float | np.ndarray | None = None,
        tau: float = 1.0,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.power = power
        self.tau = tau

    def _learn(self, X: np.ndarray | None) -> None:
        q = len(self.basis_.s)
        if X is None and self.power is None:
            self.mean_, self.power_ = np.zeros(self.operator.shape[1]), None
        elif X is None:
            try:
                power = np.asarray(self.power, np.float64)
            except (TypeError, ValueError):
                power = np.full(1, np.nan)
            if power.shape not in ((), (q,)) or not ((power >= 0) & np.isfinite(power)).all():
                raise InputError(
                    f"power={shown(self.power)}; pass one value or {q} values, finite and >= 0, or None"
                )
            self.mean_ = np.zeros(self.operator.shape[1])
            self.power_ = np.broadcast_to(power, (q,)).copy()
        else:
            X = np.asarray(X, np.float64)
            self.mean_ = X.mean(axis=0)
            self.power_ = (self.basis_.signals(X - self.mean_) ** 2).mean(axis=0)
        self.image_ = forward(self.operator, self.mean_[None])[0]

    def _choose(self, Y: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        if self.parameter == "noise":
            dims, dimsd = tuple(self.operator.dims), tuple(self.operator.dimsd)
            std = finest_noise(Y, dimsd) if self.noise is None and dims == dimsd else None
            return (noise_std(self.noise, Y, dimsd) if std is None else std) ** 2
        return super()._choose(Y, truth)

    def _path(self, Y: np.ndarray) -> np.ndarray:
        if self.power_ is None:
            # In the data's units: from all of a measurement's power down to its rounding.
            top = np.maximum(np.mean(np.square(Y, dtype=np.float64), axis=1), np.finfo(np.float32).tiny)
            return top * np.geomspace(10, 1e-12, 60)[:, None]
        top = float((self.basis_.s**2 * self.power_).max(initial=0.0)) or 1.0
        return np.geomspace(10 * top, 1e-12 * top, 60)

    def _filters(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Gains (N, q) of rows (N, m) under noise variances (N,)."""
        s = self.basis_.s
        power = self.power_
        if power is None:
            c = self.basis_.measurements(np.asarray(Y, np.float64))
            power = np.stack([power_law(s, row, variance) for row, variance in zip(c, values)])
        return tikhonov(s * np.sqrt(power), np.asarray(values)[:, None])

    def _gains(self, values: np.ndarray) -> np.ndarray:
        return self._filters(self._rows, values[:, 0])

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        self._rows = Y - self.image_
        return self.mean_ + super()._solve(self._rows, values)

    def _table(
        self, Y: np.ndarray, values: np.ndarray, truth: np.ndarray | None, dof: bool
    ) -> dict[str, np.ndarray]:
        self._rows = Y - self.image_
        centred = None if truth is None else truth - self.mean_
        table = super()._table(self._rows, values, centred, dof)
        if truth is not None and centred is not None:
            # Relative to the signals themselves, not to what is left of them without the mean.
            table["error"] *= error_scale(centred) / error_scale(truth)
        return table


SLOPES = np.arange(0.0, 4.01, 0.25)  # q; an edge in 2-D has 3/2, a smooth field more
SPREAD = np.geomspace(1e-4, 1e2, 25)  # A, in units of what the data's energy says for each q


BINS = 96


def power_law(s: np.ndarray, c: np.ndarray, variance: float) -> np.ndarray:
    """The most likely A i^-q (q,) for data c ~ N(0, s^2 A i^-q + variance).

    The likelihood is summed over neighbouring directions, about as many places to each bin on a logarithmic
    scale; gains hardly differ within one.
    """
    place = np.arange(1.0, len(s) + 1)
    edges = np.unique(np.geomspace(1, len(s) + 1, BINS).astype(int)) - 1
    count = np.diff(np.append(edges[:-1], len(s)))
    energy, gain, at = (np.add.reduceat(v, edges[:-1]) / count for v in (c**2, s**2, np.log(place)))
    at = np.exp(at)
    total = float(c @ c)
    floor = max(float(variance), 1e-14 * total / len(c), np.finfo(np.float64).tiny)
    signal = max(total - len(c) * float(variance), floor)
    shapes = at ** -SLOPES[:, None]
    levels = signal / np.maximum(shapes @ (count * gain), np.finfo(np.float64).tiny)
    v = gain * (levels[:, None] * SPREAD)[..., None] * shapes[:, None] + floor
    score = (np.log(v) + energy / v) @ count
    slope, amount = np.unravel_index(int(np.argmin(score)), score.shape)
    return levels[slope] * SPREAD[amount] * place ** -SLOPES[slope]
