"""Gaussian priors of signals: a mean and a covariance Gamma = B B^T, held as a factor or as a kernel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from invae.errors import InputError
from invae.linalg.factorise import symmetric_eigen
from invae.linalg.kernels import MaternKernel
from invae.linalg.samples import as_rows

__all__ = ["GaussianPrior"]

Array = NDArray[np.float64]


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
    shape_ : tuple of int

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
        self.shape_ = tuple(int(size) for size in (mean.shape if shape is None else shape))
        if math.prod(self.shape_) != mean.size or mean.size == 0:
            raise InputError(
                f"the prior's mean has shape {mean.shape}, which does not fill shape={self.shape_}"
            )
        self.mean: Array = mean.ravel()
        if (covariance is None) == (factor is None):
            raise InputError("give the prior exactly one of covariance= and factor=")
        self._kernel: MaternKernel | None = None
        self._std = 1.0
        self._factor: Array | None = None
        if factor is not None:
            self._factor = np.asarray(factor, np.float64)
            if (
                self._factor.ndim != 2
                or len(self._factor) != mean.size
                or not np.isfinite(self._factor).all()
            ):
                raise InputError(f"factor has shape {self._factor.shape}, expected ({mean.size}, k), finite")
        if covariance is not None:
            self._factor = _root(np.asarray(covariance, np.float64), mean.size)

    @classmethod
    def from_samples(cls, signals: np.ndarray, *, shape: tuple[int, ...] | None = None) -> GaussianPrior:
        """Mean and covariance of signals (N, n) or (N, *shape); the samples are the factor."""
        signals = np.asarray(signals)
        shape = tuple(signals.shape[1:]) if shape is None else shape
        rows, _ = as_rows(signals, shape, "signals")
        mean = rows.mean(axis=0, dtype=np.float64)
        return cls(mean, factor=(rows - mean).T / math.sqrt(len(rows)), shape=shape)

    @classmethod
    def matern(
        cls,
        shape: tuple[int, ...],
        length_scale: float,
        *,
        smoothness: float = 0.5,
        std: float = 1.0,
        mean: ArrayLike = 0.0,
    ) -> GaussianPrior:
        """Stationary Matern field on a grid.

        Parameters
        ----------
        shape : tuple of int
        length_scale : float
            In pixels.
        smoothness : float, default 0.5
            0.5 is the exponential kernel, inf the Gaussian one.
        std : float
            Standard deviation of every pixel, in the signal's units.
        mean : float or array_like of the signal's shape
        """
        if not std > 0:
            raise InputError(f"std={std} must be positive")
        prior = cls.__new__(cls)
        prior._kernel = MaternKernel(shape, length_scale, smoothness)
        prior.shape_, prior._std, prior._factor = prior._kernel.shape, float(std), None
        prior.mean = np.broadcast_to(np.asarray(mean, np.float64), prior.shape_).ravel()
        return prior

    @property
    def size(self) -> int:
        """n."""
        return self.mean.size

    @property
    def variance(self) -> Array:
        """Diagonal of Gamma, shape (n,)."""
        if self._factor is None:
            return np.full(self.size, self._std**2)
        return np.einsum("ij,ij->i", self._factor, self._factor)

    def apply(self, rows: np.ndarray) -> Array:
        """Rows (N, n) times Gamma, without forming it."""
        if self._kernel is not None:
            return self._std**2 * self._kernel.apply(np.asarray(rows, np.float64))
        return (rows @ self.factor()) @ self.factor().T

    def factor(self) -> Array:
        """B of shape (n, k) with Gamma = B B^T; k <= n is the numerical rank."""
        if self._factor is None and self._kernel is not None:
            values, vectors = symmetric_eigen(self._kernel.dense())
            self._factor = self._std * vectors * np.sqrt(values)
        assert self._factor is not None  # a prior has a factor or a kernel
        return self._factor

    def sample(self, n_samples: int, rng: int | np.random.Generator | None = None) -> Array:
        """Draw signals, shape (n_samples, *shape_)."""
        rng = np.random.default_rng(rng)
        if self._kernel is not None:
            rows = self._std * self._kernel.sample(n_samples, rng)
        else:
            B = self.factor()
            rows = rng.standard_normal((n_samples, B.shape[1])) @ B.T
        return (rows + self.mean).reshape(n_samples, *self.shape_)

    def to_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"mean": self.mean, "shape": list(self.shape_)}
        if self._kernel is None:
            return {**state, "factor": self._factor}
        kernel = self._kernel
        return {
            **state,
            "std": self._std,
            "length_scale": kernel.length_scale,
            "smoothness": kernel.smoothness,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GaussianPrior:
        shape = tuple(state["shape"])
        if "factor" in state:
            return cls(state["mean"], factor=state["factor"], shape=shape)
        mean = np.asarray(state["mean"]).reshape(shape)
        return cls.matern(
            shape, state["length_scale"], smoothness=state["smoothness"], std=state["std"], mean=mean
        )

    def __repr__(self) -> str:
        if self._kernel is None:
            return f"GaussianPrior(shape={self.shape_}, rank={self.factor().shape[1]})"
        return (
            f"GaussianPrior.matern({self.shape_}, length_scale={self._kernel.length_scale}, "
            f"smoothness={self._kernel.smoothness}, std={self._std})"
        )


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
