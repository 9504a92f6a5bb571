"""Rules that choose a regularisation parameter, and the noise level that one of them needs.

A rule reads tables of shape (G, N): G candidates along a path, from the strongest to the weakest
regularisation, for N measurements. It returns the index of its choice for each measurement. Candidates may
be weights, ranks, cut-offs or iteration counts: the rules do not care.

========== ==================================================== ===============================
rule       chooses                                              needs
========== ==================================================== ===============================
gcv        min  m ||F x - y||^2 / (m - dof)^2                   degrees of freedom
robust_gcv the same with 1.2 dof [4], where noise stays below   degrees of freedom, gain of noise
           6 % of the solution's energy
discrepancy the first with ||F x - y|| <= tau sigma             the noise's std (or its estimate)
           sqrt(m + d sqrt(2 m)), d = 2, within the same limit;
           d = 0 for total variation and wavelets
l_curve    the corner of (log residual, log seminorm)           nothing
oracle     least error, measurement by measurement              the truth
validation least mean error, one for all                        training pairs
========== ==================================================== ===============================

A score of data alone is flat, and now and then least, where nothing is regularised at all; with a severely
ill-posed operator and few measurements (backward heat) one sample in ten then gets an error of 1 to 10^4.
The expected energy of the noise in a solution, sigma^2 tr A^T A for x = A y, gives such candidates away:
mean relative errors of Tikhonov on backward heat (1-D steps, .5 / 2 / 10 % noise, 200 samples) fall from
1.8 / 10 / 21 under gcv to .15 / .16 / .20 (best possible .13 / .14 / .18; measured with a limit of 10 % of
the energy). On blur and tomography up to 10 % noise it is at least as good for Tikhonov; truncated SVD pays
up to a seventh (smooth fields, 30 views, 2 %: .113 against .099), and so does Tikhonov at 40 % noise.

References
----------
[1] Golub, Heath, Wahba (1979), Technometrics 21. [2] Morozov (1966). [3] Hansen, O'Leary (1993), SIAM J. Sci.
Comput. 14. [4] Cummins, Filloon, Nychka (2001), J. Amer. Stat. Assoc. 96: a cost of 1 to 2 per degree of
freedom.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from invae.errors import InputError

__all__ = [
    "COUNTING",
    "RULES",
    "discrepancy",
    "discrepancy_factor",
    "estimate_noise",
    "gcv",
    "gcv_score",
    "l_curve",
    "noise_std",
    "oracle",
    "quiet",
    "robust_gcv",
    "validation",
]

PRICE = 1.2  # of a degree of freedom in robust_gcv
NOISE_SHARE = 0.06  # of a solution's energy; a direction of pure noise shows less by 4 sigma only
LEAST_LEFT = 0.25  # share of the measurements that must be left over to tell the noise's power


def gcv_score(residual: np.ndarray, dof: np.ndarray, m: int, price: float = 1.0) -> np.ndarray:
    """m ||r||^2 / (m - price dof)^2; infinite where nothing is left to predict with (price dof >= m)."""
    left = m - price * dof
    return np.where(left > 1e-10 * m, m * residual**2 / np.maximum(left, 1e-10 * m) ** 2, np.inf)


def gcv(residual: np.ndarray, dof: np.ndarray, m: int) -> np.ndarray:
    """Index (N,) of the least generalised cross-validation score of tables (G, N)."""
    return np.argmin(gcv_score(residual, dof, m), axis=0)


def robust_gcv(table: dict[str, np.ndarray], m: int) -> np.ndarray:
    """Index (N,) of the least score m ||r||^2 / (m - 1.2 dof)^2 among the quiet candidates of a table.

    The noise's power is ||r||^2 / (m - dof), and, where less than a quarter of the measurements is left over
    to tell it, at least what the other candidates say.
    """
    residual, dof = table["residual"], table["dof"]
    score = gcv_score(residual, dof, m, PRICE)
    if "gain" in table:
        left = np.maximum(m - dof, 1e-10 * m)
        power = residual**2 / left
        known = np.where(left >= LEAST_LEFT * m, power, np.inf).min(axis=0)
        power = np.where(left < LEAST_LEFT * m, np.maximum(power, known), power)
        score = np.where(quiet(table, power), score, np.inf)
    return np.argmin(score, axis=0)


def quiet(table: dict[str, np.ndarray], power: np.ndarray) -> np.ndarray:
    """Where noise of ``power`` (variance) is expected to make at most 6 % of a solution's energy, (G, N).

    The table holds ``gain``, tr A^T A of the solution map, and ``energy``, ||x||^2. A measurement without any
    quiet candidate keeps its first, the strongest regularisation.
    """
    calm = power * table["gain"] <= NOISE_SHARE * table["energy"]
    calm[0] |= ~calm.any(axis=0)
    return calm


def discrepancy(residual: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Index (N,) of the first residual that reaches ``target`` (N,), else of the least one."""
    reached = residual <= target
    return np.where(reached.any(axis=0), np.argmax(reached, axis=0), np.argmin(residual, axis=0))


def discrepancy_factor(m: int, deviations: float = 2.0) -> float:
    """sqrt(m + d sqrt(2 m)): the norm of m standard normal numbers, d deviations above its mean square.

    With d = 0 the true signal itself is refused every other time, and a method that does nothing but
    follow the data (filters of singular values, iterations) then goes on into the noise; with d = 2 once in
    fifty. Methods that prefer some signals to others (total variation, wavelets) take d = 0 and lose less.
    """
    return math.sqrt(m + deviations * math.sqrt(2 * m))


def l_curve(residual: np.ndarray, seminorm: np.ndarray) -> np.ndarray:
    """Index (N,) of the corner of the L-curve: its point of greatest curvature in log-log coordinates.

    The curve is taken at equal steps of its arc length, so that crowded candidates do not make corners.
    """
    G, N = residual.shape
    if G < 5:
        raise InputError(f"an L-curve needs at least 5 points, got {G}; allow more candidates or iterations")
    tiny = np.finfo(np.float64).tiny
    u, v = np.log(np.maximum(residual, tiny)), np.log(np.maximum(seminorm, tiny))
    index = np.empty(N, int)
    for column in range(N):
        index[column] = _corner(u[:, column], v[:, column])
    return index


def oracle(error: np.ndarray) -> np.ndarray:
    """Index (N,) of the least true error of each measurement."""
    return np.argmin(error, axis=0)


def validation(error: np.ndarray) -> int:
    """The one index with the least mean error over all measurements."""
    return int(np.argmin(error.mean(axis=1)))


RULES = ("gcv", "robust_gcv", "discrepancy", "l_curve", "oracle", "validation")
COUNTING = ("gcv", "robust_gcv")  # rules that need degrees of freedom


def noise_std(noise: Any, Y: np.ndarray, dimsd: tuple[int, ...]) -> np.ndarray:
    """Noise standard deviation (N,) of each row of measurements (N, m).

    ``noise`` is a number (absolute std), a noise model with ``std`` or ``relative``, or None to estimate
    it. A relative level refers to the clean rows, whose power is the measured one less the noise's.
    """
    if noise is None:
        return estimate_noise(Y, dimsd)
    if np.isscalar(noise):
        if not (np.isfinite(noise) and noise >= 0):
            raise InputError(f"noise={noise}; a standard deviation is a finite number >= 0")
        return np.full(len(Y), float(noise))
    if getattr(noise, "relative", None) is not None:
        rms = np.sqrt(np.mean(np.asarray(Y, np.float64) ** 2, axis=1))
        return noise.relative * rms / math.sqrt(1 + noise.relative**2)
    if getattr(noise, "std", None) is not None:
        return np.full(len(Y), float(noise.std))
    raise InputError(
        f"noise={noise!r} tells no standard deviation; pass a number, GaussianNoise(...), "
        "or None to estimate it"
    )


def estimate_noise(Y: np.ndarray, dimsd: tuple[int, ...]) -> np.ndarray:
    """White noise's std (N,), from the lower quartile of the sixth differences along the last axis.

    They are blind to pieces of the signal that are polynomials up to degree five, and the quartile does not
    heed the differences that lie across an edge. Measured on data simulated on a finer grid (64 x 64, 30
    views): within 3 % of the noise on blurred images; on sinograms 0 to 3 % above it at 10 % noise, 5 to 16 %
    at 2 %, 15 to 60 % at .5 %. There the noise is not all that a residual holds: the projector's own error is
    .3 to .5 % of the data, and against the root mean square of both, which is what the discrepancy rule
    asks for, the estimate is 0 to 17 % too large at .5 %, 3 to 11 % at 2 %.
    """
    h = np.array([1.0, -6.0, 15.0, -20.0, 15.0, -6.0, 1.0]) / math.sqrt(924.0)
    size = dimsd[-1]
    if size < 12:
        raise InputError(
            f"{size} values along the last axis are too few to estimate the noise from; pass noise=std"
        )
    lines = np.asarray(Y, np.float64).reshape(len(Y), -1, size)
    detail = sum(h[k] * lines[:, :, k : size - 6 + k] for k in range(7)).reshape(len(Y), -1)
    # Lines that see nothing at all (exact zeros) tell nothing about the noise.
    spread = np.empty(len(Y))
    for i, row in enumerate(np.abs(detail)):
        alive = row[row > 0]
        spread[i] = np.quantile(alive, 0.25) if alive.size else 0.0
    return spread / 0.31863936396437514


def _corner(u: np.ndarray, v: np.ndarray) -> int:
    """Index of the greatest curvature of the polyline (u, v), travelled with the residual u falling."""
    step = np.hypot(np.diff(u), np.diff(v))
    t = np.concatenate([[0.0], np.cumsum(step)])
    if t[-1] <= 0:
        return 0
    grid = np.linspace(0, t[-1], 4 * len(u))
    keep = np.concatenate([[True], step > 0])
    du, dv = (_smooth(np.interp(grid, t[keep], c[keep])) for c in (u, v))
    u1, v1 = np.gradient(du, grid), np.gradient(dv, grid)
    u2, v2 = np.gradient(u1, grid), np.gradient(v1, grid)
    # Falling residual, rising seminorm: the corner turns to the right.
    curvature = (v1 * -u2 + u1 * v2) / np.maximum((u1**2 + v1**2) ** 1.5, 1e-30)
    inner = slice(2, -2)
    best = grid[inner][np.argmax(-curvature[inner])]
    return int(np.argmin(np.abs(t - best)))


def _smooth(c: np.ndarray) -> np.ndarray:
    width = max(3, len(c) // 20)
    kernel = np.ones(width) / width
    padded = np.pad(c, (width // 2, width - 1 - width // 2), mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel, mode="valid")
