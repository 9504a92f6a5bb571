from __future__ import annotations

import numpy as np
import pytest

from invae.classical import Tikhonov, TruncatedSvd
from invae.classical.noise import estimate_noise, noise_std
from invae.classical.parameters import (
    discrepancy,
    gcv,
    gcv_score,
    l_curve,
    oracle,
    quiet,
    robust_gcv,
    validation,
)
from invae.data.simulation.phantoms import piecewise_constant
from invae.errors import InputError, InvaeWarning
from invae.operators import Heat
from invae.operators.noise import GaussianNoise


def test_discrepancy_takes_the_first_residual_that_is_small_enough():
    residual = np.array([[5.0, 5.0], [3.0, 4.0], [1.0, 3.5], [2.0, 3.7]])
    assert discrepancy(residual, np.array([3.0, 1.0])).tolist() == [1, 2]


def test_gcv_is_blind_where_nothing_is_left_to_predict():
    score = gcv_score(np.array([[1.0], [0.0]]), np.array([[2.0], [10.0]]), 10)
    assert score[0, 0] == pytest.approx(10 / 64) and np.isinf(score[1, 0])
    assert gcv(np.array([[1.0], [0.0]]), np.array([[2.0], [10.0]]), 10).tolist() == [0]


def test_oracle_chooses_for_each_and_validation_for_all():
    error = np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 0.5]])
    assert oracle(error).tolist() == [0, 2]
    assert validation(error) == 2


def test_the_corner_of_an_l_is_found():
    # Residual falls, then the seminorm climbs: the corner sits at candidate 20.
    u = np.concatenate([np.linspace(5, 0, 21), np.linspace(-0.01, -0.2, 20)])
    v = np.concatenate([np.linspace(0, 0.2, 21), np.linspace(0.4, 6, 20)])
    index = l_curve(np.exp(u)[:, None], np.exp(v)[:, None])
    assert abs(int(index[0]) - 20) <= 2


def test_an_l_curve_needs_points():
    with pytest.raises(InputError, match="at least 5 points"):
        l_curve(np.ones((4, 1)), np.ones((4, 1)))


@pytest.mark.parametrize("std", [1e-3, 0.05])
def test_noise_is_estimated_from_the_finest_details(std):
    s = np.linspace(0, 4 * np.pi, 200)
    clean = 2 + np.sin(s + np.arange(12)[:, None])
    Y = clean[None] + std * np.random.default_rng(0).standard_normal((4, 12, 200))
    np.testing.assert_allclose(estimate_noise(Y.reshape(4, -1), (12, 200)), std, rtol=0.1)


def test_noise_comes_as_a_number_or_as_a_model():
    Y = 3 * np.ones((2, 50))
    assert noise_std(0.2, Y, (50,)).tolist() == [0.2, 0.2]
    assert noise_std(GaussianNoise(0.3), Y, (50,)).tolist() == [0.3, 0.3]
    relative = noise_std(GaussianNoise(relative=0.5), Y, (50,))
    # rms^2 measured = clean^2 (1 + 0.25), so the noise's share of it is 0.5 / sqrt(1.25).
    np.testing.assert_allclose(relative, 3 * 0.5 / np.sqrt(1.25))
    with pytest.raises(InputError, match="tells no standard deviation"):
        noise_std(object(), Y, (50,))
    with pytest.raises(InputError, match="finite number >= 0"):
        noise_std(-1.0, Y, (50,))
    with pytest.raises(InputError, match="too few to estimate"):
        noise_std(None, Y[:, :6], (6,))


def backward_heat(n_samples, rng):
    """Steps of a rod, its temperature later with 2 % noise, and the operator's singular value basis."""
    F = Heat((128,), time=20.0, conductivity=np.where(np.arange(128) < 64, 1.0, 2.0))
    X = piecewise_constant(n_samples, (128,), rng)
    return F, X, GaussianNoise(relative=0.02).sample(F.apply(X), rng)


@pytest.mark.parametrize("method", [Tikhonov, TruncatedSvd])
def test_robust_gcv_never_lets_noise_take_over_where_gcv_does(method):
    F, X, Y = backward_heat(300, np.random.default_rng(5))

    def error(rule):
        x_hat = method(F, parameter=rule).fit().predict(Y, X if rule == "oracle" else None)
        return np.linalg.norm(x_hat - X, axis=1) / np.linalg.norm(X, axis=1)

    assert error("gcv").max() > 10
    robust = error("robust_gcv")
    assert robust.max() < 1.2 and robust.mean() < 1.25 * error("oracle").mean()


def test_discrepancy_is_not_missed_by_a_sample_with_much_noise():
    F, X, Y = backward_heat(300, np.random.default_rng(6))
    noise = GaussianNoise(relative=0.02)
    method = Tikhonov(F, parameter="discrepancy", noise=noise).fit()
    with pytest.warns(InvaeWarning, match="rows have no residual as small as the noise"):
        x_hat = method.predict(Y)
    assert method.converged_.sum() >= 290
    assert (np.linalg.norm(x_hat - X, axis=1) < np.linalg.norm(X, axis=1)).all()


def test_a_solution_is_quiet_up_to_a_share_of_noise():
    table = {"gain": np.array([[1.0, 9.0], [2.0, 9.0]]), "energy": np.array([[10.0, 10.0], [10.0, 10.0]])}
    # Where no candidate is quiet the strongest regularisation stays.
    assert quiet(table, np.array([0.4, 1.0])).tolist() == [[True, True], [False, False]]


def test_robust_gcv_without_gain_is_gcv_at_a_higher_price():
    table = {"residual": np.array([[4.0], [2.0], [1.9]]), "dof": np.array([[1.0], [4.0], [5.0]])}
    scores = 10 * table["residual"] ** 2 / (10 - 1.2 * table["dof"]) ** 2
    assert robust_gcv(table, 10).tolist() == [int(scores.argmin())]
