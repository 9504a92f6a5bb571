"""Noise that a reconstructor is built for: from a model or a number, or estimated from each measurement.

Whitened, a measurement has coordinates t = P^T R^{-1/2} (y - mean_y) ~ N(0, S^2 + tau) along the q
directions that the prior fills, and a remainder of m - q entries ~ N(0, tau). Its noise level is where
the marginal likelihood

    -2 log p(y | tau) = sum_i [log(S_i^2 + tau) + t_i^2 / (S_i^2 + tau)] + (m - q) log tau + ||rest||^2 / tau

is largest: one dimension, the same spectrum for every measurement.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.errors import InputError
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.samples import shown
from invae.linalg.whitening import Whitening
from invae.operators.noise import GaussianNoise, PoissonNoise

__all__ = ["estimate_noise", "noise_variance"]

FLOOR = 1e-6  # of the average variance of a Poisson model, where nothing is expected
NOMINAL = 0.02  # relative level that a reconstructor of unknown noise is built at
DECADES = (-10.0, 1.0)  # of tau, from rounding to ten times the measurement's own power
STEP = 0.125  # of log10 tau: a parabola through three points of the smooth cost then places its minimum
QUIET = 1e-20  # of the strongest direction: a measurement below it is as good as its mean


def noise_variance(noise: Any, mean_y: np.ndarray, rms_y: np.ndarray) -> Any:
    """Variance of the noise of each measurement entry: one number, (m,), or a covariance (m, m).

    Parameters
    ----------
    noise : None, "auto", float, ndarray of shape (m,) or (m, m), GaussianNoise or PoissonNoise
        A number or a vector is a standard deviation, a matrix a covariance. A relative model is resolved
        against ``rms_y``; "auto" starts from 2 % of it. A Poisson model has variance mean / scale, which is
        all that an affine map can know of it, held above 1e-6 of its average where nothing is expected.
    mean_y, rms_y : ndarray of shape (m,)
        Mean and root mean square of the clean measurements.
    """
    if noise is None:
        return 0.0
    if isinstance(noise, str) and noise == "auto":
        noise = GaussianNoise(relative=NOMINAL)
    if isinstance(noise, PoissonNoise):
        variance = np.maximum(mean_y, 0.0) / noise.scale
        return np.maximum(variance, FLOOR * variance.mean())
    if isinstance(noise, GaussianNoise):
        return noise.std_for(rms_y[None]) ** 2
    try:
        given = np.asarray(noise, np.float64)
    except (TypeError, ValueError):
        given = np.asarray(np.nan)
    m = mean_y.size
    covariance = given.ndim == 2 and given.shape == (m, m)
    spread = given.diagonal() if covariance else given
    if (not covariance and given.shape not in ((), (m,))) or not ((spread >= 0) & np.isfinite(spread)).all():
        raise InputError(
            f"noise={shown(noise)} is neither a noise model, nor a standard deviation >= 0, alone or for "
            f"each of the {m} measurements, nor a covariance of shape ({m}, {m})"
        )
    if not covariance:
        return float(given) ** 2 if given.ndim == 0 else given**2
    if not (np.isfinite(given).all() and np.allclose(given, given.T, rtol=1e-6, atol=1e-9 * spread.max())):
        raise InputError(f"noise, a covariance of shape ({m}, {m}), must be finite and symmetric")
    return given


def estimate_noise(core: ReducedRank, whitening: Whitening, centred: np.ndarray) -> np.ndarray:
    """Noise power tau of each centred measurement (N, m) by marginal likelihood, shape (N,).

    In units of ``whitening``: Cov(e) = tau R.
    """
    m, q = centred.shape[1], len(core.power)
    t2 = np.asarray(centred @ core.whitener.T, np.float64) ** 2
    whole = np.sum(np.square(whitening.apply(centred), dtype=np.float64), axis=1)
    rest = np.maximum(whole - t2.sum(axis=1), 0.0)
    # One lattice of log10 tau for all rows, of which each searches its own decades: no row moves another's.
    least = max(QUIET * float(core.power.max(initial=0.0)), 1e-250)
    first = np.floor((np.log10(np.maximum(whole / m, least)) + DECADES[0]) / STEP).astype(int)
    count = round((DECADES[1] - DECADES[0]) / STEP) + 1
    lattice = np.arange(first.min(), first.max() + count)
    tau = 10.0 ** (STEP * lattice)
    spread = core.power[:, None] + tau
    cost = np.log(spread).sum(axis=0) + t2 @ (1 / spread)
    if m > q:
        cost = cost + (m - q) * np.log(tau) + rest[:, None] / tau
    start = (first - lattice[0])[:, None]
    place = np.arange(len(lattice))
    cost[(place < start) | (place >= start + count)] = np.inf
    best = np.clip(cost.argmin(axis=1), start[:, 0] + 1, start[:, 0] + count - 2)
    rows = np.arange(len(best))
    left, middle, right = cost[rows, best - 1], cost[rows, best], cost[rows, best + 1]
    bend = left - 2 * middle + right
    shift = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
    return 10.0 ** (STEP * (lattice[best] + np.clip(shift, -1, 1)))
