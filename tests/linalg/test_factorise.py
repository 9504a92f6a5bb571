from __future__ import annotations

import numpy as np
import pytest

from invae.linalg import factorise
from invae.linalg.factorise import fix_signs, symmetric_eigen, thin_svd


@pytest.mark.parametrize("direct", [0, 1000])
@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (5, 5)])
def test_thin_svd_rebuilds_a_matrix_of_low_rank(rng, monkeypatch, shape, direct):
    monkeypatch.setattr(factorise, "DIRECT", direct)
    A = rng.standard_normal((shape[0], 3)) @ rng.standard_normal((3, shape[1]))
    U, s, Vt = thin_svd(A)
    assert len(s) == 3 and (np.diff(s) <= 0).all()
    assert np.allclose((U * s) @ Vt, A)
    assert np.allclose(U.T @ U, np.eye(3), atol=1e-7) and np.allclose(Vt @ Vt.T, np.eye(3), atol=1e-7)


def test_eigenpairs_are_sorted_and_stop_at_the_numerical_rank(rng):
    B = rng.standard_normal((8, 4))
    values, U = symmetric_eigen(B @ B.T)
    assert U.shape == (8, 4) and (np.diff(values) <= 0).all()
    assert np.allclose((U * values) @ U.T, B @ B.T)


def test_zero_has_rank_zero():
    values, U = symmetric_eigen(np.zeros((3, 3)))
    assert values.shape == (0,) and U.shape == (3, 0)
    assert thin_svd(np.zeros((3, 2)))[1].shape == (0,)


def test_signs_do_not_depend_on_the_sign_that_came_in(rng):
    U = rng.standard_normal((5, 3))
    assert np.array_equal(fix_signs(U), fix_signs(U * [-1, 1, -1]))
