"""Covariances from few samples: shrink the sample covariance S towards a target of full rank.

    ledoit-wolf   (1 - rho) S + rho mu I,  mu = tr S / n, rho by formula [1]
    ppca          U_k (L_k - s2 I) U_k^T + s2 I, k by held-out likelihood [2]
    kernel        (1 - rho) S + rho D^{1/2} K D^{1/2}, D = diag S, K a Matern correlation;
                  rho, length and smoothness by held-out risk of a linear reconstruction

References
----------
[1] Ledoit, Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices.
[2] Tipping, Bishop (1999), Probabilistic principal component analysis.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from invae.linalg.factorise import row_gram, thin_svd
from invae.linalg.kernels import CosineModes

__all__ = ["SHRINKAGES", "KernelChoice", "choose_kernel", "ledoit_wolf", "probabilistic_pca"]

logger = logging.getLogger(__name__)

SHRINKAGES = ("ledoit-wolf", "ppca", "kernel")
LENGTHS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)  # of the longest axis; the best one is refined after
SMOOTHNESS = (0.5, 1.5)  # fields with edges, and fields with a derivative
# Finer near 0, where a little of the kernel already gives full rank, and near 1, where few samples leave it.
RHO = (0.0, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
MODES = 600  # as in `bayes_risk.spaces`: what they cut off is measured, and acts as noise
DRAWS = 8  # of it, thousands of entries each: its mean power is known to a few per cent
MOST = 2**24  # entries of the samples that are looked at: 128 MiB
PIXELS = 2048  # of a held-out signal that its error is taken over: known to some 2 %


def ledoit_wolf(rows: np.ndarray) -> tuple[float, float]:
    """Weight rho and level mu of the identity for centred samples (N, n), through their (N, N) Gram
    matrix."""
    N, n = rows.shape
    gram = row_gram(rows)
    norms = gram.diagonal()
    mu = norms.sum() / (N * n)
    sample = np.sum(gram**2) / N**2  # ||S||_F^2
    distance = sample - n * mu**2
    noise = (np.sum(norms**2) - N * sample) / N**2
    rho = 1.0 if distance <= 0 else min(1.0, noise / distance)
    return float(rho), float(mu)


def probabilistic_pca(train: np.ndarray, held: np.ndarray) -> int:
    """Number of components k of largest likelihood on held-out samples; both centred, (N, n)."""
    N, n = train.shape
    _, s, Vt = thin_svd(train / math.sqrt(N))
    power, seen = s**2, np.mean((held @ Vt.T) ** 2, axis=0)
    most = min(len(power), n - 1)
    if most <= 0:
        return 0
    k = np.arange(most)
    rest = (power.sum() - np.concatenate([[0.0], np.cumsum(power)])[:most]) / (n - k)
    outside = np.mean(np.sum(held**2, axis=1)) - np.concatenate([[0.0], np.cumsum(seen)])[:most]
    inside = np.concatenate([[0.0], np.cumsum(np.log(power) + seen / power)])[:most]
    return int(np.argmin(inside + (n - k) * np.log(rest) + outside / rest))


@dataclass(frozen=True)
class KernelChoice:
    """Kernel shrinkage of least held-out risk.

    Attributes
    ----------
    rho : float
        Weight of the kernel, 0..1.
    length_scale : float
        Pixels.
    smoothness : float
    risk : float
        Mean squared error of a held-out signal, summed over the pixels that were looked at.
    tried : list of (length_scale, smoothness, rho, risk)
    """

    rho: float
    length_scale: float
    smoothness: float
    risk: float
    tried: list[tuple[float, float, float, float]]


def choose_kernel(
    train: np.ndarray,
    held: np.ndarray,
    shape: tuple[int, ...],
    measure: Callable[[np.ndarray], np.ndarray],
    noise: float,
    rng: np.random.Generator,
) -> KernelChoice:
    """Search rho, length and smoothness for the least error of the full-rank map on held-out samples.

    The kernel enters by its `MODES` lowest cosine modes, so that every candidate is a reweighting of
    factors that are measured once: one Cholesky factorisation of the smaller of samples + modes and
    measurements each. What these modes cut off acts as noise, measured on a few draws of it.

    Parameters
    ----------
    train, held : ndarray of shape (N, n), (N', n)
        Signals minus the mean of ``train``.
    shape : tuple of int
    measure : callable
        Whitened linear measurement of rows, (N, n) -> (N, m).
    noise : float
        Variance of the whitened noise; one draw of it is added to the held-out measurements.
    """
    n = train.shape[1]
    N = len(train)
    train = train[: min(1500, max(250, MOST // n))]
    size = max(shape)
    modes = CosineModes(shape, min(MODES, n), train.dtype.type)
    deviation = np.sqrt(np.mean(np.square(train, dtype=np.float64), axis=0))
    deviation /= np.sqrt(modes.variance(size / 8, SMOOTHNESS[0]))
    B = np.concatenate([train / math.sqrt(len(train)), modes.modes * deviation.astype(train.dtype)])
    G = measure(B)
    pixels = np.sort(rng.permutation(n)[:PIXELS])
    Y, X, B = measure(held), held[:, pixels], B[:, pixels]
    noise = max(noise, 1e-10 * float(np.mean(np.square(G[: len(train)], dtype=np.float64).sum(axis=0))))
    Y = Y + math.sqrt(noise) * rng.standard_normal(Y.shape)
    solve = _reweighted(G, Y)
    white = rng.standard_normal((DRAWS, n)) if len(modes.modes) < n else np.zeros((0, n))
    lost: dict[tuple[float, float], float] = {}
    tried: dict[tuple[float, float, float], float] = {}

    def risk(length: float, nu: float, rho: float) -> float:
        key = (length, nu, rho)
        if key not in tried:
            power = modes.eigenvalues(length, nu)
            if (length, nu) not in lost:
                fields = modes.cut_off(white, length, nu) * deviation
                image = measure(fields.astype(train.dtype))
                lost[length, nu] = float(np.mean(np.square(image, dtype=np.float64))) if len(image) else 0.0
            weights = np.concatenate([np.full(len(train), 1 - rho), rho * power])
            coefficients = solve(weights, noise + rho * lost[length, nu])
            tried[key] = float(np.mean(np.sum((X - coefficients @ B) ** 2, axis=1)))
        return tried[key]

    nu, rho = SMOOTHNESS[0], 0.35
    lengths = [max(0.5, factor * size) for factor in LENGTHS]
    length = min(lengths, key=lambda value: risk(value, nu, rho))
    for other in SMOOTHNESS[1:]:
        best = min(lengths, key=lambda value: risk(value, other, rho))
        if risk(best, other, rho) < risk(length, nu, rho):
            length, nu = best, other
    rho = min(RHO, key=lambda value: risk(length, nu, value))
    length = min(
        (length / math.sqrt(2), length, length * math.sqrt(2)), key=lambda value: risk(value, nu, rho)
    )
    near = [value for value in (rho / 1.5, rho, rho * 1.5) if value <= 1]
    rho = min(near, key=lambda value: risk(length, nu, value))
    least, alone = min(tried.values()), risk(length, nu, 0.0)
    if 0 < rho < 1:  # more samples to come than were looked at: the odds of the kernel go with 1 / N
        rho /= rho + (1 - rho) * N / len(train)
    choice = KernelChoice(rho, length, nu, least, [(*key, value) for key, value in tried.items()])
    logger.info(
        "kernel shrinkage: rho %.3g, length %.3g pixels, smoothness %g; held-out risk %.4g (%.4g at rho 0)",
        rho,
        length,
        nu,
        choice.risk,
        alone,
    )
    return choice


def _reweighted(G: np.ndarray, Y: np.ndarray) -> Callable[[np.ndarray, float], np.ndarray]:
    """Coefficients c (N', k), x_hat = c B, for weights of the rows of G and a noise power."""
    k, m = G.shape
    if k <= m:
        gram, image = row_gram(G), np.asarray(Y @ G.T, np.float64)

        def by_factors(weights: np.ndarray, noise: float) -> np.ndarray:
            root = np.sqrt(weights)
            system = gram * np.outer(root, root)
            system[np.diag_indices(k)] += noise
            return scipy.linalg.solve(system, (image * root).T, assume_a="pos", check_finite=False).T * root

        return by_factors

    def by_measurements(weights: np.ndarray, noise: float) -> np.ndarray:
        system = (G.T * weights) @ G
        system[np.diag_indices(m)] += noise
        z = scipy.linalg.solve(system, Y.T, assume_a="pos", check_finite=False).T
        return (z @ G.T) * weights

    return by_measurements
