"""Held-out risk of every rank at once.

For U with orthonormal columns, code z = E (y - mean_y) and d = x - mean_x, the squared error of rank r is

    || d - U_r z_r ||^2 = || d ||^2 - sum_{k <= r} (2 <u_k, d> z_k - z_k^2),

so that one pass gives the whole curve. Noise of covariance tau R on the measurements adds its exact
expectation, sum_{k <= r} tau (E R E^T)_kk, instead of one random draw of it.

Where no sample is held out, each is left out of the moments in turn. It enters Gamma as a d d^T and C_yy as
a g g^T, with d = x - mean_x, g its image and a = (1 - rho) / N; about the mean of the others these count
N / (N - 1) times. Taking them away again [1] gives

    x_hat_{-i}(y) = A y + a beta (A g - d),    beta = g^T C_yy^{-1} y / (1 - 1 / N - a g^T C_yy^{-1} g),

so that the risk on unseen signals costs two predictions for each signal. Images of a sample under a
symmetry leave together with it (a block of them, the same formula with matrices).

References
----------
[1] Sherman, Morrison (1950), Ann. Math. Stat. 21. Deviations: the shrinkage is not chosen anew, the others
keep their weights (their covariance counts (N - 1) / N times, beside the same noise), and a map that is cut
to a low rank keeps its directions.
"""

from __future__ import annotations

import numpy as np

from invae.autoencoders.bayes_risk.spaces import CentredFactors
from invae.linalg.reduced_rank import RankedMap, ReducedRank

__all__ = ["left_out_risk", "smallest_rank", "split", "validated_risk_curve"]

LEAST_PIVOT = 1e-6  # below it the map all but interpolates the orbit, and its errors are rounding


def split(
    n_samples: int, fraction: float, rng: int | np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and held-out samples; none is held out of fewer than 4."""
    n_held = 0 if n_samples < 4 or fraction == 0 else min(max(1, round(fraction * n_samples)), n_samples - 2)
    order = np.random.default_rng(rng).permutation(n_samples)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def validated_risk_curve(
    factors: CentredFactors, maps: RankedMap, X: np.ndarray, Y: np.ndarray, noise: float = 0.0
) -> np.ndarray:
    """Mean squared error at rank 0, 1, ..., r on rows X (N, n), Y (N, m).

    ``noise`` is the power tau of the noise that is still to come on top of Y.
    """
    X, Y = X - factors.mean_x, Y - factors.mean_y
    z = Y @ maps.encoder.T
    gain = np.mean(2 * (X @ maps.decoder) * z - z**2, axis=0) - noise * maps.noise_gain
    return np.mean(np.einsum("ij,ij->i", X, X)) - np.concatenate([[0.0], np.cumsum(gain)])


def smallest_rank(curve: np.ndarray, tolerance: float = 0.0) -> int:
    """Smallest rank whose risk is at most (1 + tolerance) times the least of the curve; at least 1 if
    there is one."""
    within = np.flatnonzero(curve <= curve.min() * (1 + tolerance))
    return min(max(1, int(within[0])), len(curve) - 1)


def left_out_risk(
    core: ReducedRank,
    noise: float,
    encoder: np.ndarray,
    decoder: np.ndarray,
    orbits: tuple[np.ndarray, np.ndarray],
    measured: np.ndarray,
    n_samples: int,
    share: float = 1.0,
    cut: bool = False,
) -> float | None:
    """Mean squared error on training signals that were left out of the moments, one orbit at a time.

    Parameters
    ----------
    core, noise, encoder, decoder
        The map, its factors and the noise power tau that it was solved for.
    orbits : ndarray of shape (k, N', n) and (k, N', m)
        Centred signals d and their images g, the signals themselves first; k = 1 without symmetry.
    measured : ndarray of shape (N', m)
        Centred measurements y of the signals, noise included.
    n_samples : int
        N, images of the samples under the symmetry counted.
    share : float
        1 - rho, the weight of the sample covariance in Gamma.
    cut : bool
        Whether the map is of lower rank than the best one, and keeps its directions; else those that a signal
        brought with it leave, too.

    Returns
    -------
    float or None
        None where a signal cannot be left out, for the map interpolates it.
    """
    D, G = orbits
    k, N, n = D.shape
    scale = 1.0 / (core.power + noise)
    t = np.asarray(G.reshape(k * N, -1) @ core.whitener.T, np.float64).reshape(k, N, -1)
    if n_samples <= k:
        return None
    weight = share / n_samples
    others = 1.0 / (n_samples - k)  # the mean of the others is mean - others * sum of the orbit
    shift = others * D.sum(axis=0), others * G.sum(axis=0)
    y = measured + shift[1]
    t_y = np.asarray(y @ core.whitener.T, np.float64)
    pivot = np.eye(k) - 1 / n_samples - weight * np.einsum("jiq,q,liq->ijl", t, scale, t)
    if np.linalg.eigvalsh(pivot)[:, 0].min() < LEAST_PIVOT:
        return None
    beta = np.linalg.solve(pivot, np.einsum("jiq,q,iq->ij", t, scale, t_y)[:, :, None])[:, :, 0]
    codes = np.asarray(G.reshape(k * N, -1) @ encoder.T, np.float64)
    inside = codes - np.asarray(D.reshape(k * N, n) @ decoder, np.float64)
    change = weight * np.einsum("ij,jir->ir", beta, inside.reshape(k, N, -1))
    z = np.asarray(y @ encoder.T, np.float64) + change
    x = D[0] + shift[0]
    outside = x if cut else x + weight * np.einsum("ij,jin->in", beta, D)
    errors = np.sum((x @ decoder - z) ** 2, axis=1) - np.sum((outside @ decoder) ** 2, axis=1)
    return float(np.mean(np.einsum("ij,ij->i", outside, outside, dtype=np.float64) + errors))
