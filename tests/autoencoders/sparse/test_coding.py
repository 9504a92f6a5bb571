from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

from invae.autoencoders.sparse.coding import orthogonal_matching_pursuit
from invae.errors import InputError


@pytest.fixture
def problem(rng):
    D = rng.standard_normal((12, 30))
    D /= np.linalg.norm(D, axis=0)
    Z = rng.standard_normal((25, 30)) * (rng.random((25, 30)) < 0.1)
    return Z @ D.T + 0.01 * rng.standard_normal((25, 12)), D


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


def test_wrong_number_of_atoms_is_named(problem):
    with pytest.raises(InputError, match="n_nonzero"):
        orthogonal_matching_pursuit(*problem, n_nonzero=13)
