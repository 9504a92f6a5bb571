"""Error measures: one number per sample, arrays in, arrays out.

For a signal x and an estimate x_hat:  relative error ||x_hat - x|| / ||x||;  PSNR 10 log10(L^2 / mse), L the
range of x;  SSIM after Wang et al. (2004);  and the largest pointwise error in units of a promised bound.
"""

from __future__ import annotations

import numpy as np

from invae.errors import InputError
from invae.extras import optional_imports

__all__ = ["max_error_over_bound", "mean_with_spread", "psnr", "relative_error", "ssim"]


def relative_error(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Relative l2 error of every sample.

    Parameters
    ----------
    estimate, truth : array of shape (N, ...)
        The first axis counts samples; the shapes must agree.

    Returns
    -------
    ndarray of shape (N,)
        ``||estimate_i - truth_i|| / ||truth_i||``; 0 where both are zero, inf where only the truth is.

    Examples
    --------
    >>> relative_error(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    array([0., 1.])
    """
    estimate, truth = _pair(estimate, truth)
    error = np.linalg.norm((estimate - truth).reshape(len(truth), -1), axis=1)
    size = np.linalg.norm(truth.reshape(len(truth), -1), axis=1)
    return np.divide(error, size, out=np.where(error > 0, np.inf, 0.0), where=size > 0)


def psnr(estimate: np.ndarray, truth: np.ndarray, data_range: float | None = None) -> np.ndarray:
    """Peak signal-to-noise ratio of every sample, in dB; ``data_range`` defaults to each sample's own range.

    Returns
    -------
    ndarray of shape (N,)
        inf where the estimate is exact.
    """
    estimate, truth = _pair(estimate, truth)
    rows = truth.reshape(len(truth), -1)
    peak = np.ptp(rows, axis=1) if data_range is None else np.full(len(rows), float(data_range))
    mse = np.mean((estimate - truth).reshape(len(truth), -1) ** 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 20 * np.log10(peak) - 10 * np.log10(mse)
    return np.where(mse == 0, np.inf, value)


def ssim(estimate: np.ndarray, truth: np.ndarray, data_range: float | None = None) -> np.ndarray:
    """Structural similarity of every sample (N, *shape) with 1 to 3 spatial axes, as in scikit-image.

    The window is 7 wide, or the largest odd number that fits the smallest axis.
    """
    with optional_imports():
        from skimage.metrics import structural_similarity

    estimate, truth = _pair(estimate, truth)
    if truth.ndim < 2:
        raise InputError(f"ssim needs samples of shape (N, *shape), got {truth.shape}")
    window = min(7, min(truth.shape[1:]))
    window -= 1 - window % 2
    if window < 3:
        raise InputError(
            f"ssim needs at least 3 values along every axis, got samples of shape {truth.shape[1:]}"
        )
    values = []
    for a, b in zip(estimate, truth):
        extent = float(np.ptp(b)) if data_range is None else float(data_range)
        values.append(structural_similarity(b, a, data_range=extent or 1.0, win_size=window))
    return np.array(values)


def max_error_over_bound(original: np.ndarray, decoded: np.ndarray, bound: float | np.ndarray) -> float:
    """Largest ``|decoded - original| / bound`` over all values: at most 1 where the promise is kept.

    Parameters
    ----------
    original, decoded : array
        Of equal shape. Values that are not finite must come back as they were (NaN as NaN), else inf.
    bound : float or array that broadcasts to them
        Absolute bound in the data's units; where it is 0 (or NaN) the value must be exact.

    Examples
    --------
    >>> max_error_over_bound(np.array([1.0, np.nan, 3.0]), np.array([1.5, np.nan, 3.0]), 1.0)
    0.5
    >>> max_error_over_bound(np.array([1.0, np.nan]), np.array([1.0, 0.0]), 1.0)
    inf
    """
    original, decoded = np.asarray(original), np.asarray(decoded)
    if original.shape != decoded.shape:
        raise InputError(f"original has shape {original.shape} and decoded {decoded.shape}; they must agree")
    if original.size == 0:
        return 0.0
    same = original == decoded
    if original.dtype.kind == "f":
        same |= np.isnan(original) & np.isnan(decoded)
    if same.all():
        return 0.0
    bound = np.broadcast_to(np.asarray(bound, np.float64), original.shape)[~same]
    a, b = original[~same], decoded[~same]
    if a.dtype.kind in "iu" and b.dtype.kind in "iu" and a.dtype.itemsize == 8:
        error = np.array([abs(int(p) - int(q)) for p, q in zip(a, b)], dtype=np.float64)
    else:
        wide = np.longdouble if a.dtype.itemsize >= 8 else np.float64
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(a.astype(wide) - b.astype(wide)).astype(np.float64)
    finite = np.isfinite(a.astype(np.float64)) & np.isfinite(b.astype(np.float64))
    ratio = np.divide(error, bound, out=np.full(error.shape, np.inf), where=finite & (bound > 0))
    return float(ratio.max())


def mean_with_spread(values: np.ndarray) -> tuple[float, float]:
    """Mean and the standard error of the mean (0 for one value)."""
    values = np.asarray(values, np.float64)
    spread = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else 0.0
    return float(values.mean()), float(spread)


def _pair(estimate: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    estimate, truth = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    if estimate.shape != truth.shape or truth.ndim == 0:
        raise InputError(
            f"estimate has shape {estimate.shape} and truth {truth.shape}; both must be (N, ...) and agree"
        )
    return estimate, truth
