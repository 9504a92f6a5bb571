"""What the layers of a refiner need of the linear map below them: estimates, its linear part, noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from invae.autoencoders.bayes_risk.noise import NOMINAL
from invae.linalg.casts import Casts
from invae.operators.noise import GaussianNoise

__all__ = ["AffineMap", "noise_sampler"]


class AffineMap:
    """A fitted affine reconstructor, and its linear part alone."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._factors: Casts | None = None
        self._sharper: dict[float, AffineMap] = {}

    def sharper(self, share: float) -> AffineMap:
        """The map for noise of this share of the standard deviation."""
        if share == 1:
            return self
        if share not in self._sharper:
            self._sharper[share] = AffineMap(self.model.at(noise=share * self.model.noise_std_))
        return self._sharper[share]

    @property
    def can_sharpen(self) -> bool:
        """Whether the model knows of noise, and a map for less of it."""
        return hasattr(self.model, "at") and getattr(self.model, "noise_std_", 0.0) > 0

    def predict(self, y: np.ndarray) -> np.ndarray:
        """Estimates (N, n) of measurements (N, m)."""
        return self.model.predict(y).reshape(len(y), -1)

    def linear(self, residuals: np.ndarray) -> np.ndarray:
        """A r for residuals (N, m), as (N, n)."""
        if self._factors is None:
            E, D = self.model.encoder_.T, self.model.decoder_.T
            # Two thin products, or one with A itself where that is less work.
            thin = E.shape[1] * (len(E) + D.shape[1]) < len(E) * D.shape[1]
            self._factors = Casts(E, D) if thin else Casts(E @ D)
        for factor in self._factors(residuals.dtype):
            residuals = residuals @ factor
        return residuals


def noise_sampler(noise: Any) -> Callable[[np.ndarray, np.random.Generator], np.ndarray] | None:
    """How to add the reconstructor's noise to clean measurements (N, m); None where there is none to add."""
    if noise is None:
        return None
    if isinstance(noise, str):
        noise = GaussianNoise(relative=NOMINAL)
    if hasattr(noise, "sample"):
        return noise.sample
    std = np.asarray(noise, np.float64)
    return lambda clean, rng: clean + std * rng.standard_normal(clean.shape)
