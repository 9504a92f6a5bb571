"""What a fitted affine reconstructor does with arrays, flat or shaped: predict, encode, tell its errors."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from invae.autoencoders.bayes_risk.affine_posterior import AffinePosterior
from invae.autoencoders.bayes_risk.calibration import Calibration
from invae.autoencoders.bayes_risk.uncertainty import Uncertainty
from invae.linalg.estimators import check_is_fitted
from invae.linalg.samples import as_rows, from_rows

__all__ = ["AffineReconstructor"]


class AffineReconstructor(TransformerMixin, BaseEstimator):
    """Base of estimators whose fit leaves a posterior map and the shapes of a signal and of a measurement."""

    shape_x_: tuple[int, ...]
    shape_y_: tuple[int, ...]
    rank_: int
    validated_risk_: float | None
    calibration_: Calibration | None
    _posterior: AffinePosterior

    def predict(
        self, measurements: np.ndarray, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Reconstruct signals.

        Parameters
        ----------
        measurements : ndarray of shape (N, m) or (N, *measurement shape)
            float32 or float64, which the result keeps.
        return_std : bool
            Also return the posterior standard deviation of every entry, of the result's shape. For a linear
            map it is the same for every measurement.

        Returns
        -------
        ndarray of shape (N, n) or (N, *signal shape), or two of them
        """
        rows, shaped = self._rows(measurements)
        x_hat, std = self._posterior.predict(rows)
        x_hat = from_rows(x_hat, self.shape_x_, shaped)
        return (x_hat, from_rows(std, self.shape_x_, shaped)) if return_std else x_hat

    def transform(self, measurements: np.ndarray) -> np.ndarray:
        """Codes z = E (y - mean_y) of shape (N, rank_)."""
        rows, _ = self._rows(measurements)
        return self._posterior.encode(rows)

    def inverse_transform(self, codes: np.ndarray) -> np.ndarray:
        """Signals D z + mean_x of shape (N, n)."""
        check_is_fitted(self)
        codes, _ = as_rows(codes, (self.rank_,), "codes")
        return self._posterior.decode(codes)

    @property
    def uncertainty(self) -> Uncertainty:
        """What the map knows about its own errors, on rows; the methods below take shaped arrays, too."""
        check_is_fitted(self)
        return Uncertainty(self._posterior, self.calibration_)

    def estimate_noise(self, measurements: np.ndarray) -> np.ndarray:
        """Standard deviation of the noise of each measurement by marginal likelihood, shape (N,).

        Where the noise differs between entries it is the root mean square over them. Pairs that held their
        noise already have no level of their own to estimate.
        """
        rows, _ = self._rows(measurements)
        return self._posterior.noise_std(rows)

    def sample_posterior(
        self, measurements: np.ndarray, n_samples: int, rng: int | np.random.Generator | None = None
    ) -> np.ndarray:
        """Signals that the measurement and the prior allow, shape (n_samples, N, n) or (n_samples, N,
        *shape).

        With a prior: x_hat plus the error that the map makes on a fresh draw from the prior and its
        fresh noise, which has exactly the error covariance of the map. Without: random mixtures of its
        errors on stored examples, scaled to the predicted deviation of every entry.
        """
        rows, shaped = self._rows(measurements)
        draws = self.uncertainty.sample(rows, n_samples, np.random.default_rng(rng))
        return draws.reshape(n_samples, len(rows), *self.shape_x_) if shaped else draws

    def calibrate(
        self,
        signals: np.ndarray,
        measurements: np.ndarray | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> Self:
        """Calibrate intervals and anomaly scores on held-out pairs that the fit has not seen.

        Parameters
        ----------
        signals : ndarray of shape (N, n) or (N, *shape)
        measurements : ndarray, optional
            As they will come, noise included; by default simulated with operator and noise.
        rng : int, Generator or None

        Returns
        -------
        self
            With ``calibration_``, and with ``validated_risk_`` on these pairs.
        """
        check_is_fitted(self)
        X, _ = as_rows(signals, self.shape_x_, "signals")
        Y = None if measurements is None else self._rows(measurements)[0]
        calibration, risk = self.uncertainty.calibrate(X, Y, np.random.default_rng(rng))
        self.calibration_, self.validated_risk_ = calibration, risk
        return self

    def predict_interval(self, measurements: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends that hold the share ``level`` of a signal's entries, after `calibrate`."""
        rows, shaped = self._rows(measurements)
        low, high = self.uncertainty.interval(rows, level)
        return from_rows(low, self.shape_x_, shaped), from_rows(high, self.shape_x_, shaped)

    def coverage(
        self, signals: np.ndarray, measurements: np.ndarray, levels: tuple[float, ...] = (0.68, 0.9, 0.95)
    ) -> list[dict[str, float]]:
        """Share of entries inside the intervals, Gaussian and (after `calibrate`) calibrated, for each level;
        entries without any deviation do not count.

        Returns
        -------
        list of dict
            With keys "level", "gaussian" and, when calibrated, "calibrated" and "width_ratio".
        """
        rows, _ = self._rows(measurements)
        X, _ = as_rows(signals, self.shape_x_, "signals")
        return self.uncertainty.coverage(X, rows, levels)

    def anomaly_score(self, measurements: np.ndarray) -> np.ndarray:
        """p-value of each measurement, shape (N,): small where it is unlike the calibration measurements.

        Under exchangeability a measurement of the same kind has p <= a with probability at most a.
        """
        rows, _ = self._rows(measurements)
        return self.uncertainty.anomaly_score(rows)

    def _rows(self, measurements: np.ndarray) -> tuple[np.ndarray, bool]:
        check_is_fitted(self)
        return as_rows(measurements, self.shape_y_, "measurements")
