"""Held-out risk of every rank at once.

For U with orthonormal columns, code z = E (y - mean_y) and d = x - mean_x, the squared error of rank r is

    || d - U_r z_r ||^2 = || d ||^2 - sum_{k <= r} (2 <u_k, d> z_k - z_k^2),

so that one pass gives the whole curve. Noise of covariance tau R on the measurements adds its exact
expectation, sum_{k <= r} tau (E R E^T)_kk, instead of one random draw of it.
"""

from __future__ import annotations

import numpy as np

from invae.autoencoders.doors import Fit
from invae.linalg.reduced_rank import RankedMap

__all__ = ["smallest_rank", "split", "validated_risk_curve"]


def split(
    n_samples: int, fraction: float, rng: int | np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and held-out samples; none is held out of fewer than 4."""
    n_held = 0 if n_samples < 4 or fraction == 0 else min(max(1, round(fraction * n_samples)), n_samples - 2)
    order = np.random.default_rng(rng).permutation(n_samples)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def validated_risk_curve(
    fit: Fit, found: RankedMap, X: np.ndarray, Y: np.ndarray, noise: float = 0.0
) -> np.ndarray:
    """Mean squared error at rank 0, 1, ..., r on rows X (N, n), Y (N, m).

    ``noise`` is the power tau of the noise that is still to come on top of Y.
    """
    X, Y = X - fit.mean_x, Y - fit.mean_y
    z = Y @ found.encoder.T
    gain = np.mean(2 * (X @ found.decoder) * z - z**2, axis=0) - noise * found.noise_gain
    return np.mean(np.einsum("ij,ij->i", X, X)) - np.concatenate([[0.0], np.cumsum(gain)])


def smallest_rank(curve: np.ndarray, tolerance: float = 0.0) -> int:
    """Smallest rank whose risk is at most (1 + tolerance) times the least of the curve; at least 1 if
    there is one."""
    within = np.flatnonzero(curve <= curve.min() * (1 + tolerance))
    return min(max(1, int(within[0])), len(curve) - 1)
