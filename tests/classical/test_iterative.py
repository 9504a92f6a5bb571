"""Landweber, SIRT, SART and Richardson-Lucy."""

from __future__ import annotations

import numpy as np
import pylops
import pytest

from invae.classical import Landweber, RichardsonLucy, Sart, Sirt
from invae.classical.parameters import discrepancy_factor
from invae.data.simulation.phantoms import random_ellipses
from invae.errors import InputError
from invae.operators.masked import Masked
from invae.operators.noise import PoissonNoise
from invae.operators.radon import Radon
from invae.operators.rows import operator_norm

# Few iterations are allowed on purpose; that predict says so has its own test.
pytestmark = pytest.mark.filterwarnings("ignore:.*see converged_:invae.errors.InvaeWarning")


@pytest.fixture(scope="module")
def scan():
    F = Radon((16, 16), 24)
    X = random_ellipses(3, (16, 16), rng=0).reshape(3, -1)
    return F, X, F.apply(X)


def test_operator_norm_is_the_largest_singular_value(problem):
    F = problem[0]
    assert operator_norm(F) == pytest.approx(np.linalg.norm(F.A, 2), rel=0.03)
    assert operator_norm(pylops.MatrixMult(np.zeros((3, 2)))) == 0.0


@pytest.mark.parametrize("k", [1, 7, 40])
def test_landweber_has_the_gains_of_the_theory(problem, k):
    F, _, Y, _ = problem
    U, s, Vt = np.linalg.svd(F.A, full_matrices=False)
    gains = 1 - (1 - (s / operator_norm(F)) ** 2) ** k
    wanted = (Y @ U * gains / s) @ Vt
    np.testing.assert_allclose(Landweber(F, parameter=k).fit().predict(Y), wanted, atol=1e-9)


@pytest.mark.parametrize("relaxation", [0.5, 1.0, 1.9])
def test_sirt_is_weighted_gradient_descent(problem, relaxation):
    F, _, Y, _ = problem
    A = F.A
    x = np.zeros(A.shape[1])
    for _ in range(6):
        x = x + relaxation * (A.T @ ((Y[0] - A @ x) / A.sum(1))) / A.sum(0)
    method = Sirt(F, parameter=6, bounds=(None, None), relaxation=relaxation).fit()
    np.testing.assert_allclose(method.predict(Y[:1])[0], x, atol=1e-12)


def test_sirt_misfit_falls_and_noiseless_data_are_met(scan):
    F, _, Y = scan
    misfit = [np.linalg.norm(F.apply(Sirt(F, parameter=k).fit().predict(Y)) - Y) for k in (1, 10, 100, 1000)]
    assert misfit == sorted(misfit, reverse=True) and misfit[-1] < 0.01 * np.linalg.norm(Y)


def test_sart_sweeps_view_after_view(scan):
    F, _, Y = scan
    A, views, detectors = np.asarray(F.todense()), *F.dimsd
    order = np.argsort((np.arange(views) * 0.6180339887498949) % 1.0, kind="stable")
    x = np.zeros(A.shape[1])
    for _ in range(2):
        for view in order:
            rows = slice(view * detectors, (view + 1) * detectors)
            B, sums, columns = A[rows], A[rows].sum(1), A[rows].sum(0)
            step = np.divide(Y[0, rows] - B @ x, sums, out=np.zeros(detectors), where=sums > 1e-6)
            x = x + 0.7 * np.divide(B.T @ step, columns, out=np.zeros_like(x), where=columns > 1e-6)
            x = np.maximum(x, 0)
    np.testing.assert_allclose(Sart(F, parameter=2, relaxation=0.7).fit().predict(Y[:1])[0], x, atol=1e-8)


def test_sart_is_ahead_of_sirt_after_few_sweeps(scan):
    F, X, Y = scan
    error = {m: np.linalg.norm(m(F, parameter=3).fit().predict(Y) - X) for m in (Sart, Sirt)}
    assert error[Sart] < 0.6 * error[Sirt]


def test_dead_detectors_are_left_out():
    F = Radon((16, 16), 24)
    X = random_ellipses(3, (16, 16), rng=0).reshape(3, -1)
    alive = np.ones(F.dimsd[1], bool)
    alive[[7, 11]] = False
    M = Masked(F, alive)
    Y = M.apply(X)
    for method in (Sart(M, parameter=30), Sirt(M, parameter=300)):
        assert np.linalg.norm(method.fit().predict(Y) - X) < 0.12 * np.linalg.norm(X)


@pytest.mark.parametrize("method", [Landweber, Sirt, Sart])
def test_iterates_stay_in_the_box(scan, method):
    F, _, Y = scan
    noisy = Y + 0.3 * Y.std() * np.random.default_rng(0).standard_normal(Y.shape)
    X = method(F, parameter=20, bounds=(0.1, 0.9)).fit().predict(noisy)
    assert X.min() >= 0.1 and X.max() <= 0.9
    free = method(F, parameter=20, bounds=(None, None)).fit().predict(noisy)
    assert free.min() < 0


def test_discrepancy_stops_each_row_by_itself(problem):
    F, _, Y, std = problem
    louder = np.concatenate([Y[:2], Y[:2] + 10 * std * np.random.default_rng(0).standard_normal((2, 40))])
    method = Landweber(F, noise=std, max_iter=60).fit()
    X = method.predict(louder)
    residual = np.linalg.norm(X @ F.A.T - louder, axis=1)
    stopped = method.parameters_ < 60
    assert stopped[:2].all() and not stopped[2:].any()
    assert (residual[:2] <= std * discrepancy_factor(40)).all()


def test_richardson_lucy_is_the_multiplicative_update(problem):
    F, _, Y, _ = problem
    A, y = F.A, Y[0]
    x = np.full(A.shape[1], y.sum() / A.sum())
    for _ in range(5):
        x = x / A.sum(0) * (A.T @ (y / (A @ x)))
    np.testing.assert_allclose(RichardsonLucy(F, parameter=5).fit().predict(Y[:1])[0], x, rtol=1e-10)


def test_richardson_lucy_climbs_the_poisson_likelihood_and_keeps_the_total(problem):
    F, X, _, _ = problem
    counts = np.random.default_rng(0).poisson(50 * X @ F.A.T).astype(float)
    likelihood = []
    for k in (1, 3, 10, 50):
        estimate = RichardsonLucy(F, parameter=k).fit().predict(counts)
        model = estimate @ F.A.T
        likelihood.append((counts * np.log(model) - model).sum())
        assert estimate.min() >= 0
        np.testing.assert_allclose(model.sum(1), counts.sum(1), rtol=1e-9)
    assert likelihood == sorted(likelihood)


def test_richardson_lucy_knows_the_background_and_bears_negative_values(problem):
    F, X, _, _ = problem
    Y = X @ F.A.T + 3.0
    estimate = RichardsonLucy(F, parameter=200, background=3.0).fit().predict(Y)
    assert np.linalg.norm(estimate - X) < 0.15 * np.linalg.norm(X)
    Y[0, 0] = -1.0
    assert np.isfinite(RichardsonLucy(F, parameter=20).fit().predict(Y)).all()


def test_poisson_counts_are_deblurred_better_than_left_alone(problem):
    F, X, _, _ = problem
    Y = PoissonNoise(400.0).sample(X @ F.A.T, rng=0)
    estimate = RichardsonLucy(F, parameter="oracle").fit().predict(Y, X)
    blurred = np.stack([np.interp(np.arange(32), np.linspace(-1, 32, 40), y) for y in Y])
    assert np.linalg.norm(estimate - X) < 0.9 * np.linalg.norm(blurred - X)


def test_what_they_cannot_do_is_said(problem):
    F = problem[0]
    signed = pylops.MatrixMult(-F.A)
    for make in (Sirt, Sart, RichardsonLucy):
        with pytest.raises(InputError, match="negative entries"):
            make(signed).fit()
    with pytest.raises(InputError, match="low < high"):
        Sirt(F, bounds=(1, 0)).fit()
    with pytest.raises(InputError, match="relaxation"):
        Landweber(F, relaxation=2.5).fit()
    with pytest.raises(InputError, match="background"):
        RichardsonLucy(F, background=-1.0).fit()
    with pytest.raises(InputError, match="use Sirt instead"):
        Sart(pylops.Identity(16)).fit()
