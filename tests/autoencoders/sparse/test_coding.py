from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Lasso, orthogonal_mp

from invae.autoencoders.sparse.coding import orthogonal_matching_pursuit
from invae.autoencoders.sparse.dictionary import (
    AtomDictionary,
    coherence,
    first_atoms,
    replace_dead_atoms,
    update_atoms,
)
from invae.autoencoders.sparse.lasso import fista, lasso_loss, threshold
from invae.errors import InputError


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


def test_pursuit_agrees_with_scikit_learn(problem):
    X, D = problem
    Z = orthogonal_matching_pursuit(X, D, n_nonzero=4)
    np.testing.assert_allclose(Z, orthogonal_mp(D, X.T, n_nonzero_coefs=4).T, atol=1e-8)


def test_pursuit_stops_at_the_tolerance_and_not_before(problem):
    X, D = problem
    Z = orthogonal_matching_pursuit(X, D, tolerance=0.3)
    assert (np.linalg.norm(X - Z @ D.T, axis=1) <= 0.3).all()
    for x, z in zip(X, Z):
        k = int((z != 0).sum())
        if k > 1:
            less = orthogonal_matching_pursuit(x[None], D, n_nonzero=k - 1)[0]
            assert np.linalg.norm(x - D @ less) > 0.3


def test_pursuit_reaches_zero_error_with_a_basis_and_survives_repeated_atoms(rng):
    X = rng.standard_normal((4, 6))
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    D = np.hstack([basis, basis])
    Z = orthogonal_matching_pursuit(X, D)
    np.testing.assert_allclose(Z @ D.T, X, atol=1e-9)
    assert (orthogonal_matching_pursuit(np.zeros((2, 6)), D) == 0).all()


def test_curvature_is_an_upper_estimate_of_the_largest_eigenvalue(rng):
    for n in (3, 20):
        A = rng.standard_normal((n, 2 * n))
        top = np.linalg.eigvalsh(A @ A.T)[-1]
        assert top * 0.999 <= AtomDictionary(A.T).curvature <= 1.03 * top


def test_an_update_of_atoms_never_raises_the_loss_and_keeps_the_norms(problem, rng):
    X, D = problem
    Z = orthogonal_matching_pursuit(X, D, n_nonzero=3)
    D = first_atoms(X, 30, rng)
    loss = [((X - Z @ D.T) ** 2).sum()]
    for _ in range(6):
        update_atoms(D, Z.T @ Z, X.T @ Z)
        loss.append(((X - Z @ D.T) ** 2).sum())
    assert (np.diff(loss) <= 1e-9).all() and loss[-1] < loss[0]
    np.testing.assert_allclose(np.linalg.norm(D, axis=0), 1)


def test_only_free_atoms_move(problem):
    X, D = problem
    Z = orthogonal_matching_pursuit(X, D, n_nonzero=3)
    moved, free = D.copy(), np.arange(30) < 5
    update_atoms(moved, Z.T @ Z, X.T @ Z, free=free)
    assert np.array_equal(moved[:, 5:], D[:, 5:]) and not np.array_equal(moved[:, :5], D[:, :5])


def test_dead_atoms_become_the_worst_errors(problem, rng):
    X, D = problem
    Z = orthogonal_matching_pursuit(X, D, n_nonzero=1)
    usage = np.ones(30)
    usage[[3, 7]] = 0
    error = X - Z @ D.T
    worst = np.argsort(-np.linalg.norm(error, axis=1))[:2]
    replaced = replace_dead_atoms(D, usage, X, Z, rng)
    assert sorted(replaced) == [3, 7]
    cosines = np.abs(D[:, [3, 7]].T @ (error[worst] / np.linalg.norm(error[worst], axis=1)[:, None]).T)
    np.testing.assert_allclose(np.sort(cosines.max(axis=1)), 1)


def test_coherence_of_a_basis_is_zero_and_of_twins_one(rng):
    assert coherence(np.eye(4)) == 0 and coherence(np.ones((2, 2)) / np.sqrt(2)) == pytest.approx(1)
    D = rng.standard_normal((5, 20))
    assert coherence(D / np.linalg.norm(D, axis=0)) >= np.sqrt(15 / (5 * 19))


def test_start_has_unit_norm_even_for_hopeless_signals(rng):
    for X in (np.zeros((3, 4)), np.ones((1, 4)), rng.standard_normal((2, 4))):
        np.testing.assert_allclose(np.linalg.norm(first_atoms(X, 9, rng), axis=0), 1)


def test_wrong_number_of_atoms_is_named(problem):
    with pytest.raises(InputError, match="n_nonzero"):
        orthogonal_matching_pursuit(*problem, n_nonzero=13)
