"""Noise models of a measurement."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.errors import InputError
from invae.linalg.samples import as_float, is_number, shown

__all__ = ["GaussianNoise", "PoissonNoise"]


class GaussianNoise:
    """White Gaussian noise, y = F x + e with e ~ N(0, std^2 I).

    Parameters
    ----------
    std : float, optional
        Standard deviation in the measurement's units.
    relative : float, optional
        Standard deviation as a share of the root mean square ||F x|| / sqrt(m) of the clean measurement.
        `sample` takes each row's own; `std_for` a single one over all rows, for maps that need one.

    Raises
    ------
    InputError
        Not exactly one of the two is given, or it is negative.

    Examples
    --------
    >>> GaussianNoise(relative=0.02).std_for(np.full((5, 10), 3.0))
    0.06
    """

    def __init__(self, std: float | None = None, *, relative: float | None = None) -> None:
        level = std if relative is None else relative
        if isinstance(level, np.ndarray) and level.ndim == 0:
            level = level.item()
        if (std is None) == (relative is None) or not is_number(level, 0.0):
            raise InputError(
                "give exactly one of std (absolute) and relative (a share of the clean rms), not negative; "
                f"got std={shown(std)}, relative={shown(relative)}"
            )
        self.std = None if std is None else float(std)
        self.relative = None if relative is None else float(relative)

    def std_for(self, clean: np.ndarray | None = None) -> float:
        """One standard deviation for clean measurements (N, m); absolute noise does not need them."""
        if self.std is not None:
            return self.std
        if clean is None:
            raise InputError(
                "relative noise needs clean measurements to get its scale; or give std in their units"
            )
        return float(self.relative * np.sqrt(np.mean(np.square(clean, dtype=np.float64))))

    def covariance_diagonal(self, clean: np.ndarray) -> np.ndarray:
        """Variance of each entry of the measurement, (m,), for clean measurements (N, m)."""
        return np.full(np.shape(clean)[-1], self.std_for(clean) ** 2)

    def sample(self, clean: np.ndarray, rng: int | np.random.Generator | None = None) -> np.ndarray:
        """Noisy copies of clean measurements (N, ...), float32 or float64 kept."""
        clean = as_float(clean)
        rng = np.random.default_rng(rng)
        noise = rng.standard_normal(clean.shape, dtype=clean.dtype)
        if self.std is not None:
            return clean + clean.dtype.type(self.std) * noise
        axes = tuple(range(1, clean.ndim))
        rms = np.sqrt(np.mean(np.square(clean, dtype=np.float64), axis=axes, keepdims=True))
        return clean + (self.relative * rms).astype(clean.dtype) * noise

    def to_state(self) -> dict[str, Any]:
        return {"std": self.std, "relative": self.relative}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GaussianNoise:
        return cls(**state)

    def __repr__(self) -> str:
        return (
            f"GaussianNoise(std={self.std})"
            if self.relative is None
            else f"GaussianNoise(relative={self.relative})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GaussianNoise) and self.to_state() == other.to_state()

    def __hash__(self) -> int:
        return hash((self.std, self.relative))


class PoissonNoise:
    """Counting noise, y = Poisson(scale * F x) / scale.

    Parameters
    ----------
    scale : float
        Expected counts of one unit of the clean measurement; the more, the less noise.

    Raises
    ------
    InputError
        `scale` is not positive, or a clean measurement is negative.

    Examples
    --------
    >>> noisy = PoissonNoise(100.0).sample(np.full((1, 4), 2.0), rng=0)
    >>> float(np.max(np.abs(noisy * 100 - np.round(noisy * 100)))) < 1e-9
    True
    """

    def __init__(self, scale: float) -> None:
        if not (is_number(scale) and scale > 0):
            raise InputError(
                f"scale={shown(scale)} must be a positive number of counts for one unit of the measurement"
            )
        self.scale = float(scale)

    def std_for(self, clean: np.ndarray) -> float:
        """Root mean square over all entries of the standard deviation sqrt(clean / scale)."""
        return float(np.sqrt(np.mean(self._rates(clean), dtype=np.float64) / self.scale))

    def covariance_diagonal(self, clean: np.ndarray) -> np.ndarray:
        """Mean variance of each entry of the measurement, (m,), over clean measurements (N, m)."""
        return np.asarray(np.mean(self._rates(clean), axis=0, dtype=np.float64)) / self.scale

    def sample(self, clean: np.ndarray, rng: int | np.random.Generator | None = None) -> np.ndarray:
        """Noisy copies of clean measurements (N, ...), float32 or float64 kept."""
        rates = self._rates(clean)
        counts = np.random.default_rng(rng).poisson(rates.astype(np.float64) * self.scale)
        return (counts / self.scale).astype(rates.dtype)

    def to_state(self) -> dict[str, Any]:
        return {"scale": self.scale}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> PoissonNoise:
        return cls(**state)

    def __repr__(self) -> str:
        return f"PoissonNoise(scale={self.scale})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PoissonNoise) and self.scale == other.scale

    def __hash__(self) -> int:
        return hash(self.scale)

    @staticmethod
    def _rates(clean: np.ndarray) -> np.ndarray:
        """Clean measurements with rounding below zero removed."""
        clean = as_float(clean)
        lowest, highest = float(clean.min(initial=0)), float(clean.max(initial=0))
        if not np.isfinite(highest - lowest):
            raise InputError("Poisson noise needs finite measurements, got NaN or infinite ones; remove them")
        if lowest < -1e-6 * max(highest, abs(lowest)):
            raise InputError(f"Poisson noise needs measurements >= 0, got a smallest value of {lowest:.4g}")
        return np.maximum(clean, 0)
