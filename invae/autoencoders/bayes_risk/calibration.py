"""Error bars that hold, and measurements that do not belong: calibration of a reconstructor on held-out
pairs.

Intervals x_hat +- kappa std are widened until the share of pixels outside is at most 1 - level, in
expectation over the next signal (conformal risk control [1]; exact for exchangeable signals, whatever
their distribution):

    kappa = inf { k : N / (N + 1) * (mean share of pixels with |x - x_hat| > k std) + 1 / (N + 1) <= 1 -
    level }

A measurement is scored by two Mahalanobis distances of its whitened coordinates t ~ N(0, S^2 + tau): that
of the directions where the signal dominates (another kind of signal shows there), and that of the
noise-dominated directions with the remainder (another noise, a dead or shifted detector). Its p-value is
the rank of the larger of the two, each standardised, among the calibration scores.

References
----------
[1] Angelopoulos, Bates, Fisch, Lei, Schuster (2022), Conformal risk control, eq. (4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from invae.errors import InputError
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.whitening import Whitening

__all__ = ["Calibration", "anomaly_parts", "calibrate", "coverage", "varies"]

NEVER = 1e-6  # of the largest deviation: an entry below it varies by rounding only
# Levels of stored quantiles: steps of 0.001, and finer ones towards 1, where intervals grow fast.
GRID = np.concatenate([np.linspace(0.0, 0.99, 991), 1 - np.geomspace(0.0099, 1e-5, 200)])


@dataclass(frozen=True)
class Calibration:
    """What the calibration pairs showed.

    Attributes
    ----------
    n_samples : int
    quantiles : ndarray of shape (g,)
        Quantiles of |x - x_hat| / std over all pixels that vary, of all pairs, at the levels ``GRID``.
    centre, spread : ndarray of shape (2,)
        Mean and standard deviation of the two log distances, on one half of the pairs.
    scores : ndarray of shape (k,)
        Sorted anomaly scores of the other half.
    """

    n_samples: int
    quantiles: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    scores: np.ndarray

    def factor(self, level: float) -> float:
        """Multiple kappa of the posterior deviation whose interval covers a share ``level`` of the pixels.

        Raises
        ------
        InputError
            ``level`` is not in (0, 1), or needs more calibration pairs than there were.
        """
        if not 0 < level < 1:
            raise InputError(f"level={level} is no coverage; use 0 < level < 1, such as 0.9")
        share = level + level / self.n_samples  # of pixels that must lie inside, on the calibration pairs
        if share > GRID[-1]:
            needed = int(np.ceil(level / (1 - level)))
            raise InputError(
                f"coverage {level} cannot be promised from {self.n_samples} calibration pairs; "
                f"pass more than {needed}"
            )
        return float(np.interp(share, GRID, self.quantiles))

    def p_value(self, parts: np.ndarray) -> np.ndarray:
        """Share of calibration scores at least as large, for distances (N, 2); in 1/(k + 1) .. 1."""
        score = _score(parts, self.centre, self.spread)
        above = len(self.scores) - np.searchsorted(self.scores, score, side="left")
        return (1 + above) / (1 + len(self.scores))

    def to_state(self) -> dict[str, Any]:
        """Numbers and arrays, for storing."""
        return dict(vars(self))


def calibrate(
    errors: np.ndarray, std: np.ndarray, parts: np.ndarray, rng: np.random.Generator
) -> Calibration:
    """Calibration from errors x_hat - x (N, n), their predicted deviation (N, n) and distances (N, 2)."""
    N = len(errors)
    if N < 8:
        raise InputError(f"{N} pairs are too few to calibrate on; pass at least 8, better some hundred")
    alive = varies(std)
    scores = np.abs(errors[alive]) / std[alive] if alive.any() else np.abs(errors)
    quantiles = np.quantile(scores, GRID, method="higher")
    order = rng.permutation(N)
    fit, rest = parts[order[: N // 2]], parts[order[N // 2 :]]
    spread = np.maximum(fit.std(axis=0), 1e-12)
    centre = fit.mean(axis=0)
    return Calibration(N, quantiles, centre, spread, np.sort(_score(rest, centre, spread)))


def _score(parts: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The larger of the two standardised distances (N, 2), (N,)."""
    return np.max(np.abs(parts - centre) / spread, axis=1)


def coverage(errors: np.ndarray, half_width: np.ndarray) -> float:
    """Share of pixels with |error| <= half width, among those that vary."""
    alive = varies(half_width)
    inside = np.abs(errors) <= half_width
    return float(np.mean(inside[alive] if alive.any() else inside))


def varies(std: np.ndarray) -> np.ndarray:
    """Where a deviation is not as good as zero. The others, such as pixels outside a round field of view, are
    always right: counted in, they would pay for intervals that are too narrow elsewhere."""
    return std > NEVER * float(std.max(initial=0.0))


def anomaly_parts(
    core: ReducedRank, whitening: Whitening, tau: np.ndarray, centred: np.ndarray
) -> np.ndarray:
    """Log mean-square Mahalanobis distances (N, 2) of centred measurements: signal and noise directions."""
    t2 = np.asarray(centred @ core.whitener.T, np.float64) ** 2
    m, q = centred.shape[1], len(core.power)
    level = float(np.median(tau)) or float(np.median(core.power))
    inside = core.power > level
    distance = t2 / (core.power + tau[:, None])
    signal = distance[:, inside].sum(axis=1) / max(1, int(inside.sum()))
    noise, n_noise = distance[:, ~inside].sum(axis=1), q - int(inside.sum())
    if m > q and (tau > 0).all():
        whole = np.sum(np.square(whitening.apply(centred), dtype=np.float64), axis=1)
        noise = noise + np.maximum(whole - t2.sum(axis=1), 0.0) / tau
        n_noise += m - q
    parts = np.stack([signal, noise / max(1, n_noise)], axis=1)
    return np.log(np.maximum(parts, 1e-300))
