from __future__ import annotations

import numpy as np
import pylops
import pytest

from invae.classical import Tikhonov, TruncatedSvd
from invae.classical.spectral import SingularBasis, TransformBasis, singular_basis
from invae.errors import InputError
from invae.operators.blur import Blur
from invae.operators.heat import Heat

rng = np.random.default_rng(0)
LOPSIDED = rng.uniform(size=(3, 4))
OPERATORS = {
    "dct": Blur((9, 7), sigma=1.2),
    "fft, even sides": Blur((8, 6), sigma=1.2, boundary="periodic"),
    "fft, odd sides, phases": Blur((7, 9), kernel=LOPSIDED, boundary="periodic"),
    "fft, mixed sides, phases": Blur((8, 7), kernel=LOPSIDED, boundary="periodic"),
    "line": Blur((11,), kernel=[0.2, 0.5, -0.1], boundary="periodic"),
    "heat": Heat((8, 6), time=0.7),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_a_fast_transform_gives_the_singular_value_decomposition(name):
    F = OPERATORS[name]
    basis = singular_basis(F)
    assert isinstance(basis, TransformBasis)
    n = F.shape[1]
    V, U = basis.signals(np.eye(n)), basis.measurements(np.eye(n))
    q = len(basis.s)
    np.testing.assert_allclose(V.T @ V, np.eye(q), atol=1e-12)
    np.testing.assert_allclose(U.T @ U, np.eye(q), atol=1e-12)
    dense = np.asarray(F.todense())
    np.testing.assert_allclose((U * basis.s) @ V.T, dense, atol=1e-12)
    np.testing.assert_allclose(basis.s, np.linalg.svd(dense, compute_uv=False)[:q], atol=1e-12)
    np.testing.assert_allclose(basis.synthesise(np.eye(q)), V.T, atol=1e-12)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_fast_road_and_the_dense_one_agree(name):
    F = OPERATORS[name]
    X = np.random.default_rng(1).standard_normal((3, F.shape[1]))
    Y = F.apply(X) + 0.05 * np.random.default_rng(2).standard_normal((3, F.shape[0]))
    G = pylops.MatrixMult(np.asarray(F.todense()))
    fast, dense = Tikhonov(F, parameter=0.05).fit(), Tikhonov(G, parameter=0.05).fit()
    np.testing.assert_allclose(fast.predict(Y), dense.predict(Y), atol=1e-9)
    path = np.repeat(np.geomspace(1, 1e-4, 6)[:, None], 3, axis=1)
    wanted = dense._table(Y, path, X, dof=True)
    for key, table in fast._table(Y, path, X, dof=True).items():
        np.testing.assert_allclose(table, wanted[key], atol=1e-9, err_msg=key)
    # A rank between two different singular values, so that no tie is cut.
    s = fast.basis_.s
    rank = 1 + int(np.argmax(-np.diff(s[: len(s) // 2 + 1])))
    got, wanted = (TruncatedSvd(A, parameter=rank).fit().predict(Y) for A in (F, G))
    np.testing.assert_allclose(got, wanted, atol=1e-8)


def test_without_a_spectrum_the_operator_is_factorised():
    F = Blur((6, 6), sigma=1.0, boundary="zero")
    basis = singular_basis(F)
    assert isinstance(basis, SingularBasis)
    np.testing.assert_allclose(basis.s[0], np.linalg.norm(np.asarray(F.todense()), 2))


def test_too_large_to_factorise_is_said():
    with pytest.raises(InputError, match="use an iterative method such as Cgls"):
        singular_basis(pylops.Identity(100_000))
