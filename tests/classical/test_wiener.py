from __future__ import annotations

import numpy as np
import pylops
import pytest

from invae.classical import Tikhonov, Wiener
from invae.data.simulation.phantoms import gaussian_fields
from invae.errors import InputError
from invae.operators.blur import Blur


def test_a_flat_spectrum_is_tikhonov(problem):
    F, _, Y, _ = problem
    np.testing.assert_allclose(
        Wiener(F, parameter=0.02, power=4.0).fit().predict(Y),
        Tikhonov(F, parameter=0.005).fit().predict(Y),
        atol=1e-10,
    )


def test_the_known_noise_gives_the_least_error_of_all_weights():
    F = Blur((32, 32), sigma=1.5, boundary="periodic")
    train, test = np.split(gaussian_fields(440, (32, 32), rng=0).reshape(440, -1), [400])
    Y = F.apply(test) + 0.05 * np.random.default_rng(0).standard_normal(test.shape)
    known = Wiener(F, noise=0.05).fit(train)
    best = np.mean((known.predict(Y) - test) ** 2)
    assert np.allclose(known.parameters_, 0.0025)
    for variance in (0.0025 / 5, 0.0025 * 5):
        assert best < np.mean((Wiener(F, parameter=variance).fit(train).predict(Y) - test) ** 2)
    assert best < np.mean((Tikhonov(F, parameter="oracle").fit().predict(Y, test) - test) ** 2)
    assert best < 0.5 * np.mean((Y - test) ** 2)


def test_it_is_the_posterior_mean_of_a_stationary_gaussian_prior():
    F = Blur((12,), sigma=1.0, boundary="periodic")
    lag = np.minimum(np.arange(12), 12 - np.arange(12))
    C = np.exp(-0.5 * (lag[np.subtract.outer(np.arange(12), np.arange(12)) % 12] / 2.0) ** 2) + 0.01 * np.eye(
        12
    )
    A = np.asarray(F.todense())
    y = np.random.default_rng(0).standard_normal((2, 12))
    wanted = y @ np.linalg.solve(A @ C @ A.T + 0.1 * np.eye(12), A @ C)
    method = Wiener(F, parameter=0.1).fit()
    V = method.basis_.signals(np.eye(12))
    power = np.einsum("iq,ij,jq->q", V, C, V)
    np.testing.assert_allclose(Wiener(F, parameter=0.1, power=power).fit().predict(y), wanted, atol=1e-9)


@pytest.mark.parametrize("rule", ["oracle", "validation"])
def test_a_signal_of_zeros_among_the_truth_spoils_no_choice(problem, rule):
    F, X, Y, _ = problem
    chosen = []
    for first in (X[:1], np.zeros_like(X[:1])):
        truth, data = np.concatenate([first, X[1:]]), np.concatenate([first @ F.A.T, Y[1:]])
        method = Wiener(F, parameter=rule).fit(truth, data)
        method.predict(data, truth)
        chosen.append(method.parameters_[1:])
    # Without the zeros' NaN the others choose much the same noise, not the strongest of the path.
    np.testing.assert_allclose(np.log10(chosen[1]), np.log10(chosen[0]), atol=1.0)


def test_the_spectrum_must_fit():
    with pytest.raises(InputError, match="pass one value or 4 values"):
        Wiener(pylops.Identity(4), power=np.ones(3)).fit()
