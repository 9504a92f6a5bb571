"""Gaussian priors of signals: a mean and a covariance Gamma = B B^T + D^{1/2} K D^{1/2}.

B is a thin factor (samples, or a root of a given matrix); D^{1/2} K D^{1/2} a stationary Matern
correlation K, or the identity, scaled to the standard deviation of each pixel. Either part may be missing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from invae.errors import InputError
from invae.linalg.augment import augment as apply_group
from invae.linalg.factorise import symmetric_eigen, thin_svd
from invae.linalg.kernels import CosineModes, MaternKernel
from invae.linalg.samples import as_float, as_rows
from invae.linalg.shrinkage import SHRINKAGES, KernelChoice, choose_kernel, ledoit_wolf, probabilistic_pca

__all__ = ["GaussianPrior"]

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)


class GaussianPrior:
    """Gaussian distribution of signals x in R^n.

    Parameters
    ----------
    mean : array_like of shape (n,) or of the signal's shape
    covariance : array_like of shape (n, n), optional
        Symmetric positive semidefinite; may be singular.
    factor : array_like of shape (n, k), optional
        B with Gamma = B B^T, instead of ``covariance``.
    shape : tuple of int, optional
        Shape of a signal, when ``mean`` comes flat.

    Attributes
    ----------
    mean : ndarray of shape (n,)
    shape_ : tuple of int
    choice : KernelChoice or None
        What kernel shrinkage chose, and all that it tried.

    Examples
    --------
    >>> prior = GaussianPrior.matern((8, 8), length_scale=3.0, std=0.5)
    >>> prior.sample(2, rng=0).shape, float(prior.variance[0])
    ((2, 8, 8), 0.25)
    """

    def __init__(
        self,
        mean: ArrayLike,
        covariance: ArrayLike | None = None,
        *,
        factor: ArrayLike | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        mean = np.asarray(mean, np.float64)
        if (covariance is None) == (factor is None):
            raise InputError("give the prior exactly one of covariance= and factor=")
        if covariance is not None:
            B = _root(np.asarray(covariance, np.float64), mean.size)
        else:
            B = np.asarray(factor)
            if B.ndim != 2 or len(B) != mean.size or not np.isfinite(B).all():
                raise InputError(f"factor has shape {B.shape}, expected ({mean.size}, k), finite")
        self._set(mean, mean.shape if shape is None else shape, B, None, None)

    def _set(
        self,
        mean: ArrayLike,
        shape: tuple[int, ...],
        factor: np.ndarray | None,
        scale: np.ndarray | None,
        kernel: MaternKernel | None,
    ) -> GaussianPrior:
        self.mean: Array = np.asarray(mean, np.float64).ravel()
        self.shape_ = tuple(int(size) for size in shape)
        if math.prod(self.shape_) != self.mean.size or self.mean.size == 0:
            raise InputError(
                f"the prior's mean has {self.mean.size} entries, which do not fill shape={self.shape_}"
            )
        if not np.isfinite(self.mean).all():
            raise InputError("the prior's mean has NaN or infinite entries; pass finite ones")
        self._B, self._scale, self._kernel = factor, scale, kernel
        self.choice: KernelChoice | None = None
        return self

    @classmethod
    def from_samples(
        cls,
        signals: np.ndarray,
        *,
        shape: tuple[int, ...] | None = None,
        shrinkage: str | None = None,
        augment: str | None = None,
        measure: Callable[[np.ndarray], np.ndarray] | None = None,
        noise: float = 0.0,
        choice: KernelChoice | None = None,
        validation: float = 0.2,
        rng: int | np.random.Generator | None = 0,
    ) -> GaussianPrior:
        """Mean and covariance of samples, shrunk where they are few.

        Parameters
        ----------
        signals : ndarray of shape (N, n) or (N, *shape)
        shape : tuple of int, optional
            Grid of a signal that comes flat.
        shrinkage : {None, "ledoit-wolf", "ppca", "kernel"}
            None leaves the sample covariance (the samples are its factor).
        augment : {None, "flips", "d4"}
            Symmetry that the signals' distribution has.
        measure : callable, optional
            For "kernel": the linear measurement, rows (N, n) -> (N, m), whose reconstruction is to be
            best. By default a random quarter of the pixels, at most 1000, that the others are predicted from.
        noise : float
            For "kernel": variance of the noise of ``measure``.
        choice : KernelChoice, optional
            For "kernel": weight, length and smoothness, instead of a search.
        validation : float
            Fraction of the samples that "ppca" and "kernel" choose by.
        rng : int, Generator or None
            Draws these samples.
        """
        signals = np.asarray(signals)
        shape = tuple(signals.shape[1:]) if shape is None else tuple(shape)
        rows, _ = as_rows(signals, shape, "signals")
        if shrinkage is not None and shrinkage not in SHRINKAGES:
            raise InputError(f"shrinkage={shrinkage!r} is unknown; choose None, {', '.join(SHRINKAGES)}")
        rng = np.random.default_rng(rng)
        components = 0
        if shrinkage == "ppca" or (shrinkage == "kernel" and choice is None):
            n_held = max(1, round(validation * len(rows)))
            if len(rows) - n_held < 2:
                raise InputError(
                    f"shrinkage={shrinkage!r} is chosen on held-out samples; {len(rows)} are too few"
                )
            order = rng.permutation(len(rows))
            train = apply_group(rows[np.sort(order[n_held:])], shape, augment)
            mean = train.mean(axis=0, dtype=np.float64).astype(rows.dtype)
            train, held = train - mean, rows[np.sort(order[:n_held])] - mean
            if shrinkage == "ppca":
                components = probabilistic_pca(train, held)
            else:
                choice = choose_kernel(
                    train, held, shape, measure or _some_pixels(rows.shape[1], rng), noise, rng
                )
        rows = apply_group(rows, shape, augment)
        mean = rows.mean(axis=0, dtype=np.float64)
        rows = rows - mean.astype(rows.dtype)
        rows /= rows.dtype.type(math.sqrt(len(rows)))
        B, scale, kernel = rows.T, None, None
        if shrinkage == "ledoit-wolf":
            rho, mu = ledoit_wolf(rows * math.sqrt(len(rows)))
            B, scale = B * B.dtype.type(math.sqrt(1 - rho)), np.full(mean.size, math.sqrt(rho * mu))
        elif shrinkage == "ppca":
            _, s, Vt = thin_svd(rows)
            rest = float(np.sum(s[components:] ** 2)) / (mean.size - components)
            gain = np.sqrt(np.maximum(s[:components] ** 2 - rest, 0.0))
            B, scale = Vt[:components].T * gain, np.full(mean.size, math.sqrt(rest))
        elif choice is not None and choice.rho > 0:
            deviation = np.sqrt(np.einsum("ij,ij->i", B, B, dtype=np.float64))
            B, scale = B * B.dtype.type(math.sqrt(1 - choice.rho)), math.sqrt(choice.rho) * deviation
            kernel = MaternKernel(shape, choice.length_scale, choice.smoothness)
        prior = cls.__new__(cls)._set(mean, shape, B, scale, kernel)
        prior.choice = choice
        return prior

    @classmethod
    def matern(
        cls,
        shape: tuple[int, ...],
        length_scale: float,
        *,
        smoothness: float = 0.5,
        std: ArrayLike = 1.0,
        mean: ArrayLike = 0.0,
    ) -> GaussianPrior:
        """Matern field on a grid.

        Parameters
        ----------
        shape : tuple of int
        length_scale : float
            In pixels.
        smoothness : float, default 0.5
            0.5 is the exponential kernel, inf the Gaussian one.
        std : float or array_like of the signal's shape
            Standard deviation of every pixel, in the signal's units.
        mean : float or array_like of the signal's shape
        """
        kernel = MaternKernel(shape, length_scale, smoothness)
        scale = np.broadcast_to(np.asarray(std, np.float64), kernel.shape).ravel().copy()
        if not (scale >= 0).all() or not scale.any() or not np.isfinite(scale).all():
            raise InputError(f"std={std!r} must be positive and finite")
        mean = np.broadcast_to(np.asarray(mean, np.float64), kernel.shape)
        return cls.__new__(cls)._set(mean, kernel.shape, None, scale, kernel)

    @property
    def size(self) -> int:
        """n."""
        return self.mean.size

    @property
    def structured(self) -> bool:
        """Whether Gamma has a part that is not a thin factor."""
        return self._scale is not None

    @property
    def variance(self) -> Array:
        """Diagonal of Gamma, shape (n,)."""
        out = np.zeros(self.size) if self._scale is None else self._scale**2
        return out if self._B is None else out + np.einsum("ij,ij->i", self._B, self._B, dtype=np.float64)

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, n) times Gamma, without forming it; float32 or float64 is kept."""
        rows = as_float(rows)
        out = np.zeros_like(rows)
        if self._B is not None:
            B = self._B.astype(rows.dtype, copy=False)
            out += (rows @ B) @ B.T
        if self._scale is not None:
            scale = self._scale.astype(rows.dtype)
            scaled = rows * scale
            out += scale * (scaled if self._kernel is None else self._kernel.apply(scaled))
        return out

    def covariance(self) -> Array:
        """Gamma itself, shape (n, n)."""
        out = (
            np.zeros((self.size, self.size))
            if self._B is None
            else np.asarray(self._B @ self._B.T, np.float64)
        )
        if self._scale is not None:
            K = np.eye(self.size) if self._kernel is None else self._kernel.dense()
            out += np.outer(self._scale, self._scale) * K
        return out

    def factor(self) -> np.ndarray:
        """B of shape (n, k) with Gamma = B B^T exactly; the root of a dense matrix unless Gamma is a
        factor."""
        if self._scale is None and self._B is not None:
            return self._B
        values, vectors = symmetric_eigen(self.covariance())
        return vectors * np.sqrt(values)

    def low_rank_factor(self, n_modes: int) -> np.ndarray:
        """Rows (k + n_modes, n) of an approximate factor, the kernel cut to its lowest cosine modes.

        Gamma ~ rows.T @ rows. Nothing of size n x n is formed.
        """
        if self._scale is None or self._kernel is None:
            return np.ascontiguousarray(self.factor().T)
        dtype = np.dtype(np.float64) if self._B is None else self._B.dtype
        modes = CosineModes(self.shape_, min(n_modes, self.size), dtype.type)
        length, nu = self._kernel.length_scale, self._kernel.smoothness
        rows = modes.modes * np.sqrt(modes.eigenvalues(length, nu))[:, None].astype(dtype)
        rows *= (self._scale / np.sqrt(modes.variance(length, nu))).astype(dtype)
        return rows if self._B is None else np.concatenate([self._B.T, rows])

    def cut_off(self, n_modes: int, n_samples: int, rng: int | np.random.Generator | None = None) -> Array:
        """Draws (n_samples, n), mean 0, of what `low_rank_factor` leaves out of Gamma."""
        if self._scale is None or self._kernel is None:
            return np.zeros((n_samples, self.size))
        fields = self._kernel.sample(n_samples, np.random.default_rng(rng))
        modes = CosineModes(self.shape_, min(n_modes, self.size)).modes
        return self._scale * (fields - (fields @ modes.T) @ modes)

    def sample(self, n_samples: int, rng: int | np.random.Generator | None = None) -> Array:
        """Draw signals, shape (n_samples, *shape_)."""
        rng = np.random.default_rng(rng)
        rows = np.tile(self.mean, (n_samples, 1))
        if self._B is not None:
            rows += rng.standard_normal((n_samples, self._B.shape[1])) @ self._B.T
        if self._scale is not None:
            kernel = self._kernel
            rows += self._scale * (
                rng.standard_normal(rows.shape) if kernel is None else kernel.sample(n_samples, rng)
            )
        return rows.reshape(n_samples, *self.shape_)

    def to_state(self) -> dict[str, Any]:
        """Arrays and numbers that rebuild the prior."""
        state: dict[str, Any] = {
            "mean": self.mean,
            "shape": list(self.shape_),
            "B": self._B,
            "scale": self._scale,
        }
        if self._kernel is not None:
            state["kernel"] = [self._kernel.length_scale, self._kernel.smoothness]
        if self.choice is not None:
            state["choice"] = vars(self.choice)
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GaussianPrior:
        """Rebuild the prior that `to_state` described."""
        shape = tuple(state["shape"])
        kernel = MaternKernel(shape, *state["kernel"]) if "kernel" in state else None
        prior = cls.__new__(cls)._set(state["mean"], shape, state["B"], state["scale"], kernel)
        if "choice" in state:
            tried = [tuple(row) for row in state["choice"]["tried"]]
            prior.choice = KernelChoice(**{**state["choice"], "tried": tried})
        return prior

    def __repr__(self) -> str:
        rank = 0 if self._B is None else self._B.shape[1]
        parts = [f"shape={self.shape_}", f"rank={rank}"]
        if self._kernel is not None:
            parts += [
                f"length_scale={self._kernel.length_scale:.4g}",
                f"smoothness={self._kernel.smoothness}",
            ]
        elif self._scale is not None:
            parts.append("white")
        return f"<GaussianPrior {', '.join(parts)}>"


def _some_pixels(n: int, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    index = np.sort(rng.permutation(n)[: max(1, min(1000, n // 4))])
    return lambda rows: rows[:, index]


def _root(covariance: Array, size: int) -> Array:
    if covariance.shape != (size, size):
        raise InputError(f"covariance has shape {covariance.shape}, expected ({size}, {size})")
    scale = np.abs(covariance).max()
    if not np.isfinite(scale) or np.abs(covariance - covariance.T).max() > 1e-8 * scale:
        raise InputError("covariance must be finite and symmetric; pass (C + C.T) / 2")
    values, vectors = symmetric_eigen(covariance)
    if values.sum() > covariance.trace() + 1e-8 * scale * size:  # the clipped negative eigenvalues
        raise InputError("covariance has a negative eigenvalue: it is no covariance; project it first")
    return vectors * np.sqrt(values)
