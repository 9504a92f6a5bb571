"""The fitted map at work on rows: estimates, their deviation, the noise of a measurement.

The best map of rank r is x_hat = mean_x + D E (y - mean_y), with the error covariance Gamma - D Sigma^2 D^T
whatever y. Where the noise power tau is found from each measurement, and where the prior is too large to be
factorised, it is the posterior mean for that tau instead (`invae.linalg.reduced_rank`,
`invae.autoencoders.bayes_risk.posterior`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.autoencoders.bayes_risk.calibration import anomaly_parts
from invae.autoencoders.bayes_risk.learning import JointModel
from invae.autoencoders.bayes_risk.noise import estimate_noise
from invae.autoencoders.bayes_risk.posterior import posterior_mean
from invae.errors import InputError
from invae.linalg.casts import Casts
from invae.operators.rows import forward

__all__ = ["AffinePosterior"]


class AffinePosterior:
    """Signals given measurements, rows in and rows out.

    Parameters
    ----------
    model : JointModel
        Of signals and measurements.
    operator : LinearOperator, ndarray, sparse matrix or None
    encoder : ndarray of shape (r, m)
    decoder : ndarray of shape (n, r)
    std : ndarray of shape (n,)
        Deviation of every entry of an estimate.
    iterated : bool
        Whether estimates go on to the exact posterior mean, by conjugate gradients.
    unknown_noise : bool
        Whether the noise power is found from each measurement.
    """

    def __init__(
        self,
        model: JointModel,
        operator: Any,
        encoder: np.ndarray,
        decoder: np.ndarray,
        std: np.ndarray,
        *,
        iterated: bool = False,
        unknown_noise: bool = False,
    ) -> None:
        self.model, self.operator = model, operator
        self.encoder, self.decoder, self.std = encoder, decoder, std
        self.iterated, self.unknown_noise = iterated, unknown_noise
        self._casts = Casts(encoder, decoder, model.factors.mean_x, model.factors.mean_y, std)

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimates (N, n) of measurements (N, m), and the deviation of every entry (N, n)."""
        if self.unknown_noise:
            return self.posterior(rows, self.noise_std(rows) ** 2)
        if self.iterated:
            return self.posterior(rows, np.full(len(rows), self.model.noise_power))
        encoder, decoder, mean_x, mean_y, std = self._casts(rows.dtype)
        x_hat = ((rows - mean_y) @ encoder.T) @ decoder.T + mean_x
        return x_hat, np.broadcast_to(std, (len(rows), std.size))

    def posterior(self, rows: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for noise of power ``tau`` (N,), at full rank."""
        _, _, mean_x, mean_y, std = self._casts(rows.dtype)
        core, cut_off = self.model.factors.core, self.model.factors.cut_off
        centred = rows - mean_y
        if self.iterated:
            x_hat = posterior_mean(
                centred, self._prior(), self.operator, self.model.whitening, core, tau, cut_off
            )
            return x_hat + mean_x, np.broadcast_to(std, x_hat.shape)
        t = np.asarray(centred @ core.whitener.T, np.float64)
        mean, variance = core.posterior(t, tau + cut_off)
        return mean.astype(rows.dtype) + mean_x, np.sqrt(variance).astype(rows.dtype)

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Codes z = E (y - mean_y), (N, r)."""
        encoder, _, _, mean_y, _ = self._casts(rows.dtype)
        return (rows - mean_y) @ encoder.T

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Signals D z + mean_x, (N, n)."""
        _, decoder, mean_x, _, _ = self._casts(codes.dtype)
        return codes @ decoder.T + mean_x

    def noise_std(self, rows: np.ndarray) -> np.ndarray:
        """Deviation of the noise of each measurement by marginal likelihood, (N,)."""
        factors = self.model.factors
        tau = estimate_noise(factors.core, self.model.whitening, rows - factors.mean_y.astype(rows.dtype))
        return np.sqrt(np.maximum(tau - factors.cut_off, 0.0))

    def distances(self, rows: np.ndarray) -> np.ndarray:
        """Log Mahalanobis distances (N, 2) of measurements, see `anomaly_parts`."""
        factors = self.model.factors
        tau = np.full(len(rows), self.model.noise_power + factors.cut_off)
        centred = rows - factors.mean_y.astype(rows.dtype)
        return anomaly_parts(factors.core, self.model.whitening, tau, centred)

    def draw_signals(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Rows (n_samples, n) from the prior."""
        return self._prior().sample(n_samples, rng).reshape(n_samples, -1)

    def add_noise(self, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Clean measurements (N, m) with fresh noise."""
        return clean + self.model.whitening.draw(len(clean), clean.shape[1], self.model.noise_power, rng)

    def measure(self, signals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Measurements (N, m) of signals (N, n), model error and noise included."""
        return self.add_noise(forward(self.operator, signals) + self.model.offset, rng)

    def _prior(self) -> Any:
        if self.model.prior is None:
            raise InputError("this reconstructor was fitted to examples without shrinkage: it has no prior")
        return self.model.prior
