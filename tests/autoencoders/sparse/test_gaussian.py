"""The no-go theorem: with a linear encoder, sparse codes of Gaussian signals are soft-thresholded PCA."""

from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.linear.training import train_sparse_gaussian
from invae.autoencoders.sparse.gaussian import gaussian_sparse_loss, gaussian_sparse_optimum
from invae.errors import InputError


@pytest.fixture
def factor(rng):
    return rng.standard_normal((12, 12)) @ np.diag(np.linspace(3.0, 0.2, 12))


def test_the_optimum_attains_its_value(factor):
    gamma = factor @ factor.T
    for weight in (0.0, 0.5, 2.5, 20.0):
        best = gaussian_sparse_optimum(gamma, weight)
        assert gaussian_sparse_loss(best.encoder, best.decoder, gamma, weight) == pytest.approx(
            best.value, rel=1e-10
        )


def test_the_loss_is_the_expected_loss_of_samples(rng, factor):
    E, D = rng.standard_normal((20, 12)) / 5, rng.standard_normal((12, 20))
    D /= np.linalg.norm(D, axis=0)
    x = rng.standard_normal((400_000, 12)) @ factor.T
    z = x @ E.T
    sampled = np.mean(np.sum((x - z @ D.T) ** 2, axis=1)) + 2.5 * np.mean(np.sum(np.abs(z), axis=1))
    assert gaussian_sparse_loss(E, D, factor @ factor.T, 2.5) == pytest.approx(sampled, rel=5e-3)


def test_no_dictionary_of_any_size_is_below_the_closed_form(rng, factor):
    gamma, weight = factor @ factor.T, 2.5
    best = gaussian_sparse_optimum(gamma, weight)
    for n_atoms in (12, 24, 48):
        for _ in range(10):
            E, D = rng.standard_normal((n_atoms, 12)) / 10, rng.standard_normal((12, n_atoms))
            assert gaussian_sparse_loss(E, D, gamma, weight) > best.value
        D = np.hstack([best.decoder, rng.standard_normal((12, n_atoms - 12))])
        for step in (1e-3, 1e-2, 1e-1):
            E = np.vstack([best.encoder, np.zeros((n_atoms - 12, 12))])
            E = E + step * rng.standard_normal(E.shape)
            assert (
                gaussian_sparse_loss(E, D + step * rng.standard_normal(D.shape), gamma, weight) > best.value
            )


@pytest.mark.parametrize("n_atoms", [12, 24, 48])
def test_trained_linear_sparse_autoencoders_reach_the_closed_form_and_not_less(factor, n_atoms):
    gamma = factor @ factor.T
    best = gaussian_sparse_optimum(gamma, 2.5)
    E, D = train_sparse_gaussian(factor, n_atoms, 2.5, rng=0)
    np.testing.assert_allclose(np.linalg.norm(D, axis=0), 1.0, rtol=1e-12)
    excess = gaussian_sparse_loss(E, D, gamma, 2.5) / best.value - 1
    assert -1e-12 < excess < 5e-5
    A = (best.decoder * best.gains) @ best.decoder.T
    np.testing.assert_allclose(D @ E, A, atol=1e-3)


def test_a_weight_above_every_deviation_switches_the_code_off():
    best = gaussian_sparse_optimum(np.diag([1.0, 4.0]), 2 * np.sqrt(2 * np.pi))
    assert best.threshold == pytest.approx(2.0) and best.value == pytest.approx(5.0)
    np.testing.assert_array_equal(best.gains, [0, 0])


def test_without_unit_atoms_the_penalty_can_be_driven_to_zero(factor):
    """Why eq. (4) needs the constraint: scaling (D / c, c E) leaves D E and shrinks E ||E x||_1."""
    best = gaussian_sparse_optimum(factor @ factor.T, 2.5)
    small = 1e-6 * best.encoder
    np.testing.assert_allclose((best.decoder / 1e-6) @ small, best.decoder @ best.encoder)
    rescaled = gaussian_sparse_loss(small, best.decoder / 1e-6, factor @ factor.T, 2.5)
    assert rescaled == pytest.approx(best.value, rel=1e-8)
    assert (
        np.linalg.norm(small @ factor, axis=1).sum()
        < 1e-5 * np.linalg.norm(best.encoder @ factor, axis=1).sum()
    )


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="weight"):
        gaussian_sparse_optimum(np.eye(2), -1.0)
    with pytest.raises(InputError, match="atom"):
        gaussian_sparse_loss(np.ones((2, 2)), np.zeros((2, 2)), np.eye(2), 1.0)
