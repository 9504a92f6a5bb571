"""First and second moments of signals and of (signal, measurement) pairs, streamed and mergeable.

All sums are kept about the running mean in float64, so that a large common offset costs no digits. Two sets
of moments a, b of the same variables merge exactly [1]:

    mean = mean_a + (N_b / N) (mean_b - mean_a)
    S    = S_a + S_b + (N_a N_b / N) (mean_b - mean_a) (mean_b - mean_a)^T

which is also how one batch is added. Merging is associative up to rounding: batches, processes and files
may be reduced in any tree. Covariances divide by N, not N - 1: they are the moments of the sample itself.

References
----------
[1] Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance, eq. (2.1).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from invae.errors import InputError

__all__ = ["Moments", "PairMoments"]

Array = NDArray[np.float64]


class Moments:
    """Mean and covariance of signals that arrive in batches.

    Attributes
    ----------
    n_samples : int
    mean : ndarray of shape (n,)
    scatter : ndarray of shape (n, n)
        Sum of (x - mean) (x - mean)^T.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> moments = Moments().update(X[:2]).update(X[2:])
    >>> moments.n_samples, bool(np.allclose(moments.covariance, np.cov(X.T, bias=True)))
    (6, True)
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self.mean: Array = np.zeros(0)
        self.scatter: Array = np.zeros((0, 0))

    @classmethod
    def from_batches(cls, batches: Iterable[np.ndarray]) -> Moments:
        """Moments of a generator, list or other iterable of row arrays (N_i, n)."""
        moments = cls()
        for batch in batches:
            moments.update(batch)
        if moments.n_samples == 0:
            raise InputError("no batch held a sample; pass at least one row")
        return moments

    def update(self, rows: np.ndarray) -> Moments:
        """Add the samples of one batch of shape (N, n)."""
        rows = _rows(rows, "a batch of signals")
        if len(rows) == 0:
            return self
        batch = Moments()
        batch.n_samples, batch.mean = len(rows), rows.mean(axis=0)
        centred = rows - batch.mean
        batch.scatter = centred.T @ centred
        return self.merge(batch)

    def merge(self, other: Moments) -> Moments:
        """Add all samples of ``other``, which is left as it is."""
        if other.n_samples == 0:
            return self
        if self.n_samples == 0:
            self.n_samples, self.mean, self.scatter = other.n_samples, other.mean.copy(), other.scatter.copy()
            return self
        _same_width(self.mean, other.mean, "signals")
        shift = other.mean - self.mean
        total = self.n_samples + other.n_samples
        self.scatter += other.scatter
        self.scatter += np.outer(shift, shift * (self.n_samples * other.n_samples / total))
        self.mean = self.mean + shift * (other.n_samples / total)
        self.n_samples = total
        return self

    @property
    def covariance(self) -> Array:
        """Central second moment, shape (n, n)."""
        return self.scatter / self.n_samples

    @property
    def second_moment(self) -> Array:
        """Moment about zero, E x x^T = covariance + mean mean^T, shape (n, n)."""
        return self.covariance + np.outer(self.mean, self.mean)


class PairMoments:
    """Moments of pairs (x, y): what a linear map from y to x needs, and nothing of size n x n.

    Attributes
    ----------
    n_samples : int
    mean_x, mean_y : ndarray of shape (n,) and (m,)
    scatter_xx : ndarray of shape (n,)
        Sum of (x - mean_x)^2, entry by entry.
    scatter_xy : ndarray of shape (n, m)
    scatter_yy : ndarray of shape (m, m)
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self.mean_x: Array = np.zeros(0)
        self.mean_y: Array = np.zeros(0)
        self.scatter_xx: Array = np.zeros(0)
        self.scatter_xy: Array = np.zeros((0, 0))
        self.scatter_yy: Array = np.zeros((0, 0))

    @classmethod
    def from_batches(cls, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> PairMoments:
        """Moments of an iterable of pairs of row arrays, (N_i, n) and (N_i, m)."""
        moments = cls()
        for x, y in batches:
            moments.update(x, y)
        if moments.n_samples == 0:
            raise InputError("no batch held a sample; pass at least one row")
        return moments

    def update(self, x: np.ndarray, y: np.ndarray) -> PairMoments:
        """Add one batch of pairs, rows (N, n) and (N, m)."""
        x, y = _rows(x, "a batch of signals"), _rows(y, "a batch of measurements")
        if len(x) != len(y):
            raise InputError(
                f"a batch pairs {len(x)} signals with {len(y)} measurements; pass as many of each"
            )
        if len(x) == 0:
            return self
        batch = PairMoments()
        batch.n_samples, batch.mean_x, batch.mean_y = len(x), x.mean(axis=0), y.mean(axis=0)
        dx, dy = x - batch.mean_x, y - batch.mean_y
        batch.scatter_xx = np.einsum("ij,ij->j", dx, dx)
        batch.scatter_xy, batch.scatter_yy = dx.T @ dy, dy.T @ dy
        return self.merge(batch)

    def merge(self, other: PairMoments) -> PairMoments:
        """Add all pairs of ``other``, which is left as it is."""
        if other.n_samples == 0:
            return self
        if self.n_samples == 0:
            for name, value in vars(other).items():
                setattr(self, name, value.copy() if isinstance(value, np.ndarray) else value)
            return self
        _same_width(self.mean_x, other.mean_x, "signals")
        _same_width(self.mean_y, other.mean_y, "measurements")
        total = self.n_samples + other.n_samples
        weight = self.n_samples * other.n_samples / total
        dx, dy = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        self.scatter_xx += other.scatter_xx + weight * dx**2
        self.scatter_xy += other.scatter_xy
        self.scatter_xy += np.outer(dx, weight * dy)
        self.scatter_yy += other.scatter_yy
        self.scatter_yy += np.outer(dy, weight * dy)
        self.mean_x = self.mean_x + dx * (other.n_samples / total)
        self.mean_y = self.mean_y + dy * (other.n_samples / total)
        self.n_samples = total
        return self

    @property
    def variance_x(self) -> Array:
        """Diagonal of C_xx, shape (n,)."""
        return self.scatter_xx / self.n_samples

    @property
    def covariance_xy(self) -> Array:
        """C_xy, shape (n, m)."""
        return self.scatter_xy / self.n_samples

    @property
    def covariance_yy(self) -> Array:
        """C_yy, shape (m, m)."""
        return self.scatter_yy / self.n_samples


def _rows(rows: np.ndarray, what: str) -> Array:
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2:
        raise InputError(f"{what} has shape {rows.shape}, expected (N, size) with one sample per row")
    return rows


def _same_width(a: np.ndarray, b: np.ndarray, what: str) -> None:
    if a.shape != b.shape:
        raise InputError(f"cannot join {what} of {b.size} entries to moments of {a.size} entries")
