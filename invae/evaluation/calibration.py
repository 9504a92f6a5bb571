"""Do error bars hold? Coverage of intervals, and predicted against measured risk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from invae.errors import InputError
from invae.evaluation.results import Table

__all__ = ["calibration_table", "coverage", "interval_coverage", "risk_agreement"]

LEVELS = (0.68, 0.90, 0.95)


def interval_coverage(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Fraction of true values inside ``[lower, upper]``; shapes must agree or broadcast."""
    truth = np.asarray(truth)
    if truth.size == 0:
        raise InputError("coverage of no values is undefined; pass at least one sample")
    return float(np.mean((np.asarray(lower) <= truth) & (truth <= np.asarray(upper))))


def coverage(
    truth: np.ndarray, estimate: np.ndarray, std: np.ndarray, levels: Sequence[float] = LEVELS
) -> dict[float, float]:
    """Fraction of true values within the Gaussian interval of each nominal level.

    Parameters
    ----------
    truth, estimate, std : arrays that broadcast to one shape
        ``std`` is one standard deviation of ``truth - estimate``.
    levels : sequence of float
        Nominal probabilities in (0, 1).

    Returns
    -------
    dict of float to float
        Nominal -> measured coverage.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shares = coverage(rng.normal(size=100_000), 0.0, 1.0)
    >>> {level: round(value, 2) for level, value in shares.items()}
    {0.68: 0.68, 0.9: 0.9, 0.95: 0.95}
    """
    from scipy.stats import norm

    truth, std = np.asarray(truth, np.float64), np.asarray(std, np.float64)
    if (std < 0).any() or not np.isfinite(std).all():
        raise InputError("std has negative or non-finite values; it must be one standard deviation per value")
    if not all(0 < level < 1 for level in levels):
        raise InputError(f"levels must lie in (0, 1), got {tuple(levels)}")
    distance = np.abs(truth - np.asarray(estimate, np.float64))
    widths = {level: norm.ppf(0.5 + level / 2) for level in levels}
    return {level: interval_coverage(distance, np.zeros(()), width * std) for level, width in widths.items()}


def calibration_table(
    cases: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    levels: Sequence[float] = LEVELS,
    name: str = "calibration",
    caption: str = "Measured coverage of Gaussian intervals at nominal levels",
) -> Table:
    """One row per case ``name -> (truth, estimate, std)``: coverage at every level, and the mean std."""
    rows = []
    for label, (truth, estimate, std) in cases.items():
        coverages = coverage(truth, estimate, std, levels)
        row = {"case": label, **{f"{level:.0%}": value for level, value in coverages.items()}}
        rows.append({**row, "mean std": float(np.mean(std))})
    return Table(name, caption, rows)


def risk_agreement(predicted: float, squared_errors: np.ndarray) -> dict[str, float]:
    """Predicted expected squared error of a whole signal beside the measured one.

    Parameters
    ----------
    predicted : float
    squared_errors : ndarray of shape (N,)
        ``||x_hat_i - x_i||^2`` of independent samples.

    Returns
    -------
    dict
        ``predicted``, ``measured``, ``ratio`` (predicted / measured) and ``standard_error`` of the ratio.
    """
    squared_errors = np.asarray(squared_errors, np.float64)
    if squared_errors.size < 2:
        raise InputError("at least two samples are needed to measure a risk")
    measured = float(squared_errors.mean())
    spread = float(squared_errors.std(ddof=1) / np.sqrt(squared_errors.size))
    quotient = predicted / measured
    return {
        "predicted": float(predicted),
        "measured": measured,
        "ratio": quotient,
        "standard_error": quotient * spread / measured,
    }
