from __future__ import annotations

import numpy as np
import pytest

import invae
from invae.errors import InputError
from invae.linalg.kernels import MaternKernel, matern
from invae.linalg.priors import GaussianPrior

SMOOTHNESS = [0.5, 1.0, 1.5, 2.5, np.inf]


@pytest.mark.parametrize("smoothness", SMOOTHNESS)
@pytest.mark.parametrize("shape", [(13,), (5, 8)])
def test_kernel_applied_by_fft_is_the_dense_kernel(rng, shape, smoothness):
    kernel = MaternKernel(shape, 2.5, smoothness)
    rows = rng.standard_normal((4, kernel.size))
    assert np.allclose(kernel.apply(rows), rows @ kernel.dense(), atol=1e-12)


def test_general_formula_agrees_with_the_special_cases():
    d = np.linspace(0, 10, 50)
    for nu in (0.5, 1.5, 2.5):
        assert np.allclose(matern(d, 2.0, nu + 1e-9), matern(d, 2.0, nu), atol=1e-7)
    assert np.allclose(matern(d, 2.0, 100.0), matern(d, 2.0, np.inf), atol=3e-3)


@pytest.mark.parametrize("smoothness", [0.5, 1.5])
def test_samples_have_the_covariance_of_the_kernel(smoothness):
    kernel = MaternKernel((4, 5), 2.0, smoothness)
    X = kernel.sample(20000, np.random.default_rng(0))
    assert np.abs(X.T @ X / 20000 - kernel.dense()).max() < 0.04


def test_float32_rows_stay_float32():
    assert MaternKernel((6,), 2.0).apply(np.ones((2, 6), np.float32)).dtype == np.float32


def test_factor_and_variance_belong_to_the_covariance(rng):
    C = np.cov(rng.standard_normal((30, 6)).T)
    prior = GaussianPrior(np.arange(6.0), C)
    assert np.allclose(prior.factor() @ prior.factor().T, C)
    assert np.allclose(prior.variance, np.diag(C))
    X = prior.sample(50000, rng=0)
    assert np.abs(np.cov(X.T) - C).max() < 0.05 and np.abs(X.mean(axis=0) - np.arange(6)).max() < 0.05


def test_singular_covariance_has_a_thin_factor(rng):
    B = rng.standard_normal((6, 2))
    assert GaussianPrior(np.zeros(6), B @ B.T).factor().shape == (6, 2)


def test_prior_from_samples_has_their_moments(rng):
    X = rng.standard_normal((20, 3, 4))
    prior = GaussianPrior.from_samples(X)
    rows = X.reshape(20, 12)
    assert prior.shape_ == (3, 4)
    assert np.allclose(prior.factor() @ prior.factor().T, np.cov(rows.T, bias=True))
    assert np.allclose(prior.apply(rows), rows @ np.cov(rows.T, bias=True))


def test_matern_prior_is_the_same_by_fft_and_by_factor(rng):
    prior = GaussianPrior.matern((4, 6), 2.0, smoothness=1.5, std=0.3, mean=2.0)
    rows = rng.standard_normal((3, 24))
    assert np.allclose(prior.apply(rows), rows @ prior.factor() @ prior.factor().T, atol=1e-12)
    assert np.allclose(prior.variance, 0.09) and np.allclose(prior.mean, 2.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussianPrior.matern((3, 4), 2.0, std=0.3, mean=1.0),
        lambda: GaussianPrior(np.zeros((3, 4)), np.eye(12)),
    ],
)
def test_priors_are_stored_whole(tmp_path, make):
    prior = make()
    again = invae.load(invae.save(prior, tmp_path / "prior.h5"))
    assert again.shape_ == prior.shape_ and repr(again) == repr(prior)
    assert np.array_equal(again.sample(3, rng=0), prior.sample(3, rng=0))


def test_what_kernel_shrinkage_chose_is_stored(rng, tmp_path):
    prior = GaussianPrior.from_samples(rng.standard_normal((20, 4, 4)), shrinkage="kernel")
    again = invae.load(invae.save(prior, tmp_path / "prior.h5"))
    assert again.choice == prior.choice and len(again.choice.tried) > 5


@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussianPrior(np.zeros(3)),
        lambda: GaussianPrior(np.zeros(3), np.eye(4)),
        lambda: GaussianPrior(np.zeros(2), np.array([[1.0, 2.0], [0.0, 1.0]])),
        lambda: GaussianPrior(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]])),
        lambda: GaussianPrior(np.zeros(2), factor=np.eye(3)),
        lambda: GaussianPrior(np.zeros(4), np.eye(4), shape=(3,)),
        lambda: GaussianPrior.matern((4,), -1.0),
        lambda: GaussianPrior.matern((4,), 1.0, std=0.0),
        lambda: GaussianPrior.matern((4,), 1.0, std=np.inf),
        lambda: GaussianPrior.matern((4,), 1.0, mean=np.nan),
        lambda: GaussianPrior(np.full(3, np.nan), np.eye(3)),
        lambda: MaternKernel((4,), 1.0, smoothness=0),
    ],
)
def test_what_is_no_prior_is_refused(make):
    with pytest.raises(InputError):
        make()
