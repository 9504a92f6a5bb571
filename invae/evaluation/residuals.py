"""Are errors independent? Run test, lag correlation, and how much noise a lossy copy adds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from invae.errors import InputError

__all__ = ["RunTest", "lag_correlation", "noise_inflation", "run_test"]


@dataclass(frozen=True)
class RunTest:
    """Wald-Wolfowitz test: ``n_runs`` seen, ``expected`` for independent signs, ``z`` and two-sided ``p``.

    z is negative when there are too few runs (errors that keep their sign), positive when they alternate.
    """

    n_runs: int
    expected: float
    z: float
    p: float


def run_test(residuals: np.ndarray) -> RunTest:
    """Run test on the signs of residuals; rows of a 2-D array are tested together.

    With n+ positive and n- negative residuals, n = n+ + n-, the number of runs of independent signs has mean
    2 n+ n- / n + 1 and variance 2 n+ n- (2 n+ n- - n) / (n^2 (n - 1)). Runs do not continue from row to row:
    means and variances add up. Zeros and NaN are left out.

    Parameters
    ----------
    residuals : ndarray of shape (n,) or (N, n)

    Returns
    -------
    RunTest
        With z = 0 and p = 1 where all signs are equal in too short a series to say anything.

    References
    ----------
    A. Wald, J. Wolfowitz, Ann. Math. Stat. 11 (1940) 147.

    Examples
    --------
    >>> run_test(np.array([1.0, 2.0, -1.0, -2.0, 3.0, -1.0])).n_runs
    4
    >>> run_test(np.sin(np.linspace(0, 9, 200))).p < 1e-20
    True
    """
    rows = np.atleast_2d(np.asarray(residuals, np.float64))
    if rows.ndim != 2:
        raise InputError(f"residuals have shape {rows.shape}; pass (n,) or (N, n)")
    seen, mean, variance = 0, 0.0, 0.0
    for row in rows:
        signs = np.sign(row[np.isfinite(row) & (row != 0)])
        n = len(signs)
        if n == 0:
            continue
        plus = int((signs > 0).sum())
        seen += 1 + int((signs[1:] != signs[:-1]).sum())
        product = 2.0 * plus * (n - plus)
        mean += product / n + 1
        if n > 1:
            variance += product * (product - n) / (n**2 * (n - 1.0))
    if variance <= 0:
        return RunTest(seen, mean, 0.0, 1.0)
    z = (seen - mean) / math.sqrt(variance)
    return RunTest(seen, mean, z, math.erfc(abs(z) / math.sqrt(2)))


def lag_correlation(residuals: np.ndarray, lag: int = 1) -> float:
    """Correlation of residuals with themselves ``lag`` points on along the last axis, about zero.

    >>> round(lag_correlation(np.array([1.0, -1.0, 1.0, -1.0])), 2)
    -0.75
    """
    rows = np.atleast_2d(np.asarray(residuals, np.float64))
    if not 0 < lag < rows.shape[-1]:
        raise InputError(f"lag={lag} must be between 1 and {rows.shape[-1] - 1}")
    rows = np.where(np.isfinite(rows), rows, 0.0)
    power = float((rows**2).sum())
    return float((rows[..., lag:] * rows[..., :-lag]).sum() / power) if power else 0.0


def noise_inflation(original: np.ndarray, decoded: np.ndarray, sigma: np.ndarray) -> float:
    """Factor by which a lossy copy widens the noise: sqrt(1 + mean((decoded - original)^2 / sigma^2)).

    An error spread evenly over +- k sigma gives sqrt(1 + k^2 / 3). Points without a positive, finite sigma
    and points that are not finite are left out.

    >>> noise = np.linspace(-0.5, 0.5, 10001)
    >>> round(noise_inflation(np.zeros(10001), noise, np.ones(10001)), 4), round((1 + 0.25 / 3) ** 0.5, 4)
    (1.0408, 1.0408)
    """
    original, decoded = np.asarray(original, np.float64), np.asarray(decoded, np.float64)
    sigma = np.broadcast_to(np.asarray(sigma, np.float64), original.shape)
    if original.shape != decoded.shape:
        raise InputError(f"original {original.shape} and decoded {decoded.shape} differ in shape")
    good = np.isfinite(original) & np.isfinite(decoded) & np.isfinite(sigma) & (sigma > 0)
    if not good.any():
        raise InputError("no point has a positive sigma and finite values; noise inflation is not defined")
    return float(np.sqrt(1 + np.mean(((decoded[good] - original[good]) / sigma[good]) ** 2)))
