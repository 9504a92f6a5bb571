"""The shifted kernels as a linear map, and the codes found for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve

from invae.autoencoders.sparse.coding import orthogonal_matching_pursuit
from invae.autoencoders.sparse.dictionary import AtomDictionary
from invae.autoencoders.sparse.kernel_coding import convolutional_pursuit
from invae.autoencoders.sparse.kernel_dictionary import KernelDictionary
from invae.autoencoders.sparse.kernel_learning import shift_coherence
from invae.autoencoders.sparse.lasso import fista, lasso_loss
from invae.errors import InputError

CASES = [
    ((5,), (20,), "open"),
    ((5,), (20,), "periodic"),
    ((1,), (7,), "open"),
    ((7,), (7,), "open"),
    ((7,), (7,), "periodic"),
    ((3, 4), (9, 11), "open"),
    ((3, 4), (9, 11), "periodic"),
    ((2, 2, 3), (4, 5, 6), "open"),
]


def dictionary(rng, size, shape, boundary, K=3):
    kernels = rng.standard_normal((K, *size))
    flat = kernels.reshape(K, -1)
    return KernelDictionary(
        (flat / np.linalg.norm(flat, axis=1)[:, None]).reshape(kernels.shape), shape, boundary
    )


def matrix(D):
    """All atoms as columns (n, l)."""
    return np.array([D.atom(p[0], p[1:]).ravel() for p in np.ndindex(len(D.kernels), *D.grid)]).T


@pytest.mark.parametrize(("size", "shape", "boundary"), CASES)
def test_adjoint_is_exact_and_the_columns_are_the_atoms(rng, size, shape, boundary):
    D = dictionary(rng, size, shape, boundary)
    Z, X = rng.standard_normal((2, 3, *D.grid)), rng.standard_normal((2, *shape))
    assert np.vdot(D.decode(Z), X) == pytest.approx(np.vdot(Z, D.correlate(X)), rel=1e-12)
    M = matrix(D)
    np.testing.assert_allclose(D.decode(Z).reshape(2, -1), Z.reshape(2, -1) @ M.T, atol=1e-12)
    np.testing.assert_allclose(D.norms.ravel(), np.linalg.norm(M, axis=0), atol=1e-12)
    assert D.n_codes == M.shape[1]


@pytest.mark.parametrize(("size", "shape", "boundary"), CASES)
def test_fourier_transform_of_the_kernels_gives_the_norm_of_the_map(rng, size, shape, boundary):
    D = dictionary(rng, size, shape, boundary)
    largest = np.linalg.norm(matrix(D), 2) ** 2
    if boundary == "periodic":
        assert D.squared_norm == pytest.approx(largest)
    else:
        assert 0.5 * D.squared_norm < largest <= D.squared_norm * (1 + 1e-12)


def test_open_decoder_is_the_valid_part_of_a_convolution(rng):
    D = dictionary(rng, (4, 3), (9, 8), "open")
    Z = rng.standard_normal((1, 3, *D.grid))
    expected = sum(convolve(Z[0, k], D.kernels[k], "valid") for k in range(3))
    np.testing.assert_allclose(D.decode(Z)[0], expected, atol=1e-12)


def test_decoder_moves_with_the_codes(rng):
    periodic = dictionary(rng, (5, 4), (12, 10), "periodic")
    Z = rng.standard_normal((2, 3, 12, 10))
    moved = periodic.decode(np.roll(Z, (3, -2), (2, 3)))
    np.testing.assert_allclose(moved, np.roll(periodic.decode(Z), (3, -2), (1, 2)), atol=1e-12)
    x = rng.standard_normal((1, 12, 10))
    np.testing.assert_allclose(
        periodic.correlate(np.roll(x, 4, 1)), np.roll(periodic.correlate(x), 4, 2), atol=1e-12
    )
    inside = dictionary(rng, (5,), (30,), "open")
    Z = np.zeros((1, 3, 34))
    Z[..., 8:20] = rng.standard_normal((3, 12))
    np.testing.assert_allclose(inside.decode(np.roll(Z, 6, 2)), np.roll(inside.decode(Z), 6, 1), atol=1e-12)


@pytest.mark.parametrize(("size", "shape", "boundary"), CASES[:6])
def test_fista_reaches_the_lasso_optimum(rng, size, shape, boundary):
    D = dictionary(rng, size, shape, boundary)
    X, w = rng.standard_normal((3, *shape)), 0.5
    Z = fista(X, D, w, n_steps=5000, tol=1e-11)
    gradient = 2 * D.correlate(X - D.decode(Z))
    assert np.abs(gradient).max() <= w * (1 + 1e-4)
    on = Z != 0
    assert on.any() and not on.all()
    np.testing.assert_allclose(gradient[on], w * np.sign(Z[on]), atol=1e-4 * w)
    explicit = fista(X.reshape(3, -1), AtomDictionary(matrix(D)), w, n_steps=5000, tol=1e-11)
    loss = lasso_loss(X, D, Z, w)
    np.testing.assert_allclose(loss, lasso_loss(X, D, explicit.reshape(Z.shape), w), rtol=1e-7)


def test_each_sample_is_coded_as_if_alone(rng):
    D = dictionary(rng, (5,), (24,), "open")
    X = rng.standard_normal((6, 24))
    together = fista(X, D, 0.3)
    alone = np.concatenate([fista(x[None], D, 0.3) for x in X])
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_pursuit_agrees_with_the_explicit_dictionary(rng):
    D = dictionary(rng, (4, 3), (8, 7), "periodic")
    X = rng.standard_normal((5, 8, 7))
    Z = convolutional_pursuit(X, D, 6)
    explicit = orthogonal_matching_pursuit(X.reshape(5, -1), matrix(D), 6)
    np.testing.assert_allclose(Z.reshape(5, -1), explicit, atol=1e-9)


def test_pursuit_meets_its_tolerance_and_leaves_an_orthogonal_error(rng):
    D = dictionary(rng, (6,), (40,), "open")
    X = rng.standard_normal((4, 40))
    Z = convolutional_pursuit(X, D, 40, np.array([0.5, 1.0, 2.0, 3.0]))
    residual = X - D.decode(Z)
    assert (np.linalg.norm(residual, axis=1) <= [0.5, 1.0, 2.0, 3.0]).all()
    assert np.abs(D.correlate(residual)[Z != 0]).max() < 1e-9
    assert (np.diff((Z != 0).sum(axis=(1, 2))) < 0).all()
    exact = convolutional_pursuit(X, D, 40)
    np.testing.assert_allclose(D.decode(exact), X, atol=1e-6)
    assert not convolutional_pursuit(np.zeros((1, 40)), D, 5).any()


def test_shift_coherence_is_the_largest_product_of_two_atoms(rng):
    D = dictionary(rng, (3, 4), (9, 11), "open")
    whole = np.where(D.norms.ravel() > 1 - 1e-12)[0]
    G = np.abs(matrix(D)[:, whole].T @ matrix(D)[:, whole])
    np.fill_diagonal(G, 0)
    assert shift_coherence(D.kernels) == pytest.approx(G.max())
    assert shift_coherence(np.array([[1.0]])) == 0


def test_kernels_that_do_not_fit_are_refused(rng):
    with pytest.raises(InputError, match="kernels"):
        KernelDictionary(np.ones((1, 9)), (8,))
    with pytest.raises(InputError, match="kernels"):
        KernelDictionary(np.ones((1, 3)), (8, 8))
    with pytest.raises(InputError, match="boundary"):
        KernelDictionary(np.ones((1, 3)), (8,), "zero")
