"""The exact posterior mean under a prior too large to factorise: conjugate gradients in data space.

    x_hat = mean_x + Gamma F^T z,   (F Gamma F^T + tau R) z = y - mean_y

Gamma is applied by FFT and through its samples, F and F^T are applied to whole batches. The low-rank
factors of the prior are the preconditioner: with S, P of its k leading directions and tau' = tau + (mean
power of the rest),

    M^-1 = R^{-1/2} [ P ((S^2 + tau')^-1 - 1 / tau') P^T + 1 / tau' ] R^{-1/2},

so that only what the factors cut off is left to iterate on. Every row stops by its own residual: the
result does not depend on what else is in the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.linalg.priors import GaussianPrior
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.whitening import Whitening
from invae.operators.rows import adjoint, forward

__all__ = ["posterior_mean"]

BATCH = 32  # rows at a time: five arrays of the signal's size each
RTOL = 3e-3  # of the preconditioned residual: the mean is then off by far less than its own deviation
STEPS = 60  # a row that needs more stops here


def posterior_mean(
    centred: np.ndarray,
    prior: GaussianPrior,
    operator: Any,
    whitening: Whitening,
    core: ReducedRank,
    tau: np.ndarray,
    cut_off: float,
) -> np.ndarray:
    """Centred reconstructions (N, n) of centred measurements (N, m) with noise powers ``tau`` (N,)."""
    out = np.empty((len(centred), prior.size), centred.dtype)
    tiny = np.finfo(np.float32).tiny
    for start in range(0, len(centred), BATCH):
        residual = centred[start : start + BATCH].copy()
        noise = np.maximum(tau[start : start + BATCH, None], 1e-9 * float(core.power.max(initial=tiny)))
        floor = 1.0 / (noise + cut_off)
        weight = (1.0 / (core.power + noise + cut_off) - floor).astype(centred.dtype)
        noise, floor = noise.astype(centred.dtype), floor.astype(centred.dtype)

        def precondition(
            rows: np.ndarray, weight: np.ndarray = weight, floor: np.ndarray = floor
        ) -> np.ndarray:
            white = whitening.apply(whitening.apply(rows))
            return floor * white + ((rows @ core.whitener.T) * weight) @ core.whitener

        x = np.zeros((len(residual), prior.size), centred.dtype)
        scaled = precondition(residual)
        direction, gamma = scaled, _dot(residual, scaled)
        target = RTOL**2 * gamma
        for _ in range(STEPS):
            active = gamma > target
            if not active.any():
                break
            back = prior.apply(adjoint(operator, direction))
            image = forward(operator, back) + noise * whitening.unapply(direction)
            step = np.where(active, gamma / np.maximum(_dot(direction, image), tiny), 0.0)
            step = step.astype(centred.dtype)[:, None]
            x += step * back
            residual -= step * image
            scaled = precondition(residual)
            previous, gamma = gamma, np.where(active, _dot(residual, scaled), gamma)
            ratio = np.where(active, gamma / np.maximum(previous, tiny), 0.0)
            direction = scaled + ratio.astype(centred.dtype)[:, None] * direction
        out[start : start + BATCH] = x
    return out


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", a, b, dtype=np.float64)
