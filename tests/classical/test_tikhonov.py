from __future__ import annotations

import numpy as np
import pylops
import pytest
from scipy.optimize import minimize_scalar

from invae.classical import Tikhonov, TruncatedSvd
from invae.classical.parameters import discrepancy_factor, gcv_score
from invae.errors import InputError
from invae.operators.blur import Blur
from invae.operators.heat import Heat
from invae.operators.radon import Radon


@pytest.mark.parametrize("alpha", [1e-6, 1e-2, 10.0])
def test_tikhonov_solves_the_normal_equations(problem, alpha):
    F, _, Y, _ = problem
    wanted = np.linalg.solve(F.A.T @ F.A + alpha * np.eye(32), F.A.T @ Y.T).T
    np.testing.assert_allclose(Tikhonov(F, parameter=alpha).fit().predict(Y), wanted, atol=1e-9)


def test_weight_zero_is_the_pseudo_inverse(problem):
    F, _, Y, _ = problem
    np.testing.assert_allclose(
        Tikhonov(F, parameter=0.0).fit().predict(Y), Y @ np.linalg.pinv(F.A).T, rtol=1e-7, atol=1e-7
    )


def gcv_by_hand(F, y, alpha):
    hat = F @ np.linalg.solve(F.T @ F + alpha * np.eye(F.shape[1]), F.T)
    return len(y) * np.sum((y - hat @ y) ** 2) / (len(y) - np.trace(hat)) ** 2


def test_gcv_weight_is_the_brute_force_minimiser(problem):
    F, _, Y, _ = problem
    method = Tikhonov(F, parameter="gcv").fit()
    method.predict(Y)
    for y, alpha in zip(Y, method.parameters_):
        grid = np.geomspace(1e-10, 10, 200)
        start = grid[np.argmin([gcv_by_hand(F.A, y, a) for a in grid])]
        best = minimize_scalar(
            lambda t, y=y: gcv_by_hand(F.A, y, np.exp(t)), (np.log(start) - 0.1, np.log(start))
        ).fun
        assert gcv_by_hand(F.A, y, alpha) <= 1.0001 * best


def test_gcv_is_leave_one_out_for_a_circulant_operator():
    # Each measurement has the same leverage, so GCV's mean leverage is no approximation.
    rng = np.random.default_rng(0)
    kernel = np.exp(-0.5 * (np.minimum(np.arange(16), 16 - np.arange(16)) / 1.5) ** 2)
    F = np.stack([np.roll(kernel, k) for k in range(16)])
    y = F @ rng.standard_normal(16) + 0.1 * rng.standard_normal(16)
    alpha = 0.3
    left_out = 0.0
    for i in range(16):
        rest = np.arange(16) != i
        x = np.linalg.solve(F[rest].T @ F[rest] + alpha * np.eye(16), F[rest].T @ y[rest])
        left_out += (y[i] - F[i] @ x) ** 2
    assert 16 * gcv_by_hand(F, y, alpha) == pytest.approx(left_out)
    table = Tikhonov(pylops.MatrixMult(F)).fit()._table(y[None], np.array([[alpha]]), None, dof=True)
    assert 16 * gcv_score(table["residual"], table["dof"], 16).item() == pytest.approx(left_out)


def test_discrepancy_leaves_the_noise_as_residual(problem):
    F, _, Y, std = problem
    X = Tikhonov(F, parameter="discrepancy", noise=std, tau=1.1).fit().predict(Y)
    residual = np.linalg.norm(X @ F.A.T - Y, axis=1)
    np.testing.assert_allclose(residual, 1.1 * std * discrepancy_factor(40), rtol=0.02)


@pytest.mark.parametrize("rank", [0, 1, 7, 30])
def test_tsvd_inverts_the_best_low_rank_approximation(problem, rank):
    F, _, Y, _ = problem
    U, s, Vt = np.linalg.svd(F.A, full_matrices=False)
    wanted = (Y @ U[:, :rank] / s[:rank]) @ Vt[:rank]
    np.testing.assert_allclose(TruncatedSvd(F, parameter=rank).fit().predict(Y), wanted, atol=1e-8)


def test_tsvd_gcv_rank_is_the_brute_force_minimiser(problem):
    F, _, Y, _ = problem
    method = TruncatedSvd(F, parameter="gcv").fit()
    method.predict(Y)
    U, _, _ = np.linalg.svd(F.A, full_matrices=False)
    for y, rank in zip(Y, method.parameters_):
        score = [np.sum((y - U[:, :k] @ (U[:, :k].T @ y)) ** 2) / (40 - k) ** 2 for k in range(33)]
        assert rank == np.argmin(score)


def test_ranks_are_whole_numbers(problem):
    with pytest.raises(InputError, match="whole number"):
        TruncatedSvd(problem[0], parameter=2.5).fit()


def mirrored_differences(n):
    return np.diff(np.eye(n), axis=0)


def derivative(dims, order):
    """L^T L of dims (1-D or 2-D) with mirrored borders."""
    lines = [mirrored_differences(n).T @ mirrored_differences(n) for n in dims]
    if len(dims) == 1:
        total = lines[0]
    else:
        total = np.kron(lines[0], np.eye(dims[1])) + np.kron(np.eye(dims[0]), lines[1])
    return total if order == 1 else total @ total


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "F, dims",
    [
        (Blur((6, 5), sigma=1.0), (6, 5)),
        (Blur((6, 5), sigma=1.0, boundary="zero"), (6, 5)),
        (Radon((6, 6), 3), (6, 6)),
        (Radon((5, 7), 9), (5, 7)),
        (Heat((9,), time=0.5), (9,)),
        (pylops.MatrixMult(np.random.default_rng(0).uniform(size=(12, 8))), (8,)),
    ],
    ids=["blur, fast", "blur, dense", "radon, few data", "radon, many data", "heat, fast", "matrix"],
)
def test_a_derivative_penalty_solves_the_normal_equations(F, dims, order):
    A = np.asarray(F.todense())
    Y = np.random.default_rng(1).standard_normal((3, A.shape[0]))
    alpha = 0.03
    wanted = np.linalg.solve(A.T @ A + alpha * derivative(dims, order), A.T @ Y.T).T
    method = Tikhonov(F, parameter=alpha, order=order).fit()
    np.testing.assert_allclose(method.predict(Y), wanted, atol=1e-7)
    # The path's table is that of these solutions.
    truth = np.random.default_rng(2).standard_normal(wanted.shape)
    table = method._table(Y, np.full((1, 3), alpha), truth, dof=True)
    hat = A @ np.linalg.solve(A.T @ A + alpha * derivative(dims, order), A.T)
    np.testing.assert_allclose(table["residual"][0], np.linalg.norm(wanted @ A.T - Y, axis=1), atol=1e-7)
    np.testing.assert_allclose(table["dof"][0], np.trace(hat), atol=1e-6)
    seminorm = np.sqrt(np.einsum("ni,ij,nj->n", wanted, derivative(dims, order), wanted))
    np.testing.assert_allclose(table["seminorm"][0], seminorm, atol=1e-6)
    error = np.linalg.norm(wanted - truth, axis=1) / np.linalg.norm(truth, axis=1)
    np.testing.assert_allclose(table["error"][0], error, atol=1e-7)


def test_a_heavy_derivative_penalty_leaves_the_best_constant(problem):
    F, _, Y, _ = problem
    X = Tikhonov(F, parameter=1e8, order=1).fit().predict(Y)
    w = F.A.sum(axis=1)
    np.testing.assert_allclose(X, np.repeat((Y @ w / (w @ w))[:, None], 32, axis=1), atol=1e-5)


def test_the_order_is_checked(problem):
    with pytest.raises(InputError, match="order=3"):
        Tikhonov(problem[0], order=3).fit()
    with pytest.raises(InputError, match="does not see constants"):
        Tikhonov(pylops.MatrixMult(mirrored_differences(5)), order=1).fit()
