"""Whitening by a noise covariance: v -> R^{-1/2} v for R diagonal, full, or low rank plus white."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from invae.errors import InputError
from invae.linalg.factorise import symmetric_eigen

__all__ = ["Whitening"]


class Whitening:
    """Symmetric inverse root of a covariance R, applied to rows.

    R is scaled to mean variance 1 first; ``scale`` keeps the factor, so that Cov(e) = scale * R and one
    number says how strong the noise is.

    Parameters
    ----------
    covariance : float, ndarray of shape (m,) or ndarray of shape (m, m)
        A float means white noise of that variance, a vector independent entries, a matrix anything.
        Directions of a matrix with no variance (below its numerical rank) are dropped.

    Attributes
    ----------
    scale : float
    variances : ndarray of shape () or (m,)
        Variance of each entry.

    Raises
    ------
    InputError
        A variance that is negative, or zero beside others that are not.

    Examples
    --------
    >>> import numpy as np
    >>> w = Whitening(np.array([1.0, 3.0]))
    >>> w.scale, w.apply(np.array([[1.0, 1.0]])).round(3)
    (2.0, array([[1.414, 0.816]]))
    """

    def __init__(self, covariance: ArrayLike) -> None:
        covariance = np.asarray(covariance, np.float64)
        self.variances = covariance.diagonal() if covariance.ndim == 2 else covariance
        if not (self.variances >= 0).all():
            raise InputError(f"noise variances must be >= 0, got {self.variances.min()}")
        self.scale = float(self.variances.mean())
        self._diagonal: NDArray[np.float64] | None = None
        self._left: NDArray[np.float64] | None = None
        self._gain: NDArray[np.float64] | None = None
        if covariance.ndim == 1 and self.scale > 0:
            if (covariance == 0).any():
                raise InputError(
                    f"{int((covariance == 0).sum())} of {covariance.size} measurements have noise variance 0 "
                    "beside noisy ones; give them their true, small variance"
                )
            self._diagonal = 1.0 / np.sqrt(covariance / self.scale)
        elif covariance.ndim == 2 and self.scale > 0:
            values, self._left = symmetric_eigen(covariance / self.scale)
            self._gain = 1.0 / np.sqrt(values)

    @classmethod
    def low_rank(cls, U: np.ndarray, power: np.ndarray, rest: float, noise: float | np.ndarray) -> Whitening:
        """R = U diag(power) U^T + rest (I - U U^T) + noise, U of shape (m, k) with orthonormal columns.

        Nothing of size m x m is formed when ``noise`` is one variance for all entries.
        """
        if np.ndim(noise) == 2:
            return cls((U * (power - rest)) @ U.T + rest * np.eye(len(U)) + np.asarray(noise))
        if np.ndim(noise):
            return cls((U * (power - rest)) @ U.T + np.diag(rest + np.asarray(noise)))
        power, rest = power + noise, rest + float(noise)
        out = cls(rest + (U**2) @ (power - rest))
        if out.scale > 0:
            floor = 1.0 / np.sqrt(rest / out.scale)
            out._diagonal = np.full(len(U), floor)
            out._left, out._gain = U, 1.0 / np.sqrt(power / out.scale) - floor
        return out

    def unapply(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, m) times R (on the directions that were not dropped). float32 is kept."""
        if self._left is None or self._gain is None:
            return rows if self._diagonal is None else rows / (self._diagonal**2).astype(rows.dtype)
        left = self._left.astype(rows.dtype)
        floor = 0.0 if self._diagonal is None else float(self._diagonal[0])
        rest = 0.0 if floor == 0 else 1 / floor**2
        along = (rows @ left) * ((self._gain + floor) ** -2 - rest).astype(rows.dtype)
        return rows.dtype.type(rest) * rows + along @ left.T

    def draw(self, n_samples: int, size: int, power: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Noise of covariance power * R, rows (n_samples, size)."""
        noise = np.sqrt(power) * rng.standard_normal((n_samples, size))
        if self._left is None:
            return noise if self._diagonal is None else noise / self._diagonal
        assert self._gain is not None  # set together with the left factor
        floor = 0.0 if self._diagonal is None else float(self._diagonal[0])
        along = noise @ self._left
        out = np.zeros_like(noise) if floor == 0 else (noise - along @ self._left.T) / floor
        return out + (along / (self._gain + floor)) @ self._left.T

    def to_state(self) -> dict[str, Any]:
        """Arrays and numbers, for storing."""
        return {name.lstrip("_"): value for name, value in vars(self).items()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Whitening:
        """Rebuild what `to_state` described."""
        out = cls(np.asarray(state["variances"]))
        out._diagonal, out._left, out._gain = state["diagonal"], state["left"], state["gain"]
        return out

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, m) times R^{-1/2}; the same array comes back where R = I. float32 is kept."""
        if self._diagonal is None and self._left is None:
            return rows
        out = np.zeros_like(rows) if self._diagonal is None else rows * self._diagonal.astype(rows.dtype)
        if self._left is not None and self._gain is not None:
            left = self._left.astype(rows.dtype)
            out += ((rows @ left) * self._gain.astype(rows.dtype)) @ left.T
        return out
