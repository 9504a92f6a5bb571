from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invae.errors import InputError
from invae.linalg.filters import elastic, inverse_factors, numerical_rank, soft, tikhonov, truncated

values = st.lists(st.floats(0, 1e6), min_size=1, max_size=8)
weight = st.floats(0, 1e6)


@given(values, weight, weight)
def test_gains_lie_between_zero_and_one(s, product, decay):
    gain = elastic(s, product, decay)
    assert ((gain >= 0) & (gain <= 1)).all()


@given(values, weight)
def test_tikhonov_and_soft_are_elastic(s, w):
    assert np.array_equal(tikhonov(s, w), elastic(s, product=w))
    assert np.array_equal(soft(s, w), elastic(s, decay=w))


def test_elastic_gain_minimises_the_scalar_loss():
    s, p, d = 1.7, 0.4, 0.9
    a = np.linspace(0, 1, 100001)
    loss = (1 - a) ** 2 * s**2 + p * a**2 + 2 * d * a
    assert abs(a[np.argmin(loss)] - elastic([s], p, d)[0]) < 1e-5


def test_tikhonov_filter_solves_the_penalised_least_squares_problem(rng):
    A, y, alpha = rng.standard_normal((7, 5)), rng.standard_normal(7), 0.3
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    x = Vt.T @ (inverse_factors(s, tikhonov(s, alpha)) * (U.T @ y))
    assert np.allclose(x, np.linalg.solve(A.T @ A + alpha * np.eye(5), A.T @ y), rtol=1e-12)


def test_truncation_is_the_pseudo_inverse_at_full_rank(rng):
    A = rng.standard_normal((6, 3)) @ rng.standard_normal((3, 5))
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    gain = truncated(s, numerical_rank(s, 6))
    assert numerical_rank(s, 6) == 3
    assert np.allclose(Vt.T * inverse_factors(s, gain) @ U.T, np.linalg.pinv(A), atol=1e-12)


def test_a_column_of_weights_gives_one_row_of_gains_each():
    assert tikhonov([2.0, 1.0], [[0.0], [1.0], [2.0]]).shape == (3, 2)


@pytest.mark.parametrize(
    "call", [lambda: elastic([1.0], product=-1), lambda: soft([-1.0], 0), lambda: truncated([1.0], -1)]
)
def test_negative_input_is_refused(call):
    with pytest.raises(InputError):
        call()
