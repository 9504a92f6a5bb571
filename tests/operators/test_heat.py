"""Heat flow against matrix exponentials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.sparse.linalg import expm_multiply

from invae.errors import InputError
from invae.operators import Heat
from invae.operators.diffusion import Sdirk2, diffusion_matrix


@pytest.mark.parametrize("shape", [(30,), (12, 15)])
def test_constant_conductivity_is_the_exact_exponential(shape, rng):
    F = Heat(shape, 2.5, 0.8, spacing=0.5)
    L = diffusion_matrix(np.full(shape, 0.8), 0.5)
    x = rng.random(F.shape[1])
    np.testing.assert_allclose(F @ x, expm_multiply(2.5 * L, x), atol=1e-12)


@pytest.mark.parametrize("shape", [(30,), (12, 15)])
def test_varying_conductivity_is_close_to_the_exponential(shape, rng):
    kappa = rng.uniform(0.1, 2.0, shape)
    F = Heat(shape, 5.0, kappa, n_steps=40)
    x = rng.random(F.shape[1])
    expected = expm_multiply(5.0 * diffusion_matrix(kappa, 1.0), x)
    assert np.linalg.norm(F @ x - expected) <= 2e-3 * np.linalg.norm(expected)


def test_steps_converge_at_second_order(rng):
    kappa = rng.uniform(0.1, 2.0, (8, 9))
    exact = expm(2.0 * diffusion_matrix(kappa, 1.0).toarray())
    errors = [np.abs(Heat((8, 9), 2.0, kappa, n_steps=s).todense() - exact).max() for s in (20, 40, 80)]
    assert 3.5 < errors[0] / errors[1] < 4.5 and 3.5 < errors[1] / errors[2] < 4.5


def test_coarse_steps_damp_every_stiff_mode():
    """Crank-Nicolson would keep a checkerboard at full height; an L-stable method must not."""
    kappa = np.full((16, 16), 100.0)
    kappa[0, 0] = 101.0
    checkerboard = np.indices((16, 16)).sum(axis=0) % 2 * 2.0 - 1
    assert np.abs(Heat((16, 16), 100.0, kappa, n_steps=3) @ checkerboard).max() < 1e-3


@pytest.mark.parametrize("kappa", [0.7, "varying"])
def test_heat_is_conserved_and_evens_out(kappa, rng):
    kappa = rng.uniform(0.3, 1.0, (10, 8)) if kappa == "varying" else kappa
    x = rng.random((10, 8))
    assert (Heat((10, 8), 3.0, kappa) @ x).sum() == pytest.approx(x.sum(), rel=1e-12)
    np.testing.assert_allclose(Heat((10, 8), 1e5, kappa) @ x, x.mean(), rtol=1e-9)


def test_an_insulating_wall_stops_the_heat():
    kappa = np.ones((6, 9))
    kappa[:, 4] = 0.0
    x = np.zeros((6, 9))
    x[:, :4] = 1.0
    np.testing.assert_allclose(Heat((6, 9), 50.0, kappa) @ x, x, atol=1e-12)


@pytest.mark.parametrize("kappa", [0.7, "varying"])
def test_source_is_the_time_integral_of_the_exponential(kappa, rng):
    shape = (7, 6)
    cells = rng.uniform(0.3, 1.0, shape) if kappa == "varying" else np.full(shape, kappa)
    L = diffusion_matrix(cells, 1.0).toarray()
    # The integral of exp(t L) is the upper right block of the exponential of [[L, I], [0, 0]].
    block = expm(2.0 * np.block([[L, np.eye(42)], [np.zeros((42, 84))]]))[:42, 42:]
    F = Heat(shape, 2.0, cells if kappa == "varying" else kappa, n_steps=200, unknown="source")
    np.testing.assert_allclose(F.todense(), block, atol=2e-4 if kappa == "varying" else 1e-12)


def test_matrix_of_diffusion_is_symmetric_with_zero_sums(rng):
    L = diffusion_matrix(rng.random((5, 6)), 0.3).toarray()
    np.testing.assert_array_equal(L, L.T)
    np.testing.assert_allclose(L.sum(axis=0), 0, atol=1e-12)
    assert np.linalg.eigvalsh(L).max() < 1e-12


def test_one_step_is_the_stability_function(rng):
    L = diffusion_matrix(rng.random(6), 1.0)
    gamma = 1 - 1 / np.sqrt(2)
    inverse = np.linalg.inv(np.eye(6) - gamma * 0.9 * L.toarray())
    expected = inverse @ inverse @ (np.eye(6) + (1 - 2 * gamma) * 0.9 * L.toarray())
    np.testing.assert_allclose(Sdirk2(L, 0.9, 1).propagate(np.eye(6)), expected, atol=1e-13)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"time": 0.0}, "positive"),
        ({"time": 1.0, "spacing": -1}, "positive"),
        ({"time": 1.0, "n_steps": 0}, "n_steps"),
        ({"time": 1.0, "conductivity": np.ones(3)}, "conductivity"),
        ({"time": 1.0, "conductivity": -1.0}, "conductivity"),
        ({"time": 1.0, "unknown": "flux"}, "source"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Heat((4, 5), **arguments)
