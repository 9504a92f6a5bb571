from __future__ import annotations

import numpy as np
import pytest

from invae.linalg import reduced_rank
from invae.linalg.reduced_rank import Product, ReducedRank

TAU = 0.3


@pytest.fixture(params=["factors", "moments", "products"])
def problem(request, rng, monkeypatch):
    B, F = rng.standard_normal((9, 7)), rng.standard_normal((5, 7))
    Gamma = B.T @ B
    if request.param == "moments":
        core = ReducedRank.from_moments(Gamma @ F.T, F @ Gamma @ F.T, np.diag(Gamma))
    else:
        if request.param == "products":
            monkeypatch.setattr(reduced_rank, "LARGEST_DENSE", 0)
            B = np.linalg.qr(B)[1][:4]  # fewer factors than measurements
            Gamma = B.T @ B
        core = ReducedRank.from_factors(B, B @ F.T)
        assert isinstance(core.cross, Product) == (request.param == "products")
    return core, Gamma, F


def risk(A, Gamma, F):
    D = A @ F - np.eye(len(Gamma))
    return np.trace(D @ Gamma @ D.T) + TAU * np.sum(A**2)


def test_the_risk_of_every_rank_is_what_the_map_has_and_perturbations_do_not_beat_it(problem, rng):
    core, Gamma, F = problem
    best = core.solve(TAU)
    for r in range(1, len(best.encoder) + 1):
        D, E = best.decoder[:, :r], best.encoder[:r]
        assert risk(D @ E, Gamma, F) == pytest.approx(best.risk_curve[r], rel=1e-9)
        for _ in range(20):
            near = (D + 1e-2 * rng.standard_normal(D.shape)) @ (E + 1e-2 * rng.standard_normal(E.shape))
            assert risk(near, Gamma, F) >= best.risk_curve[r]
        np.testing.assert_allclose(np.sum(E**2, axis=1), best.noise_gain[:r], rtol=1e-9)


def test_the_posterior_is_the_gaussian_one(problem, rng):
    core, Gamma, F = problem
    y = rng.standard_normal((2, 5)) @ F @ Gamma @ F.T
    mean, variance = core.posterior(np.asarray(y @ core.whitener.T), np.array([TAU, 2 * TAU]))
    for i, tau in enumerate((TAU, 2 * TAU)):
        gain = Gamma @ F.T @ np.linalg.inv(F @ Gamma @ F.T + tau * np.eye(5))
        np.testing.assert_allclose(mean[i], gain @ y[i], atol=1e-8)
        np.testing.assert_allclose(variance[i], np.diag(Gamma - gain @ F @ Gamma), atol=1e-8)


def test_the_state_rebuilds_the_factors(problem):
    core, _, _ = problem
    again = ReducedRank.from_state(core.to_state()).solve(TAU, 2)
    np.testing.assert_array_equal(again.encoder, core.solve(TAU, 2).encoder)
