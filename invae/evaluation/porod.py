"""Porod law and scattering invariant.

I(q) q^4 -> K + B q^4  (sharp interfaces; B is a flat background),   Q* = integral of q^2 I(q) dq
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from invae.errors import InputError
from invae.evaluation.guinier import Guinier

__all__ = ["Invariant", "Porod", "fit_porod", "invariant"]


@dataclass(frozen=True)
class Porod:
    """Porod fit: ``constant`` K in units of I q^4, flat ``background``, their errors, reduced chi squared."""

    constant: float
    constant_error: float
    background: float
    background_error: float
    q_range: tuple[float, float]
    chi2: float


@dataclass(frozen=True)
class Invariant:
    """Invariant: ``value`` and ``error``; ``measured`` part, ``low`` and ``high`` extrapolations in it."""

    value: float
    error: float
    measured: float
    low: float
    high: float


def fit_porod(
    q: np.ndarray,
    intensity: np.ndarray,
    sigma: np.ndarray | None = None,
    q_range: tuple[float, float] | None = None,
    background: bool = True,
) -> Porod:
    """Weighted linear fit of I(q) = K q^-4 + B.

    Parameters
    ----------
    q, intensity, sigma : ndarray of shape (N,)
        Points that are not finite are left out, negative intensities are kept.
    q_range : (float, float), optional
        By default the last third of the points.
    background : bool
        Fit B too; else B = 0.

    Raises
    ------
    InputError
        Fewer than three usable points in the range.

    Examples
    --------
    >>> q = np.linspace(0.1, 0.5, 50)
    >>> fit = fit_porod(q, 2e-4 / q**4 + 0.01)
    >>> round(1e4 * fit.constant, 6), round(fit.background, 6)
    (2.0, 0.01)
    """
    q, intensity, sigma = _clean(q, intensity, sigma)
    low, high = (q[2 * len(q) // 3], q[-1]) if q_range is None else q_range
    inside = (q >= low) & (q <= high)
    if inside.sum() < 3:
        raise InputError(f"only {int(inside.sum())} usable points in q = {(low, high)}; a Porod fit needs 3")
    x, y = q[inside], intensity[inside]
    s = np.ones_like(x) if sigma is None else sigma[inside]
    design = np.stack([x**-4.0] + ([np.ones_like(x)] if background else []), axis=1) / s[:, None]
    size = np.linalg.norm(design, axis=0)
    solution, *_ = np.linalg.lstsq(design / size, y / s, rcond=None)
    covariance = np.linalg.inv((design / size).T @ (design / size)) / np.outer(size, size)
    solution = solution / size
    chi2 = float(((y / s - design @ solution) ** 2).sum() / max(len(x) - len(solution), 1))
    if sigma is None:
        covariance = covariance * chi2
    errors = np.sqrt(np.diag(covariance))
    return Porod(
        constant=float(solution[0]),
        constant_error=float(errors[0]),
        background=float(solution[1]) if background else 0.0,
        background_error=float(errors[1]) if background else 0.0,
        q_range=(float(x[0]), float(x[-1])),
        chi2=1.0 if sigma is None else chi2,
    )


def invariant(
    q: np.ndarray,
    intensity: np.ndarray,
    sigma: np.ndarray | None = None,
    guinier: Guinier | None = None,
    porod: Porod | None = None,
) -> Invariant:
    """Invariant by the trapezoid rule, with Guinier's law below and Porod's law above the measured range.

    Parameters
    ----------
    q, intensity, sigma : ndarray of shape (N,)
        Points that are not finite are left out.
    guinier : Guinier, optional
        Adds the integral of q^2 I(0) exp(-q^2 Rg^2 / 3) from 0 to the first q.
    porod : Porod, optional
        Its background is subtracted, and K / q_max is added.

    Notes
    -----
    The error is that of the measured part, from independent sigma (0 without sigma); the extrapolations are
    taken as given, and add to it their own relative errors of I(0) and K.
    """
    q, intensity, sigma = _clean(q, intensity, sigma)
    weight = q**2 * _trapezoid_weights(q)
    flat = 0.0 if porod is None else porod.background
    measured = float(weight @ (intensity - flat))
    variance = 0.0 if sigma is None else float((weight**2) @ sigma**2)
    low = high = 0.0
    if guinier is not None and np.isfinite(guinier.rg):
        grid = np.linspace(0, q[0], 201)
        integrand = grid**2 * guinier.i0 * np.exp(-((grid * guinier.rg) ** 2) / 3)
        low = float(_trapezoid_weights(grid) @ integrand)
        variance += (low * guinier.i0_error / guinier.i0) ** 2
    if porod is not None:
        high = porod.constant / q[-1]
        variance += (porod.constant_error / q[-1]) ** 2
    return Invariant(measured + low + high, float(np.sqrt(variance)), measured, low, float(high))


def _trapezoid_weights(q: np.ndarray) -> np.ndarray:
    step = np.diff(q)
    return (np.append(step, 0.0) + np.append(0.0, step)) / 2


def _clean(q, intensity, sigma):
    q, intensity = np.asarray(q, np.float64), np.asarray(intensity, np.float64)
    if q.ndim != 1 or q.shape != intensity.shape or (sigma is not None and np.shape(sigma) != q.shape):
        raise InputError(f"q, intensity and sigma must be (N,); got {q.shape}, {intensity.shape}")
    good = np.isfinite(q) & np.isfinite(intensity) & (q > 0)
    if sigma is not None:
        sigma = np.asarray(sigma, np.float64)
        good &= np.isfinite(sigma) & (sigma > 0)
    order = np.flatnonzero(good)[np.argsort(q[good], kind="stable")]
    if len(order) < 3:
        raise InputError(f"only {len(order)} points have finite q > 0 and intensity; 3 are needed")
    return q[order], intensity[order], None if sigma is None else sigma[order]
