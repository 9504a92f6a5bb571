from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from invae.autoencoders.sparse.dictionary import (
    AtomDictionary,
)
from invae.autoencoders.sparse.kernel_dictionary import KernelDictionary
from invae.autoencoders.sparse.lasso import fista, lasso_loss, threshold


@pytest.fixture
def problem(rng):
    D = rng.standard_normal((12, 30))
    D /= np.linalg.norm(D, axis=0)
    Z = rng.standard_normal((25, 30)) * (rng.random((25, 30)) < 0.1)
    return Z @ D.T + 0.01 * rng.standard_normal((25, 12)), D


def test_threshold_is_the_proximal_map_of_the_absolute_value(rng):
    v = rng.standard_normal(50)
    z = threshold(v, 0.4)
    grid = np.linspace(-4, 4, 8001)
    best = grid[np.argmin((grid[:, None] - v) ** 2 / 2 + 0.4 * np.abs(grid[:, None]), axis=0)]
    np.testing.assert_allclose(z, best, atol=1e-3)


@pytest.mark.parametrize("weight", [0.01, 0.1, 1.0])
def test_fista_meets_the_optimality_conditions_of_the_lasso(problem, weight):
    X, D = problem
    Z = fista(X, AtomDictionary(D), weight, n_steps=5000, tol=1e-10)
    gradient = 2 * (X - Z @ D.T) @ D
    assert np.abs(gradient).max() <= weight * (1 + 1e-4)
    on = Z != 0
    np.testing.assert_allclose(gradient[on], weight * np.sign(Z[on]), atol=1e-4 * weight)


def test_fista_agrees_with_coordinate_descent(problem):
    X, D = problem
    Z = fista(X, AtomDictionary(D), 0.2, n_steps=5000, tol=1e-10)
    other = Lasso(alpha=0.2 / (2 * 12), fit_intercept=False, tol=1e-10, max_iter=100_000).fit(D, X[0]).coef_
    np.testing.assert_allclose(Z[0], other, atol=1e-4)


def test_a_warm_start_saves_steps(problem):
    X, D = problem
    cold, best = (
        fista(X, AtomDictionary(D), 0.1, n_steps=5),
        fista(X, AtomDictionary(D), 0.1, n_steps=3000, tol=1e-10),
    )
    warm = fista(X, AtomDictionary(D), 0.1, n_steps=5, start=best + 1e-3)
    losses = [lasso_loss(X, AtomDictionary(D), Z, 0.1).sum() for Z in (best, warm, cold)]
    assert losses[0] <= losses[1] < losses[2]


@pytest.mark.parametrize("kind", ["atoms", "open", "periodic"])
def test_every_dictionary_offers_the_solver_one_linear_map(rng, kind):
    if kind == "atoms":
        D, shape = AtomDictionary(rng.standard_normal((7, 11))), (7,)
    else:
        D, shape = KernelDictionary(rng.standard_normal((3, 2, 3)), (5, 6), kind), (5, 6)
    Z, X = rng.standard_normal((4, *D.code_shape)), rng.standard_normal((4, *shape))
    decoded, correlated = D.decode(Z), D.correlate(X)
    assert decoded.shape == X.shape and correlated.shape == Z.shape
    assert np.sum(decoded * X) == pytest.approx(np.sum(Z * correlated))
    np.testing.assert_allclose(D.half_gradient(Z, D.observed(X)), D.correlate(decoded - X), atol=1e-10)
    v = Z
    for _ in range(300):
        v = D.correlate(D.decode(v / np.linalg.norm(v)))
    assert np.linalg.norm(v) <= D.curvature
