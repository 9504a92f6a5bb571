from __future__ import annotations

import numpy as np
import pytest

from invae.linalg.kernels import CosineModes, MaternKernel, matern


@pytest.mark.parametrize(("shape", "nu"), [((9,), 0.5), ((5, 6), 1.5), ((4, 4), np.inf), ((7,), 0.8)])
def test_application_by_fourier_transform_is_the_dense_matrix(rng, shape, nu):
    kernel = MaternKernel(shape, 2.0, nu)
    rows, K = rng.standard_normal((3, kernel.size)), kernel.dense()
    np.testing.assert_allclose(kernel.apply(rows), rows @ K, atol=1e-10)
    np.testing.assert_allclose(np.diag(K), 1.0)
    assert np.linalg.eigvalsh(K).min() > -1e-10


def test_fields_have_the_covariance_of_the_kernel(rng):
    kernel = MaternKernel((4, 3), 1.5)
    np.testing.assert_allclose(np.cov(kernel.sample(2_000, rng).T), kernel.dense(), atol=0.15)


def test_special_smoothnesses_agree_with_the_general_formula():
    d = np.linspace(0, 5, 20)
    for nu in (0.5, 1.5, 2.5):
        np.testing.assert_allclose(matern(d, 1.3, nu), matern(d, 1.3, nu + 1e-9), atol=1e-7)
    np.testing.assert_allclose(matern(d, 1.3, 100.0), matern(d, 1.3, np.inf), atol=0.005)


@pytest.mark.parametrize("shape", [(8,), (4, 5)])
def test_all_cosine_modes_together_are_the_reflected_kernel(shape, rng):
    n = int(np.prod(shape))
    modes = CosineModes(shape, n)
    np.testing.assert_allclose(modes.modes @ modes.modes.T, np.eye(n), atol=1e-12)
    power = modes.eigenvalues(1.5, 0.5)
    K = modes.modes.T * power @ modes.modes
    np.testing.assert_allclose(np.diag(K), modes.variance(1.5, 0.5), atol=1e-12)
    few = CosineModes(shape, 3)
    white = rng.standard_normal((2, n))
    np.testing.assert_allclose(few.cut_off(white, 1.5, 0.5) @ few.modes.T, 0.0, atol=1e-12)
    assert (np.diff(power[np.argsort(-power)]) <= 0).all() and power[0] == power.max()
