from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.bayes_risk.learning import JointModel
from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.errors import InputError, ModelError


@pytest.fixture
def fitted(rng):
    X, F = rng.standard_normal((80, 6)) @ rng.standard_normal((6, 6)) + 2.0, rng.standard_normal((5, 6))
    return BayesRiskReconstructor(F, noise=0.3, shrinkage=None, rank=4).fit(X), X, F


def test_estimates_and_codes_are_those_of_the_matrices(fitted):
    rec, X, F = fitted
    posterior, y = rec._posterior, X @ F.T
    z = (y - rec.mean_y_) @ rec.encoder_.T
    np.testing.assert_allclose(posterior.encode(y), z)
    np.testing.assert_allclose(posterior.decode(z), rec.mean_x_ + z @ rec.decoder_.T)
    x_hat, std = posterior.predict(y)
    np.testing.assert_allclose(x_hat, posterior.decode(z))
    assert std.shape == x_hat.shape and np.ptp(std, axis=0).max() == 0
    assert posterior.predict(y.astype(np.float32))[0].dtype == np.float32


def test_the_posterior_of_full_rank_is_the_dense_one(fitted, rng):
    rec, X, F = fitted
    y, tau = X[:3] @ F.T, np.array([0.09, 0.5, 2.0])
    x_hat, std = rec._posterior.posterior(y, tau)
    Gamma = np.cov(X.T, bias=True)
    for i, power in enumerate(tau):
        gain = Gamma @ F.T @ np.linalg.inv(F @ Gamma @ F.T + power * np.eye(5))
        np.testing.assert_allclose(x_hat[i], X.mean(axis=0) + gain @ (y[i] - F @ X.mean(axis=0)), atol=1e-9)
        np.testing.assert_allclose(std[i] ** 2, np.diag(Gamma - gain @ F @ Gamma), atol=1e-9)


def test_measurements_hold_the_noise_of_the_model(fitted, rng):
    rec, _, F = fitted
    clean = np.ones((4000, 6))
    noise = rec._posterior.measure(clean, rng) - clean @ F.T
    np.testing.assert_allclose(np.cov(noise.T), 0.09 * np.eye(5), atol=0.01)
    with pytest.raises(InputError, match="no prior"):
        rec._posterior.draw_signals(2, rng)


def test_a_model_at_another_noise_keeps_the_model_error_and_survives_its_state(fitted):
    model = fitted[0]._model
    assert model.at_noise(2.0).noise_power == 2.0 and model.at_noise(2.0).curve is None
    paired = JointModel(model.factors, model.whitening, model.mean_clean, model.rms_clean, added=0.04)
    assert paired.at_noise(1.0).noise_power == pytest.approx(1.0 + 0.09 - 0.04)
    again = JointModel.from_state(model.at_noise(2.0).to_state())
    assert again.noise_power == 2.0
    np.testing.assert_array_equal(again.factors.core.power, model.factors.core.power)
    slim = JointModel.from_state({**model.to_state(), "factors": {**vars(model.factors), "kept": None}})
    with pytest.raises(ModelError, match="without its factors"):
        _ = slim.factors.core
