from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from invae.autoencoders.bayes_risk.noise import FLOOR, NOMINAL, estimate_noise, noise_variance
from invae.errors import InputError
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.whitening import Whitening
from invae.operators import GaussianNoise, PoissonNoise


def test_the_estimate_is_where_the_marginal_likelihood_is_largest(rng):
    m, whitening = 12, Whitening(np.linspace(0.5, 1.5, 12))
    B = rng.standard_normal((5, 7)) * 3
    F = rng.standard_normal((m, 7))
    core = ReducedRank.from_factors(B, B @ F.T, whitening)
    R = np.diag(whitening.variances / whitening.scale)
    signal = F @ B.T @ B @ F.T

    def cost(log_tau, y):
        C = signal + 10.0**log_tau * R
        return np.linalg.slogdet(C)[1] + y @ np.linalg.solve(C, y)

    for y in rng.standard_normal((4, 5)) @ B @ F.T + rng.standard_normal((4, m)):
        tau = float(estimate_noise(core, whitening, y[None])[0])
        best = minimize_scalar(cost, args=(y,), bounds=(-4, 3), method="bounded", options={"xatol": 1e-6})
        assert np.log10(tau) == pytest.approx(best.x, abs=0.03)


def test_variances_of_all_kinds_of_noise(rng):
    mean, rms = np.array([1.0, 0.0, 4.0]), np.array([1.0, 2.0, 5.0])
    assert noise_variance(None, mean, rms) == 0.0
    assert noise_variance(0.5, mean, rms) == 0.25
    np.testing.assert_allclose(noise_variance(rms, mean, rms), rms**2)
    level = np.sqrt(np.mean(rms**2))
    assert noise_variance("auto", mean, rms) == pytest.approx((NOMINAL * level) ** 2)
    assert noise_variance(GaussianNoise(relative=0.1), mean, rms) == pytest.approx((0.1 * level) ** 2)
    poisson = noise_variance(PoissonNoise(2.0), mean, rms)
    np.testing.assert_allclose(poisson, [0.5, FLOOR * 2.5 / 3, 2.0])
    for wrong in (-1.0, np.nan, np.ones(2), "loud"):
        with pytest.raises(InputError, match="standard deviation"):
            noise_variance(wrong, mean, rms)
