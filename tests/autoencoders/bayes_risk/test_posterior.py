from __future__ import annotations

import numpy as np
import pytest

import invae
from invae.autoencoders.bayes_risk import posterior
from invae.autoencoders.bayes_risk.spaces import from_prior
from invae.linalg.priors import GaussianPrior
from invae.linalg.whitening import Whitening

SHAPE = (6, 6)


@pytest.fixture
def problem(rng, monkeypatch):
    monkeypatch.setattr("invae.autoencoders.bayes_risk.spaces.MODES", 8)  # a preconditioner that leaves work
    monkeypatch.setattr(posterior, "RTOL", 1e-10)
    prior = GaussianPrior.matern(SHAPE, 2.0, std=0.7, mean=1.0)
    F = invae.Radon(SHAPE, n_angles=4)
    return F, prior, rng.standard_normal((3, F.shape[0]))


@pytest.mark.parametrize("kind", ["white", "diagonal", "full"])
def test_conjugate_gradients_reach_the_dense_posterior_mean(problem, rng, kind):
    F, prior, y = problem
    m = F.shape[0]
    root = rng.standard_normal((m, m))
    noise = {"white": 0.3, "diagonal": rng.uniform(0.1, 0.9, m), "full": root @ root.T / m + 0.1 * np.eye(m)}
    whitening = Whitening(noise[kind])
    factors = from_prior(prior, F, whitening, "prior")
    tau = whitening.scale * np.array([1.0, 0.5, 3.0])
    x_hat = posterior.posterior_mean(y, prior, F, whitening, factors.core, tau, factors.cut_off)
    A, Gamma = F.todense(), prior.covariance()
    R = np.broadcast_to(noise[kind], (m,)) if np.ndim(noise[kind]) < 2 else noise[kind]
    R = (np.diag(R) if R.ndim == 1 else R) / whitening.scale
    for row, power, x in zip(y, tau, x_hat):
        exact = Gamma @ A.T @ np.linalg.solve(A @ Gamma @ A.T + power * R, row)
        np.testing.assert_allclose(x, exact, atol=1e-8)


def test_a_row_does_not_depend_on_its_company(problem):
    F, prior, y = problem
    whitening = Whitening(0.3)
    factors = from_prior(prior, F, whitening, "prior")
    arguments = prior, F, whitening, factors.core
    together = posterior.posterior_mean(y, *arguments, np.full(3, 0.3), factors.cut_off)
    alone = posterior.posterior_mean(y[1:2], *arguments, np.full(1, 0.3), factors.cut_off)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-12)
