"""What a linear reconstructor knows about its own errors: posterior samples, calibrated intervals,
anomalies. All of it on rows, by what an `AffinePosterior` offers."""

from __future__ import annotations

import numpy as np

from invae.autoencoders.bayes_risk.affine_posterior import AffinePosterior
from invae.autoencoders.bayes_risk.calibration import Calibration, calibrate, coverage
from invae.errors import InputError

__all__ = ["Uncertainty"]


class Uncertainty:
    """Errors of a fitted map: drawn, bounded, and told from those of a strange measurement.

    Parameters
    ----------
    posterior : AffinePosterior
    calibration : Calibration or None
        What held-out pairs showed; intervals and anomaly scores need it.
    """

    def __init__(self, posterior: AffinePosterior, calibration: Calibration | None = None) -> None:
        self.posterior, self.calibration = posterior, calibration

    def sample(self, rows: np.ndarray, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        """Signals (n_samples, N, n) that measurements (N, m) and the prior allow.

        With a prior: x_hat plus the error that the map makes on a fresh draw from the prior and its fresh
        noise, which has exactly the error covariance of the map. Without: random mixtures of its errors on
        stored examples, scaled to the predicted deviation of every entry.
        """
        x_hat, std = self.posterior.predict(rows)
        out = np.empty((n_samples, *x_hat.shape), x_hat.dtype)
        if self.posterior.model.prior is None:
            errors = self._example_errors(rng)
            errors /= np.maximum(np.sqrt(np.mean(errors**2, axis=0)), 1e-12 * max(1e-300, float(std.max())))
            for sample in out:
                mix = rng.standard_normal((len(rows), len(errors))) / np.sqrt(len(errors))
                sample[:] = x_hat + std * (mix @ errors)
        else:
            for sample in out:
                truth = self.posterior.draw_signals(len(rows), rng)
                noisy = self.posterior.measure(truth, rng)
                sample[:] = x_hat + (truth - self.posterior.predict(noisy)[0])
        return out

    def calibrate(
        self, X: np.ndarray, Y: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[Calibration, float]:
        """Calibration on held-out signals (N, n) and measurements (N, m), and the mean squared error there.

        Without measurements the operator makes them, and noise is drawn.
        """
        if Y is None:
            if self.posterior.operator is None:
                raise InputError("calibrate needs measurements where no operator can make them")
            Y = self.posterior.measure(X, rng)
        if len(X) != len(Y):
            raise InputError(f"{len(X)} signals and {len(Y)} measurements are no pairs; pass as many of each")
        x_hat, std = self.posterior.predict(Y)
        risk = float(np.mean(np.sum(np.square(x_hat - X, dtype=np.float64), axis=1)))
        return calibrate(x_hat - X, std, self.posterior.distances(Y), rng), risk

    def interval(self, rows: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends (N, n) that hold the share ``level`` of a signal's entries."""
        factor = self._calibrated().factor(level)
        x_hat, std = self.posterior.predict(rows)
        return x_hat - factor * std, x_hat + factor * std

    def coverage(self, X: np.ndarray, Y: np.ndarray, levels: tuple[float, ...]) -> list[dict[str, float]]:
        """Share of entries inside the intervals for each level; see `BayesRiskReconstructor.coverage`."""
        from scipy.special import ndtri

        x_hat, std = self.posterior.predict(Y)
        rows = []
        for level in levels:
            gaussian = float(ndtri(0.5 + level / 2))
            row = {"level": level, "gaussian": coverage(x_hat - X, gaussian * std)}
            if self.calibration is not None:
                factor = self.calibration.factor(level)
                row |= {"calibrated": coverage(x_hat - X, factor * std), "width_ratio": factor / gaussian}
            rows.append(row)
        return rows

    def anomaly_score(self, rows: np.ndarray) -> np.ndarray:
        """p-value of each measurement, (N,)."""
        return self._calibrated().p_value(self.posterior.distances(rows))

    def _calibrated(self) -> Calibration:
        if self.calibration is None:
            raise InputError(
                "not calibrated: call calibrate(signals, measurements) with held-out pairs first"
            )
        return self.calibration

    def _example_errors(self, rng: np.random.Generator) -> np.ndarray:
        examples = self.posterior.model.examples
        if examples is None:
            raise InputError(
                "this reconstructor keeps no examples to draw errors from; fit it with signals or a prior"
            )
        X, Y = examples
        return self.posterior.predict(self.posterior.add_noise(Y, rng))[0] - X
