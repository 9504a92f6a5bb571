"""Measurements that a fitted reconstructor was not made for.

They are noticed by the size of what it makes of them, and by their anomaly scores where it is calibrated.

A map of least risk gives estimates of mean square  |mean_x|^2 + tr C_xx - risk.  Raw counts in place of line
integrals, another unit or another scale of the images miss that by orders of magnitude.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["unlike_training"]

FACTOR = 3.0  # of the rms; that of single signals of one kind varies by less
RARE = 0.01  # an anomaly score that one in a hundred measurements of the same kind has


def unlike_training(model: Any, measurements: np.ndarray, estimates: np.ndarray) -> str | None:
    """Return what is strange about measurements, in a sentence; None when nothing is, or nothing is known.

    Parameters
    ----------
    model : estimator
        Fitted; only a `BayesRiskReconstructor` knows what it expects.
    measurements : ndarray of shape (N, m) or (N, *shape)
    estimates : ndarray of shape (N, n) or (N, *shape)
        What the model made of them.
    """
    found = [_size(model, estimates), _scores(model, measurements)]
    told = " and ".join(text for text in found if text)
    if not told:
        return None
    return (
        f"the measurements are unlike those that the model was made for: {told}; check that they are in the "
        "same units (line integrals, not raw counts), the same order of axes and of the same kind of object"
    )


def _size(model: Any, estimates: np.ndarray) -> str | None:
    curve, mean = getattr(model, "risk_curve_", None), getattr(model, "mean_x_", None)
    if curve is None or mean is None or not len(curve):
        return None
    energy = float(np.sum(np.square(mean, dtype=np.float64))) + float(curve[0]) - float(model.risk_)
    rows = estimates.reshape(len(estimates), -1)
    expected = np.sqrt(max(energy, 0.0) / rows.shape[1])
    typical = float(np.median(np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=1))))
    if not expected > 0 or expected / FACTOR <= typical <= expected * FACTOR:
        return None
    return f"values have an rms of {typical:.3g}, those of the model's signals {expected:.3g}"


def _scores(model: Any, measurements: np.ndarray) -> str | None:
    calibration = getattr(model, "calibration_", None)
    if calibration is None:
        return None
    scores = model.anomaly_score(measurements)
    rare = max(RARE, 1.01 / (1 + len(calibration.scores)))  # the least score that so many pairs can give
    n_rare, N = int(np.sum(scores <= rare)), len(scores)
    # Of the same kind that many or more come about once in some thousand times.
    if n_rare <= N * rare + 4 * np.sqrt(N * rare * (1 - rare)) and not (N == 1 and n_rare and rare <= RARE):
        return None
    return f"{n_rare} of {N} have an anomaly score of {rare:.2g} or less"
