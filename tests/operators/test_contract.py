"""What every operator must do, whatever its physics."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import sklearn.base

from invae.classical import Cgls
from invae.errors import InputError
from invae.operators import Blur, Heat, Radon


def test_adjoint_passes_the_dot_test_at_1e_14(operator, rng):
    m, n = operator.shape
    norm = np.linalg.norm(operator.todense(), 2)
    for size in (3, 40):  # below and above the size at which batches take another route
        X, Y = rng.standard_normal((size, n)), rng.standard_normal((size, m))
        forward = np.einsum("ij,ij->i", operator.apply(X), Y)
        backward = np.einsum("ij,ij->i", X, operator.apply_adjoint(Y))
        scale = norm * np.linalg.norm(X, axis=1) * np.linalg.norm(Y, axis=1)
        assert np.max(np.abs(forward - backward) / scale) <= 1e-14


def test_dot_test_holds_relative_to_the_product_itself(operator, rng):
    m, n = operator.shape
    x, y = rng.uniform(0.5, 1, n), rng.uniform(0.5, 1, m)
    assert abs((operator @ x) @ y - x @ (operator.H @ y)) <= 1e-14 * abs((operator @ x) @ y)


def test_every_product_agrees_with_the_dense_matrix(operator, rng):
    m, n = operator.shape
    D = operator.todense()
    X, Y = rng.standard_normal((21, n)), rng.standard_normal((21, m))
    close = {"rtol": 0, "atol": 1e-12 * max(1, np.abs(D).sum(axis=1).max())}
    np.testing.assert_allclose(operator.apply(X), X @ D.T, **close)
    np.testing.assert_allclose(operator.apply_adjoint(Y), Y @ D, **close)
    np.testing.assert_allclose(operator @ X.T, D @ X.T, **close)
    np.testing.assert_allclose(operator.H @ Y.T, D.T @ Y.T, **close)
    np.testing.assert_allclose(operator.matvec(X[0]), D @ X[0], **close)
    np.testing.assert_allclose(operator.rmatvec(Y[0]), D.T @ Y[0], **close)


def test_shaped_batches_and_signals_come_back_shaped(operator, rng):
    X = rng.standard_normal((2, *operator.dims))
    Y = operator.apply(X)
    assert Y.shape == (2, *operator.dimsd)
    flat = len(operator.dimsd) == 1 < len(operator.dims)
    assert operator.apply_adjoint(Y).shape == (X.reshape(2, -1).shape if flat else X.shape)
    assert (operator @ X[0]).shape == operator.dimsd
    np.testing.assert_array_equal(Y.reshape(2, -1), operator.apply(X.reshape(2, -1)))


@pytest.mark.parametrize("size", [2, 40])
def test_float32_is_kept_and_close(operator, rng, size):
    X = rng.standard_normal((size, operator.shape[1]))
    Y = operator.apply(X)
    single = operator.apply(X.astype(np.float32))
    assert single.dtype == np.float32 and Y.dtype == np.float64
    assert operator.apply_adjoint(single).dtype == np.float32
    assert np.abs(single - Y).max() <= 1e-5 * max(1, np.abs(Y).max())


def test_inputs_stay_unmutated(operator, rng):
    X = rng.standard_normal((9, operator.shape[1]))
    kept = X.copy()
    operator.apply_adjoint(operator.apply(X))
    np.testing.assert_array_equal(X, kept)


def test_state_rebuilds_the_same_matrix(operator):
    again = type(operator).from_state(operator.to_state())
    np.testing.assert_array_equal(again.todense(), operator.todense())
    assert repr(again).split("(")[0] == type(operator).__name__


def test_spectrum_diagonalises_the_operator(operator, rng):
    spectrum = getattr(operator, "spectrum", None)
    if spectrum is None:  # test_blur says for which operators that must not be
        return
    X = rng.standard_normal((4, operator.shape[1]))
    by_spectrum = spectrum.synthesise(spectrum.analyse(X) * spectrum.values.ravel())
    np.testing.assert_allclose(by_spectrum, X @ operator.todense().T, atol=1e-11)
    singular = np.linalg.svd(operator.todense(), compute_uv=False)
    np.testing.assert_allclose(np.sort(np.abs(spectrum.values).ravel())[::-1], singular, atol=1e-11)


def test_wrong_shapes_are_one_clear_sentence(operator):
    with pytest.raises(InputError, match="wants"):
        operator.apply(np.zeros((2, operator.shape[1] + 1)))
    with pytest.raises(InputError, match="wants"):
        operator.apply_adjoint(np.zeros(operator.shape[0]))


def test_a_stored_operator_is_the_same(operator, tmp_path):
    from invae.persistence import load, save

    again = load(save(operator, tmp_path / "operator.h5"))
    np.testing.assert_array_equal(again.todense(), operator.todense())


def test_a_used_operator_copies_and_pickles(operator, rng):
    X = rng.standard_normal((3, operator.shape[1]))
    Y = operator.apply(X)
    for again in (copy.copy(operator), copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        np.testing.assert_array_equal(again.apply(X), Y)
    assert sklearn.base.clone(Cgls(operator)).operator.shape == operator.shape


@pytest.mark.parametrize(
    "F", [Blur((32, 32), sigma=1.0), Heat((33, 32), 1.0), Radon((32, 33), 40), Blur(1100, 2.0).H]
)
def test_large_operators_write_themselves_out(F):
    assert min(F.shape) > 1000  # beyond, pylops sends a sparse identity through
    np.testing.assert_allclose(F.todense(), F.matmat(np.eye(F.shape[1])), atol=1e-12)
