from __future__ import annotations

import numpy as np
import pylops
import pytest
from scipy.sparse.linalg import cg

from invae.classical import Cgls
from invae.classical.parameters import discrepancy_factor
from invae.errors import InputError


def test_full_convergence_is_least_squares():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 20))
    Y = rng.standard_normal((5, 30))
    X = Cgls(pylops.MatrixMult(A), parameter=40).fit().predict(Y)
    np.testing.assert_allclose(X, Y @ np.linalg.pinv(A).T, atol=1e-9)


def test_an_underdetermined_problem_gets_the_least_norm_solution():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((10, 25))
    Y = rng.standard_normal((3, 10))
    X = Cgls(pylops.MatrixMult(A), parameter=30).fit().predict(Y)
    np.testing.assert_allclose(X, Y @ np.linalg.pinv(A).T, atol=1e-9)


def test_iterates_are_those_of_conjugate_gradients(problem):
    F, _, Y, _ = problem
    steps = []
    cg(F.A.T @ F.A, F.A.T @ Y[0], rtol=0, maxiter=6, callback=lambda x: steps.append(x.copy()))
    for k in (1, 3, 6):
        np.testing.assert_allclose(
            Cgls(F, parameter=k).fit().predict(Y[:1])[0], steps[k - 1], rtol=1e-7, atol=1e-9
        )


@pytest.mark.parametrize("tau", [1.0, 1.5])
def test_discrepancy_stops_at_the_first_residual_below_the_noise(problem, tau):
    F, _, Y, std = problem
    method = Cgls(F, noise=std, tau=tau).fit()
    X = method.predict(Y)
    target = tau * std * discrepancy_factor(40)
    assert (np.linalg.norm(X @ F.A.T - Y, axis=1) <= target).all()
    for k, y in zip(method.parameters_, Y):
        earlier = Cgls(F, parameter=int(k) - 1).fit().predict(y[None])
        assert np.linalg.norm(F.A @ earlier[0] - y) > target


def test_a_measurement_below_the_noise_is_zero_after_no_iteration(problem):
    F, _, Y, _ = problem
    method = Cgls(F, noise=1e3).fit()
    assert np.abs(method.predict(Y)).max() == 0 == method.parameters_.max()


def test_rows_that_have_converged_do_not_become_nan():
    F = pylops.MatrixMult(np.diag([1.0, 2.0]))
    X = Cgls(F, parameter=50).fit().predict(np.array([[1.0, 0.0], [1.0, 2.0], [0.0, 0.0]]))
    np.testing.assert_allclose(X, [[1, 0], [1, 1], [0, 0]], atol=1e-12)


def test_iterations_are_whole_numbers(problem):
    with pytest.raises(InputError, match="whole number"):
        Cgls(problem[0], parameter=2.5).fit()
    with pytest.raises(InputError, match="max_iter=0"):
        Cgls(problem[0], max_iter=0).fit()
