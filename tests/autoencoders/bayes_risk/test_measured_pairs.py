"""Codes of measurements, full noise covariances, tensors."""

from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders import BayesRiskReconstructor
from invae.errors import InputError
from invae.operators import Blur, Radon

rng = np.random.default_rng(5)
X = np.cumsum(rng.standard_normal((120, 16)), axis=1)


def test_fit_transform_encodes_the_measurements():
    F = Blur(16, sigma=1.2)
    Y = F.apply(X) + 0.01 * rng.standard_normal(X.shape)
    codes = BayesRiskReconstructor(F).fit_transform(X, Y)
    np.testing.assert_allclose(codes, BayesRiskReconstructor(F).fit(X, Y).transform(Y))
    scan = Radon(4, 3)
    made = BayesRiskReconstructor(scan, noise=0.1).fit_transform(X)
    again = BayesRiskReconstructor(scan, noise=0.1).fit(X)
    np.testing.assert_allclose(made, again.transform(scan.apply(X)))


def test_a_full_covariance_of_the_noise_is_the_vector_it_extends():
    F, std = Blur(16, sigma=1.2), np.linspace(0.1, 0.4, 16)
    Y = F.apply(X)
    vector = BayesRiskReconstructor(F, noise=std).fit(X)
    matrix = BayesRiskReconstructor(F, noise=np.diag(std**2)).fit(X)
    np.testing.assert_allclose(matrix.predict(Y), vector.predict(Y), rtol=1e-7, atol=1e-8)
    lag = np.abs(np.subtract.outer(np.arange(16), np.arange(16)))
    R = 0.04 * 0.7**lag
    C = np.cov(X.T, bias=True)
    A = F.todense()
    gain = C @ A.T @ np.linalg.inv(A @ C @ A.T + R)
    wanted = X.mean(0) + (Y - A @ X.mean(0)) @ gain.T
    model = BayesRiskReconstructor(F, noise=R, rank="full", shrinkage=None).fit(X)
    np.testing.assert_allclose(model.predict(Y), wanted, rtol=1e-6, atol=1e-6)
    with pytest.raises(InputError, match="an array of shape") as told:
        BayesRiskReconstructor(F, noise=-R).fit(X)
    assert "\n" not in str(told.value)


def test_tensors_are_arrays():
    torch = pytest.importorskip("torch")
    F = Blur(16, sigma=1.2)
    a = BayesRiskReconstructor(F, noise=0.1).fit(torch.tensor(X))
    np.testing.assert_allclose(a.mean_x_, X.mean(0))
