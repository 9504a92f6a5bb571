"""Rules that choose a regularisation parameter.

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

import numpy as np

from invae.errors import InputError

__all__ = [
    "COUNTING",
    "RULES",
    "discrepancy",
    "discrepancy_factor",
    "follow_data",
    "gcv",
    "gcv_score",
    "l_curve",
    "oracle",
    "quiet",
    "robust_gcv",
    "validation",
]

PRICE = 1.2  # of a degree of freedom in robust_gcv
NOISE_SHARE = 0.06  # of a solution's energy; a direction of pure noise shows less by 4 sigma only
UNLIKELY = 1.5  # times the noise's std: a residual beyond holds signal
WORTH = 0.4  # of the noise that following the data adds
LEAST_LEFT = 0.25  # share of the measurements that must be left over to tell the noise's power


def gcv_score(residual: np.ndarray, dof: np.ndarray, m: int, price: float = 1.0) -> np.ndarray:
    """m ||r||^2 / (m - price dof)^2; infinite where nothing is left to predict with (price dof >= m)."""
    left = m - price * dof
    return np.where(left > 1e-10 * m, m * residual**2 / np.maximum(left, 1e-10 * m) ** 2, np.inf)


def gcv(residual: np.ndarray, dof: np.ndarray, m: int) -> np.ndarray:
    """Index (N,) of the least generalised cross-validation score of tables (G, N)."""
    return np.argmin(gcv_score(residual, dof, m), axis=0)


def robust_gcv(table: dict[str, np.ndarray], m: int, std: np.ndarray | None = None) -> np.ndarray:
    """Index (N,) of the least score m ||r||^2 / (m - 1.2 dof)^2 among the quiet candidates of a table.

    The noise's power is ||r||^2 / (m - dof), and, where less than a quarter of the measurements is left over
    to tell it, at least what the other candidates say. ``std`` (N,) is what is known of the noise from
    elsewhere; see `follow_data`.
    """
    residual, dof = table["residual"], table["dof"]
    score = gcv_score(residual, dof, m, PRICE)
    if "gain" not in table:
        return np.argmin(score, axis=0)
    left = np.maximum(m - dof, 1e-10 * m)
    power = residual**2 / left
    known = np.where(left >= LEAST_LEFT * m, power, np.inf).min(axis=0)
    power = np.where(left < LEAST_LEFT * m, np.maximum(power, known), power)
    index = np.argmin(np.where(quiet(table, power), score, np.inf), axis=0)
    return index if std is None else follow_data(table, index, m, std)


def follow_data(table: dict[str, np.ndarray], index: np.ndarray, m: int, std: np.ndarray) -> np.ndarray:
    """Weaker regularisation where ``index`` (N,) would give the picture away for noise.

    An operator that loses next to nothing leaves no measurement over to tell the noise, and every rule of the
    residual alone then takes the signal for it. Where the residual is more than 1.5 times what the noise can
    be, the candidate of least ||r||^2 + 2.4 sigma^2 dof is looked at (Mallows' C_p at the price of
    robust_gcv); it is taken if it explains more of the data, beyond noise, than .4 of the noise's energy that
    it adds to the solution. The table holds ``size``, ||y||^2, beside what `quiet` reads.
    """
    columns = np.arange(len(index))
    residual, dof, gain = table["residual"], table["dof"], table["gain"]
    left = np.maximum(m - dof, 1e-10 * m)
    known = np.where(left >= LEAST_LEFT * m, residual**2 / left, np.inf).min(axis=0)
    power = np.minimum(known, std**2)
    cost = residual**2 + 2 * PRICE * power * dof
    weaker = np.argmin(np.where(quiet(table, power), cost, np.inf), axis=0)
    at, to = (index, columns), (weaker, columns)
    unlikely = residual[at] ** 2 / left[at] > (UNLIKELY * std) ** 2
    explained = residual[at] ** 2 - residual[to] ** 2 - power * (dof[to] - dof[at])
    # Noise in a solution, in the units of the data.
    scale = table["size"] / np.maximum(table["energy"][to], np.finfo(float).tiny)
    added = power * (gain[to] - gain[at]) * scale
    return np.where(unlikely & (weaker > index) & (explained > WORTH * added), weaker, index)


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


def l_curve(residual: np.ndarray, seminorm: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """Index (N,) of the corner of the L-curve: its point of greatest curvature in log-log coordinates.

    The curve is taken at equal steps of its arc length, so that crowded candidates do not make corners. It
    ends at the last candidate that is ``allowed`` (G, N): where noise makes the solution the curve bends
    anew.
    """
    G, N = residual.shape
    if G < LEAST_POINTS:
        raise InputError(f"an L-curve needs at least 5 points, got {G}; allow more candidates or iterations")
    tiny = np.finfo(np.float64).tiny
    u, v = np.log(np.maximum(residual, tiny)), np.log(np.maximum(seminorm, tiny))
    index = np.empty(N, int)
    for column in range(N):
        end = G if allowed is None else max(LEAST_POINTS, G - int(np.argmax(allowed[::-1, column])))
        index[column] = _corner(u[:end, column], v[:end, column])
    return index


def oracle(error: np.ndarray) -> np.ndarray:
    """Index (N,) of the least true error of each measurement."""
    return np.argmin(error, axis=0)


def validation(error: np.ndarray) -> int:
    """The one index with the least mean error over all measurements."""
    return int(np.argmin(error.mean(axis=1)))


RULES = ("gcv", "robust_gcv", "discrepancy", "l_curve", "oracle", "validation")
LEAST_POINTS = 5
COUNTING = ("gcv", "robust_gcv")  # rules that need degrees of freedom


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
