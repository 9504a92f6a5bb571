"""Whitening by a noise covariance: v -> R^{-1/2} v for a diagonal or a full symmetric R."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
        Directions of a matrix with no variance (below its numerical rank) are not observed at all: they are
        dropped.

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

    def __init__(self, covariance: float | np.ndarray) -> None:
        covariance = np.asarray(covariance, np.float64)
        variances = covariance.diagonal() if covariance.ndim == 2 else covariance
        if not (variances >= 0).all():
            raise InputError(f"noise variances must be >= 0, got {variances.min()}")
        self.variances = variances
        self.scale = float(variances.mean())
        self.root: NDArray[np.float64] | None = None
        if covariance.ndim == 1 and self.scale > 0:
            if (variances == 0).any():
                raise InputError(
                    f"{int((variances == 0).sum())} of {variances.size} measurements have noise variance 0 "
                    "beside noisy ones; give them their true, small variance"
                )
            self.root = 1.0 / np.sqrt(variances / self.scale)
        elif covariance.ndim == 2 and self.scale > 0:
            values, vectors = symmetric_eigen(covariance / self.scale)
            self.root = (vectors / np.sqrt(values)) @ vectors.T

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, m) times R^{-1/2}; the same array comes back where R = I."""
        if self.root is None:
            return rows
        return rows * self.root if self.root.ndim == 1 else rows @ self.root
