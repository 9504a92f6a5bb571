from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.sparse.coding import orthogonal_matching_pursuit
from invae.autoencoders.sparse.dictionary import (
    AtomDictionary,
    AtomLearner,
    coherence,
    first_atoms,
    replace_dead_atoms,
    update_atoms,
)
from invae.autoencoders.sparse.lasso import lasso_loss


@pytest.fixture
def problem(rng):
    D = rng.standard_normal((12, 30))
    D /= np.linalg.norm(D, axis=0)
    Z = rng.standard_normal((25, 30)) * (rng.random((25, 30)) < 0.1)
    return Z @ D.T + 0.01 * rng.standard_normal((25, 12)), D


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


def test_a_learner_counts_and_never_raises_the_error_of_its_codes(problem, rng):
    X, _ = problem
    learner = AtomLearner(first_atoms(X, 30, rng))
    Z = orthogonal_matching_pursuit(X, learner.D, n_nonzero=3)
    before = lasso_loss(X, learner.dictionary(X.dtype), Z, 0.0).sum()
    learner.add(learner.dictionary(X.dtype), X, Z)
    middle = lasso_loss(X, learner.dictionary(X.dtype), Z, 0.0).sum()
    learner.settle()
    assert lasso_loss(X, learner.dictionary(X.dtype), Z, 0.0).sum() <= middle <= before
    np.testing.assert_array_equal(learner.usage(Z), np.count_nonzero(Z, axis=0))


def test_start_has_unit_norm_even_for_hopeless_signals(rng):
    for X in (np.zeros((3, 4)), np.ones((1, 4)), rng.standard_normal((2, 4))):
        np.testing.assert_allclose(np.linalg.norm(first_atoms(X, 9, rng), axis=0), 1)
