from __future__ import annotations

import numpy as np
import pylops
import pytest
from skimage.restoration import denoise_tv_chambolle

from invae.classical import TotalVariation
from invae.classical.gradients import gradient, total_variation
from invae.data.simulation.phantoms import piecewise_constant, random_ellipses
from invae.errors import InputError
from invae.operators.radon import Radon

# Few iterations are allowed on purpose; that predict says so has its own test.
pytestmark = pytest.mark.filterwarnings("ignore:.*see converged_:invae.errors.InvaeWarning")


def identity(shape):
    return pylops.Identity(int(np.prod(shape))) if len(shape) == 1 else pylops.Diagonal(np.ones(shape))


def objective(F, X, Y, weight, grid):
    misfit = 0.5 * (((F @ X.T).T - Y) ** 2).sum(1)
    return misfit + weight * total_variation(X.reshape(len(X), *grid))


def test_a_step_on_a_line_shrinks_by_weight_over_length():
    # Denoising a step of two plateaus of length 10 moves each towards the other by weight / 10.
    y = np.concatenate([np.zeros(10), np.ones(10)])[None]
    X = TotalVariation(identity((20,)), parameter=2.0, max_iter=3000, tol=1e-7).fit().predict(y)
    np.testing.assert_allclose(X[0], np.concatenate([np.full(10, 0.2), np.full(10, 0.8)]), atol=1e-4)


def test_a_large_weight_leaves_the_mean():
    y = np.random.default_rng(0).uniform(size=(2, 30))
    X = TotalVariation(identity((30,)), parameter=100.0, max_iter=3000, tol=1e-7).fit().predict(y)
    np.testing.assert_allclose(X, np.repeat(y.mean(1, keepdims=True), 30, 1), atol=1e-3)


def test_denoising_agrees_with_scikit_image():
    rng = np.random.default_rng(0)
    clean = random_ellipses(2, (24, 24), rng=0)
    noisy = clean + 0.1 * rng.standard_normal(clean.shape)
    F = identity((24, 24))
    method = TotalVariation(F, parameter=0.15, nonnegative=False, max_iter=3000, tol=0.0).fit()
    X = method.predict(noisy)
    # The published scheme minimises ||x - y||^2 / 2 + weight TV(x) too.
    other = np.stack([denoise_tv_chambolle(y, weight=0.15, eps=1e-9, max_num_iter=3000) for y in noisy])
    mine = objective(F, X.reshape(2, -1), noisy.reshape(2, -1), 0.15, (24, 24))
    theirs = objective(F, other.reshape(2, -1), noisy.reshape(2, -1), 0.15, (24, 24))
    assert (mine <= theirs * (1 + 1e-5)).all()
    np.testing.assert_allclose(mine, theirs, rtol=1e-3)
    # Strong convexity: a point whose objective is higher by d lies within sqrt(2 d) of the optimum.
    distance = np.linalg.norm((X - other).reshape(2, -1), axis=1)
    assert (distance**2 <= 2.2 * (theirs - mine) + 1e-3).all()


@pytest.fixture(scope="module")
def tomography():
    F = Radon((24, 24), 16)
    X = random_ellipses(3, (24, 24), rng=0).reshape(3, -1)
    clean = F.apply(X)
    std = 0.02 * np.sqrt((clean**2).mean())
    return F, X, clean + std * np.random.default_rng(1).standard_normal(clean.shape), std


@pytest.mark.parametrize("weight", [0.02, 0.5])
def test_the_optimum_beats_every_perturbation(tomography, weight):
    F, _, Y, _ = tomography
    method = TotalVariation(F, parameter=weight, max_iter=5000, tol=1e-6).fit()
    X = method.predict(Y)
    best = objective(F, X, Y, weight, (24, 24))
    rng = np.random.default_rng(0)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(10):
            step = size * rng.standard_normal(X.shape) * X.std()
            moved = np.maximum(X + step, 0)
            assert (objective(F, moved, Y, weight, (24, 24)) > best).all()
    assert X.min() >= 0 and method.converged_.all()


def test_optimality_condition_holds(tomography):
    F, _, Y, _ = tomography
    weight = 0.2
    X = TotalVariation(F, parameter=weight, max_iter=3000, tol=0.0).fit().predict(Y)
    slope = np.sum(F.apply_adjoint(F.apply(X) - Y) * X, axis=1)
    # TV is positively homogeneous, so at the optimum <F^T (F x - y), x> = -weight TV(x).
    np.testing.assert_allclose(slope, -weight * total_variation(X.reshape(-1, 24, 24)), rtol=2e-3)


def test_discrepancy_meets_the_noise_and_names_its_weight(tomography):
    F, _, Y, std = tomography
    constrained = TotalVariation(F, noise=std, max_iter=4000, tol=1e-5).fit()
    X = constrained.predict(Y)
    residual = np.linalg.norm(F.apply(X) - Y, axis=1)
    np.testing.assert_allclose(residual, std * np.sqrt(F.shape[0]), rtol=0.01)
    # The penalised problem with the weight that was named has the same solution.
    for x, y, weight in zip(X, Y, constrained.parameters_):
        again = TotalVariation(F, parameter=weight, max_iter=4000, tol=1e-5).fit().predict(y[None])[0]
        assert np.linalg.norm(again - x) <= 0.02 * np.linalg.norm(x)


def test_data_without_noise_are_met():
    F = Radon((24, 24), 16)
    X = random_ellipses(2, (24, 24), rng=0, softness=(0.0, 0.0)).reshape(2, -1)
    Y = F.apply(X)
    estimate = TotalVariation(F, noise=0.0, max_iter=3000).fit().predict(Y)
    assert np.linalg.norm(F.apply(estimate) - Y) < 0.005 * np.linalg.norm(Y)
    assert np.linalg.norm(estimate - X) < 0.1 * np.linalg.norm(X)
    assert np.abs(TotalVariation(F, noise=0.0).fit().predict(0 * Y)).max() == 0


def test_total_variation_recovers_a_step_function_from_few_views(tomography):
    F, X, Y, std = tomography
    estimate = TotalVariation(F, noise=std).fit().predict(Y)
    assert (np.linalg.norm(estimate - X, axis=1) / np.linalg.norm(X, axis=1)).mean() < 0.15


def test_one_dimensional_deblurring():
    x = piecewise_constant(4, 60, rng=0)
    kernel = np.exp(-0.5 * (np.subtract.outer(np.arange(60), np.arange(60)) / 2.0) ** 2)
    F = pylops.MatrixMult(kernel / kernel.sum(1, keepdims=True))
    y = x @ F.A.T + 0.01 * np.random.default_rng(0).standard_normal(x.shape)
    estimate = TotalVariation(F, noise=0.01).fit().predict(y)
    assert np.linalg.norm(estimate - x) < 0.75 * np.linalg.norm(y - x)


def test_shaped_measurements_give_shaped_signals(tomography):
    F, _, Y, _ = tomography
    method = TotalVariation(F, parameter=0.2, max_iter=50).fit()
    shaped = method.predict(Y.reshape(3, *F.dimsd))
    assert shaped.shape == (3, 24, 24)
    np.testing.assert_array_equal(shaped.reshape(3, -1), method.predict(Y))


def test_gradient_ends_at_the_border():
    image = np.arange(6.0).reshape(1, 2, 3)
    np.testing.assert_array_equal(gradient(image)[0, 0], [[3, 3, 3], [0, 0, 0]])
    np.testing.assert_array_equal(gradient(image)[0, 1], [[1, 1, 0], [1, 1, 0]])


def test_volumes_are_refused():
    with pytest.raises(InputError, match="one or two dimensions"):
        TotalVariation(pylops.Diagonal(np.ones((2, 2, 2)))).fit()
