"""Covariance of the noise that a reconstructor is built for, from a noise model or a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.errors import InputError
from invae.operators.noise import GaussianNoise, PoissonNoise

__all__ = ["noise_variance"]

FLOOR = 1e-6


def noise_variance(noise: Any, mean_y: np.ndarray, rms_y: np.ndarray) -> float | np.ndarray:
    """Variance of the noise of each measurement entry: one number, or an array of shape (m,).

    Parameters
    ----------
    noise : None, float, ndarray of shape (m,), GaussianNoise or PoissonNoise
        A number or an array is a standard deviation. A relative model is resolved against ``rms_y``; a
        Poisson model has variance mean / scale, held above 1e-6 of its average where nothing is expected.
    mean_y, rms_y : ndarray of shape (m,)
        Mean and root mean square of the clean measurements.
    """
    if noise is None:
        return 0.0
    if isinstance(noise, PoissonNoise):
        variance = np.maximum(mean_y, 0.0) / noise.scale
        return np.maximum(variance, FLOOR * variance.mean())
    if isinstance(noise, GaussianNoise):
        return noise.std_for(rms_y[None]) ** 2
    std = np.asarray(noise, np.float64)
    if std.shape not in ((), mean_y.shape) or not np.isfinite(std).all() or not (std >= 0).all():
        raise InputError(
            f"noise={noise!r} is neither a noise model nor a standard deviation >= 0, alone or for each "
            f"of the {mean_y.size} measurements"
        )
    return float(std) ** 2 if std.ndim == 0 else std**2
