from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from invae.errors import InputError
from invae.evaluation.residuals import lag_correlation, noise_inflation, run_test


def test_number_of_runs_by_hand():
    test = run_test(np.array([1, 1, -1, -1, 1, 0, np.nan, 1, -1.0]))
    assert test.n_runs == 4 and test.expected == pytest.approx(2 * 4 * 3 / 7 + 1)


def test_p_is_uniform_for_independent_errors(rng):
    p = [run_test(rng.standard_normal(500)).p for _ in range(400)]
    assert kstest(p, "uniform").pvalue > 1e-3


def test_z_is_standard_normal_over_rows_of_any_length(rng):
    z = [run_test(rng.standard_normal((20, 11))).z for _ in range(600)]
    assert abs(np.mean(z)) < 0.15 and abs(np.std(z) - 1) < 0.1


def test_drifting_errors_have_too_few_runs_and_alternating_ones_too_many(rng):
    drift = np.cumsum(rng.standard_normal(300))
    assert run_test(drift - drift.mean()).z < -5
    assert run_test((-1.0) ** np.arange(300)).z > 5


@pytest.mark.parametrize("residuals", [np.zeros(5), np.ones(1), np.full(4, np.nan), np.ones(6)])
def test_nothing_to_say_is_not_significant(residuals):
    assert run_test(residuals).p == 1.0


def test_rows_are_not_joined():
    rows = np.array([[1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]])
    assert run_test(rows).n_runs == 4


@pytest.mark.parametrize("k", [0.25, 0.5, 1.0])
def test_inflation_of_a_uniform_error_is_root_one_plus_k2_over_3(rng, k):
    sigma = rng.uniform(0.1, 5, 200_000)
    error = rng.uniform(-k, k, 200_000) * sigma
    assert noise_inflation(np.zeros(200_000), error, sigma) == pytest.approx(np.sqrt(1 + k**2 / 3), rel=2e-3)


def test_points_without_sigma_are_left_out():
    assert noise_inflation(np.zeros(3), np.array([1.0, 9.0, np.nan]), np.array([1.0, 0.0, 1.0])) == np.sqrt(2)
    with pytest.raises(InputError, match="sigma"):
        noise_inflation(np.zeros(2), np.ones(2), np.zeros(2))


def test_lag_correlation_of_an_autoregression(rng):
    series = np.zeros(20_000)
    for i, e in enumerate(rng.standard_normal(19_999)):
        series[i + 1] = 0.6 * series[i] + e
    assert lag_correlation(series) == pytest.approx(0.6, abs=0.03)
    assert lag_correlation(series, 2) == pytest.approx(0.36, abs=0.03)
    with pytest.raises(InputError, match="lag"):
        lag_correlation(series[:3], 3)
