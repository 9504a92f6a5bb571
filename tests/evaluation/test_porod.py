from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.evaluation.guinier import fit_guinier
from invae.evaluation.porod import fit_porod, invariant


def polydisperse_spheres(q, radius=30.0, spread=0.1):
    """Number-averaged |contrast V F|^2 of spheres, with the exact V and S averages."""
    radii = np.linspace(radius * (1 - 4 * spread), radius * (1 + 4 * spread), 161)
    weights = np.exp(-(((radii - radius) / (radius * spread)) ** 2) / 2)
    weights /= weights.sum()
    x = np.multiply.outer(q, radii)
    form = 4 * np.pi * (np.sin(x) - x * np.cos(x)) / q[:, None] ** 3
    volume, surface = (weights * 4 / 3 * np.pi * radii**3).sum(), (weights * 4 * np.pi * radii**2).sum()
    return (weights * form**2).sum(axis=1), volume, surface


def test_porod_constant_is_two_pi_times_surface():
    q = np.linspace(0.6, 1.5, 400)
    intensity, _, surface = polydisperse_spheres(q, spread=0.15)
    fit = fit_porod(q, intensity + 3.0, q_range=(0.6, 1.5))
    assert fit.constant == pytest.approx(2 * np.pi * surface, rel=5e-3)


def test_invariant_is_two_pi_squared_times_volume():
    q = np.linspace(0.005, 1.0, 2000)
    intensity, volume, _ = polydisperse_spheres(q)
    guinier = fit_guinier(q, intensity)
    porod = fit_porod(q, intensity, q_range=(0.5, 1.0), background=False)
    star = invariant(q, intensity, guinier=guinier, porod=porod)
    assert star.value == pytest.approx(2 * np.pi**2 * volume, rel=2e-3)
    assert 0 < star.low < 0.001 * star.value and 0 < star.high < 0.2 * star.value


def test_errors_are_one_standard_deviation(rng):
    q = np.linspace(0.1, 0.5, 80)
    truth = 1e-3 / q**4 + 0.2
    sigma = 0.03 * truth
    exact = invariant(q, truth, sigma)
    z = []
    for _ in range(300):
        noisy = truth + sigma * rng.standard_normal(80)
        fit, star = fit_porod(q, noisy, sigma, (0.1, 0.5)), invariant(q, noisy, sigma)
        z.append(
            [
                (fit.constant - 1e-3) / fit.constant_error,
                (fit.background - 0.2) / fit.background_error,
                (star.value - exact.value) / exact.error,
            ]
        )
    assert np.abs(np.std(z, axis=0) - 1).max() < 0.15 and np.abs(np.mean(z, axis=0)).max() < 0.2


def test_negative_and_missing_intensities_are_handled():
    q = np.linspace(0.1, 0.5, 30)
    curve = 1e-3 / q**4 - 0.1
    holed = np.where(np.arange(30) % 7 == 3, np.nan, curve)
    assert fit_porod(q, holed, q_range=(0.1, 0.5)).background == pytest.approx(-0.1)


def test_too_few_points_is_an_error():
    with pytest.raises(InputError, match="Porod"):
        fit_porod(np.linspace(0.1, 0.5, 30), np.ones(30), q_range=(0.6, 0.7))
    with pytest.raises(InputError, match="3 are needed"):
        invariant(np.array([0.0, 1.0]), np.ones(2))
