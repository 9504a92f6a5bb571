from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.bayes_risk.calibration import GRID, Calibration, calibrate, coverage, varies
from invae.errors import InputError


def test_calibration_factor_controls_the_risk_in_expectation():
    # With scores uniform on (0, 1) the factor at level L from N signals is (L + L / N).
    found = Calibration(100, GRID, np.zeros(2), np.ones(2), np.empty(0))
    assert found.factor(0.9) == pytest.approx(0.909, abs=1e-9)
    with pytest.raises(InputError, match="more than"):
        Calibration(10, GRID, np.zeros(2), np.ones(2), np.empty(0)).factor(0.95)


def test_p_values_of_fresh_scores_are_uniform(rng):
    parts = rng.standard_normal((4000, 2))
    found = calibrate(rng.standard_normal((2000, 3)), np.ones((2000, 3)), parts[:2000], rng)
    p = found.p_value(parts[2000:])
    for level in (0.05, 0.3, 0.7):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.04)
    assert p.min() >= 1 / (1 + len(found.scores)) and p.max() <= 1


def test_intervals_of_gaussian_errors_are_those_of_the_normal_distribution(rng):
    std = np.tile(rng.uniform(0.5, 2, 5), (4000, 1))
    found = calibrate(std * rng.standard_normal(std.shape), std, rng.standard_normal((4000, 2)), rng)
    assert found.factor(0.9) == pytest.approx(1.645, abs=0.03)
    assert coverage(std * rng.standard_normal(std.shape), 1.645 * std) == pytest.approx(0.9, abs=0.01)


def test_entries_that_never_vary_are_left_out():
    std = np.array([[1.0, 0.0, 1e-9]])
    assert varies(std).tolist() == [[True, False, False]]
    assert coverage(np.array([[2.0, 0.0, 0.0]]), std) == 0.0
    with pytest.raises(InputError, match="too few"):
        calibrate(np.zeros((3, 1)), np.ones((3, 1)), np.zeros((3, 2)), np.random.default_rng(0))
