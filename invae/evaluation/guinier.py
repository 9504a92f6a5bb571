"""Guinier law: radius of gyration and forward intensity, with errors, on a chosen or a frozen range.

    ln I(q) = ln I(0) - q^2 Rg^2 / 3,   valid up to q Rg of about 1.3 (globular particles)

weighted least squares with weights (I / sigma)^2. Errors follow from sigma alone; without sigma from the
scatter about the line. To compare two versions of a curve freeze the range: pass the first fit's ``q_range``.

References
----------
A. Guinier, G. Fournet, Small-angle scattering of X-rays (1955).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from invae.errors import InputError
from invae.evaluation.residuals import run_test

__all__ = ["Guinier", "fit_guinier"]

FEWEST = 8
LEAST_P = 1e-3
MOST_EXCESS = 0.4  # of ln I: half as much again
LEAST_FALL = 0.2  # over the range; a buffer seen with many counts falls significantly, too


@dataclass(frozen=True)
class Guinier:
    """Result of a Guinier fit.

    Attributes
    ----------
    rg, rg_error : float
        Radius of gyration and one standard deviation, in the inverse unit of q; NaN where the slope rises.
    i0, i0_error : float
        Forward intensity and one standard deviation, in the unit of I.
    q_range : (float, float)
        First and last q used.
    n_points : int
        Points used.
    chi2 : float
        Reduced chi squared about the line (1 without sigma).
    qrg_max : float
        Largest q Rg used.
    runs_p : float
        Two-sided significance of the run test on the residuals; small when they are systematic.
    reasons : tuple of str
        Why the fit is not to be trusted; empty when nothing speaks against it.
    """

    rg: float
    rg_error: float
    i0: float
    i0_error: float
    q_range: tuple[float, float]
    n_points: int
    chi2: float
    qrg_max: float
    runs_p: float
    reasons: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing speaks against the fit."""
        return not self.reasons


def fit_guinier(
    q: np.ndarray,
    intensity: np.ndarray,
    sigma: np.ndarray | None = None,
    q_range: tuple[float, float] | None = None,
    qrg_limit: float = 1.3,
) -> Guinier:
    """Fit the Guinier law.

    Parameters
    ----------
    q, intensity : ndarray of shape (N,)
        In any units and order; points that are not finite, or not positive, are left out.
    sigma : ndarray of shape (N,), optional
        One standard deviation of the intensity.
    q_range : (float, float), optional
        Frozen range. By default the range is searched for: windows that end where q Rg meets the limit,
        the one with the smallest relative error of Rg, errors counted up where the line does not fit.
    qrg_limit : float
        Limit of q Rg.

    Raises
    ------
    InputError
        Shapes differ, or too few usable points.

    Examples
    --------
    >>> q = np.linspace(0.005, 0.2, 100)
    >>> fit = fit_guinier(q, 50 * np.exp(-(q * 20) ** 2 / 3))
    >>> round(fit.rg, 6), round(fit.i0, 6), round(fit.qrg_max, 1), fit.valid
    (20.0, 50.0, 1.3, True)
    """
    q, intensity, sigma = _usable(q, intensity, sigma)
    x, y = q**2, np.log(intensity)
    weight = np.ones_like(x) if sigma is None else (intensity / sigma) ** 2
    if q_range is None:
        first, last = _choose(q, x, y, weight, sigma is not None, qrg_limit)
    else:
        inside = np.flatnonzero((q >= q_range[0]) & (q <= q_range[1]))
        if len(inside) < 3:
            raise InputError(f"only {len(inside)} usable points in q = {q_range}; a Guinier fit needs 3")
        first, last = int(inside[0]), int(inside[-1]) + 1
    cut = slice(first, last)
    slope, offset, var_slope, var_offset, chi2 = _line(x[cut], y[cut], weight[cut], sigma is None)
    i0 = float(np.exp(offset))
    rg = float(np.sqrt(-3 * slope)) if slope < 0 else np.nan
    runs = run_test(y[cut] - offset - slope * x[cut])
    excess = _excess_below(x, y, weight, first, slope, offset)
    fit = Guinier(
        rg=rg,
        rg_error=float(1.5 * np.sqrt(var_slope) / rg) if slope < 0 else np.nan,
        i0=i0,
        i0_error=float(i0 * np.sqrt(var_offset)),
        q_range=(float(q[first]), float(q[last - 1])),
        n_points=last - first,
        chi2=1.0 if sigma is None else chi2,
        qrg_max=float(q[last - 1] * rg) if slope < 0 else np.nan,
        runs_p=runs.p,
        reasons=(),
    )
    return _judged(fit, float(q[first]), qrg_limit, excess)


def _judged(fit: Guinier, q_first: float, qrg_limit: float, excess: float) -> Guinier:
    reasons = []
    if excess > MOST_EXCESS:
        reasons.append(f"below the range the curve lies {np.exp(excess):.1f} x above the line")
    if not np.isfinite(fit.rg):
        reasons.append("the intensity does not fall with q")
    else:
        if fit.qrg_max > 1.01 * qrg_limit:
            reasons.append(f"q Rg reaches {fit.qrg_max:.2f}, above {qrg_limit:g}")
        if q_first * fit.rg > 0.75:
            reasons.append(f"the first point is at q Rg = {q_first * fit.rg:.2f}: no plateau is seen")
        fall = -np.expm1(-((fit.q_range[1] ** 2 - q_first**2) * fit.rg**2) / 3)
        if fall < LEAST_FALL:
            reasons.append(f"the intensity falls by {100 * fall:.0f} % only: a flat curve, or a background")
        if fit.rg_error > 0.1 * fit.rg:
            reasons.append(f"Rg is known to {100 * fit.rg_error / fit.rg:.0f} % only")
    if fit.n_points < FEWEST:
        reasons.append(f"only {fit.n_points} points")
    if fit.chi2 > 3.0:
        reasons.append(f"reduced chi squared is {fit.chi2:.1f}")
    if fit.runs_p < LEAST_P:
        reasons.append(f"residuals are systematic (run test p = {fit.runs_p:.1g})")
    return Guinier(**{**fit.__dict__, "reasons": tuple(reasons)})


def _usable(q, intensity, sigma):
    q, intensity = np.asarray(q, np.float64), np.asarray(intensity, np.float64)
    if q.ndim != 1 or q.shape != intensity.shape or (sigma is not None and np.shape(sigma) != q.shape):
        raise InputError(f"q, intensity and sigma must be (N,); got {q.shape}, {intensity.shape}")
    good = np.isfinite(q) & np.isfinite(intensity) & (q > 0) & (intensity > 0)
    if sigma is not None:
        sigma = np.asarray(sigma, np.float64)
        good &= np.isfinite(sigma) & (sigma > 0)
    order = np.flatnonzero(good)[np.argsort(q[good], kind="stable")]
    if len(order) < 3:
        raise InputError(
            f"only {len(order)} points have finite, positive q, intensity (and sigma); 3 are needed"
        )
    return q[order], intensity[order], None if sigma is None else sigma[order]


def _line(x, y, weight, scale_by_scatter):
    """Weighted line: slope, offset, their variances, reduced chi squared."""
    w = weight.sum()
    mean_x, mean_y = (weight * x).sum() / w, (weight * y).sum() / w
    s_xx = (weight * (x - mean_x) ** 2).sum()
    slope = (weight * (x - mean_x) * (y - mean_y)).sum() / s_xx
    offset = mean_y - slope * mean_x
    freedom = max(len(x) - 2, 1)
    chi2 = float((weight * (y - offset - slope * x) ** 2).sum() / freedom)
    factor = chi2 if scale_by_scatter else 1.0
    var_slope = factor / s_xx
    return slope, offset, var_slope, factor / w + mean_x**2 * var_slope, chi2


def _excess_below(x, y, weight, first, slope, offset) -> float:
    """Mean of ln(I / line) over the points before the range, less four of its standard deviations."""
    w = weight[:first].sum()
    if not w > 0:
        return 0.0
    excess = (weight[:first] * (y[:first] - offset - slope * x[:first])).sum() / w
    return float(excess - 4 / np.sqrt(w))


def _choose(q, x, y, weight, with_sigma, limit) -> tuple[int, int]:
    """Window of least relative error of Rg, errors times the root of the worst of three misfits.

    The misfits are the reduced chi squared of the window, and that of its first and of its last fifth.
    """
    n = len(q)
    fewest = min(FEWEST, n)
    best, chosen = np.inf, (0, n)
    starts = np.unique(np.linspace(0, max(n // 3, 1), 40).astype(int))
    sums = np.cumsum(np.array([weight, weight * x, weight * y, weight * x * x, weight * x * y]), axis=1)
    for first in starts:
        ends = np.arange(first + fewest, n + 1)
        if not len(ends):
            continue
        before = sums[:, first - 1][:, None] if first else 0.0
        w, wx, wy, wxx, wxy = sums[:, ends - 1] - before
        with np.errstate(all="ignore"):
            slope = (w * wxy - wx * wy) / (w * wxx - wx**2)
            qrg = q[ends - 1] * np.sqrt(np.where(slope < 0, -3 * slope, np.nan))
        allowed = np.flatnonzero(qrg <= limit)
        if not len(allowed):
            continue
        for last in np.unique(ends[allowed[[-1, len(allowed) * 3 // 4, len(allowed) // 2]]]):
            cut = slice(first, int(last))
            a, b, var, _, chi2 = _line(x[cut], y[cut], weight[cut], not with_sigma)
            if a >= 0 or _excess_below(x, y, weight, first, a, b) > MOST_EXCESS:
                continue
            residual2 = weight[cut] * (y[cut] - b - a * x[cut]) ** 2
            part = max((last - first) // 5, 4)
            if not with_sigma:
                residual2 = residual2 / max(chi2, 1e-300)
            misfit = max(1.0, chi2 if with_sigma else 1.0, residual2[:part].mean(), residual2[-part:].mean())
            score = np.sqrt(var * misfit) / -a
            if score < best:
                best, chosen = score, (int(first), int(last))
    return chosen
