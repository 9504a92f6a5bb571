"""What a linear reconstructor knows about its own errors: posterior samples, calibrated intervals,
anomalies."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.autoencoders.bayes_risk.calibration import Calibration, anomaly_parts, calibrate, coverage
from invae.autoencoders.bayes_risk.learning import MANY_PER_RANK
from invae.autoencoders.bayes_risk.noise import estimate_noise
from invae.autoencoders.bayes_risk.spaces import apply_rows
from invae.autoencoders.bayes_risk.validation import left_out_risk
from invae.errors import InputError
from invae.linalg.augment import augment, order
from invae.linalg.estimators import check_is_fitted
from invae.linalg.samples import as_rows, from_rows

__all__ = ["UncertaintyMixin"]

DRAWS = 8
LARGEST = 2**24  # values of the examples that are left out in turn


class UncertaintyMixin:
    """Methods of a fitted reconstructor with factors, means, whitening and ``predict(y,
    return_std=True)``."""

    def estimate_noise(self, measurements: np.ndarray) -> np.ndarray:
        """Standard deviation of the noise of each measurement by marginal likelihood, shape (N,).

        Where the noise differs between entries it is the root mean square over them. Pairs that held their
        noise already have no level of their own to estimate.
        """
        rows, _ = self._rows(measurements)
        core = self._family()
        tau = estimate_noise(core, self._whitening, rows - self.mean_y_.astype(rows.dtype))
        return np.sqrt(np.maximum(tau - self._cut_off, 0.0))

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
        rng = np.random.default_rng(rng)
        x_hat, std = self.predict(rows, return_std=True)
        out = np.empty((n_samples, *x_hat.shape), x_hat.dtype)
        if self.prior_ is None:
            errors = self._example_errors(rng)
            errors /= np.maximum(np.sqrt(np.mean(errors**2, axis=0)), 1e-12 * max(1e-300, float(std.max())))
            for sample in out:
                mix = rng.standard_normal((len(rows), len(errors))) / np.sqrt(len(errors))
                sample[:] = x_hat + std * (mix @ errors)
        else:
            for sample in out:
                truth = self.prior_.sample(len(rows), rng).reshape(len(rows), -1)
                noisy = self._with_noise(apply_rows(self.operator, truth) + self._offset, rng)
                sample[:] = x_hat + (truth - self.predict(noisy))
        shape = self.shape_x_
        return np.stack([from_rows(sample, shape, shaped) for sample in out])

    def calibrate(
        self,
        signals: np.ndarray,
        measurements: np.ndarray | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> Any:
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
        rng = np.random.default_rng(rng)
        X, _ = as_rows(signals, self.shape_x_, "signals")
        if measurements is None:
            if self.operator is None:
                raise InputError("calibrate needs measurements where no operator can make them")
            Y = self._with_noise(apply_rows(self.operator, X) + self._offset, rng)
        else:
            Y, _ = self._rows(measurements)
        if len(X) != len(Y):
            raise InputError(f"{len(X)} signals and {len(Y)} measurements are no pairs; pass as many of each")
        x_hat, std = self.predict(Y, return_std=True)
        self.validated_risk_ = float(np.mean(np.sum(np.square(x_hat - X, dtype=np.float64), axis=1)))
        self.calibration_: Calibration = calibrate(x_hat - X, std, self._distances(Y), rng)
        return self

    def predict_interval(self, measurements: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends that hold the share ``level`` of a signal's entries, after `calibrate`."""
        factor = self._calibration().factor(level)
        x_hat, std = self.predict(measurements, return_std=True)
        return x_hat - factor * std, x_hat + factor * std

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
        from scipy.special import ndtri

        X, _ = as_rows(signals, self.shape_x_, "signals")
        Y, _ = self._rows(measurements)
        x_hat, std = self.predict(Y, return_std=True)
        rows = []
        for level in levels:
            gaussian = float(ndtri(0.5 + level / 2))
            row = {"level": level, "gaussian": coverage(x_hat - X, gaussian * std)}
            if self.calibration_ is not None:
                factor = self.calibration_.factor(level)
                row |= {"calibrated": coverage(x_hat - X, factor * std), "width_ratio": factor / gaussian}
            rows.append(row)
        return rows

    def anomaly_score(self, measurements: np.ndarray) -> np.ndarray:
        """p-value of each measurement, shape (N,): small where it is unlike the calibration measurements.

        Under exchangeability a measurement of the same kind has p <= a with probability at most a.
        """
        rows, _ = self._rows(measurements)
        return self._calibration().p_value(self._distances(rows))

    def _iterated_risk(self) -> float:
        """Of the iterated posterior mean, on draws from its own prior and noise."""
        rng = np.random.default_rng(0)
        X = self.prior_.sample(DRAWS, rng).reshape(DRAWS, -1).astype(np.float32)
        Y = self._with_noise(apply_rows(self.operator, X) + self._offset, rng).astype(X.dtype)
        x_hat, _ = self._predict_rows(Y, np.full(DRAWS, self._tau))
        return float(np.mean(np.sum((x_hat - X) ** 2, axis=1)))

    def _unseen_risk(self) -> float | None:
        """Mean squared error on stored examples that the moments are rid of, else that of the held-out
        samples."""
        found = None
        if self._examples is not None and self._share is not None and self._leaves_out():
            X, Y = (part[: self._affordable()] for part in self._examples)
            k, N = order(self.augment, self.shape_x_), len(X)
            D = augment(X, self.shape_x_, self.augment).reshape(k, N, -1) - self.mean_x_
            mean_y = self.mean_y_ - self._offset
            G = (Y - self.mean_y_)[None]
            if self._modelled:
                images = apply_rows(self.operator, (D + self.mean_x_).reshape(k * N, -1).astype(X.dtype))
                G = images.reshape(k, N, -1) - mean_y
            rng = np.random.default_rng(0)
            if self._added is None:
                noisy = self._with_noise(Y, rng)
            else:
                noisy = Y + np.sqrt(self._added) * rng.standard_normal(Y.shape)
            found = left_out_risk(
                self._core,
                self._tau + self._cut_off,
                self.encoder_,
                self.decoder_,
                (D, G),
                noisy - self.mean_y_,
                self._n_samples,
                self._share,
                self._is_cut,
            )
        curve = self.validated_risk_curve_
        if found is None and curve is not None and self.rank_ < len(curve):
            return float(curve[self.rank_])
        return found

    def _leaves_out(self) -> bool:
        """Whether a sample can be left out of the fitted map: not of an iterated one, and not where few
        samples without shrinkage decide which directions a low rank keeps."""
        few = self._share == 1.0 and self._n_samples < MANY_PER_RANK * self.rank_
        return not (self._exact or (self._is_cut and few))

    @property
    def _is_cut(self) -> bool:
        """Whether the map lacks directions of substance."""
        return bool(self.risk_curve_[self.rank_] > 1.01 * self.risk_curve_[-1])

    def _affordable(self) -> int:
        """Examples whose images under the symmetry fit into some hundred megabytes."""
        size = order(self.augment, self.shape_x_) * (self.mean_x_.size + self.mean_y_.size)
        return max(8, LARGEST // size)

    def _distances(self, rows: np.ndarray) -> np.ndarray:
        tau = np.full(len(rows), self._tau + self._cut_off)
        return anomaly_parts(self._family(), self._whitening, tau, rows - self.mean_y_.astype(rows.dtype))

    def _calibration(self) -> Calibration:
        check_is_fitted(self)
        if self.calibration_ is None:
            raise InputError(
                "not calibrated: call calibrate(signals, measurements) with held-out pairs first"
            )
        return self.calibration_

    def _example_errors(self, rng: np.random.Generator) -> np.ndarray:
        if self._examples is None:
            raise InputError(
                "this reconstructor keeps no examples to draw errors from; fit it with signals or a prior"
            )
        X, Y = self._examples
        return self.predict(self._with_noise(Y, rng)) - X

    def _with_noise(self, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return clean + self._whitening.draw(*clean.shape, self._tau, rng)
