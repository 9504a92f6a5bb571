"""Wiener filter: the linear estimate of least mean squared error for a known power spectrum.

In the operator's singular basis, with S_i the variance of the signals along v_i, mu their mean and sigma^2
the noise's variance:  x = mu + V diag(s S / (s^2 S + sigma^2)) U^T (y - F mu)  (Wiener 1949). For `Blur`
with an exact spectrum and `Heat` this is the usual filter in the Fourier or cosine domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.classical import parameters
from invae.classical.spectral import SpectralMethod
from invae.errors import InputError
from invae.linalg.filters import tikhonov
from invae.linalg.samples import error_scale
from invae.operators.rows import forward

__all__ = ["Wiener"]


class Wiener(SpectralMethod):
    """Wiener deconvolution; ``fit(signals)`` learns mean and power spectrum from examples.

    Without examples the spectrum is flat, of the given ``power``: Tikhonov regularisation with alpha =
    sigma^2 / power.

    Parameters
    ----------
    operator : pylops.LinearOperator
        Best with a ``spectrum`` (`Blur`, `Heat`); others are factorised.
    parameter : float or str, default "noise"
        The noise's variance; "noise" takes it from ``noise``; or a rule of `parameters.RULES`.
    noise : float, noise model or None
        None estimates it from each measurement.
    power : float or ndarray of shape (q,), default 1.0
        Variance of the signals along the singular directions, where no examples are given to `fit`.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.

    Attributes
    ----------
    mean_ : ndarray of shape (n,)
    power_ : ndarray of shape (q,)
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
        power: float | np.ndarray = 1.0,
        tau: float = 1.0,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.power = power
        self.tau = tau

    def _learn(self, X: np.ndarray | None) -> None:
        q = len(self.basis_.s)
        if X is None:
            power = np.asarray(self.power, np.float64)
            if power.shape not in ((), (q,)) or not (power >= 0).all():
                raise InputError(f"power has shape {power.shape}; pass one value or {q} values, all >= 0")
            self.mean_ = np.zeros(self.operator.shape[1])
            self.power_ = np.broadcast_to(power, (q,)).copy()
        else:
            X = np.asarray(X, np.float64)
            self.mean_ = X.mean(axis=0)
            self.power_ = (self.basis_.signals(X - self.mean_) ** 2).mean(axis=0)
        self.image_ = forward(self.operator, self.mean_[None])[0]

    def _choose(self, Y: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
        if self.parameter == "noise":
            return parameters.noise_std(self.noise, Y, tuple(self.operator.dimsd)) ** 2
        return super()._choose(Y, truth)

    def _path(self, Y: np.ndarray) -> np.ndarray:
        top = float((self.basis_.s**2 * self.power_).max(initial=0.0)) or 1.0
        return np.geomspace(10 * top, 1e-12 * top, 60)

    def _gains(self, values: np.ndarray) -> np.ndarray:
        return tikhonov(self.basis_.s * np.sqrt(self.power_), values)

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        return self.mean_ + super()._solve(Y - self.image_, values)

    def _table(
        self, Y: np.ndarray, values: np.ndarray, truth: np.ndarray | None, dof: bool
    ) -> dict[str, np.ndarray]:
        centred = None if truth is None else truth - self.mean_
        table = super()._table(Y - self.image_, values, centred, dof)
        if truth is not None:
            # Relative to the signals themselves, not to what is left of them without the mean.
            table["error"] *= error_scale(centred) / error_scale(truth)
        return table
