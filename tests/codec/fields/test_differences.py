"""High differences of integer planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from invae.codec import compress
from invae.codec.coding.varint import Reader
from invae.codec.fields.integer_forms.differences import NUMBER, differences, sums
from invae.codec.fields.integers import decode_integers
from invae.errors import FormatError

PLANES = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@given(PLANES, st.integers(1, 8))
def test_sums_undo_differences_even_where_they_wrap(plane, order):
    assert np.array_equal(sums(differences(plane, order), order), plane)


def test_a_polynomial_leaves_nothing_beyond_its_order():
    x = np.arange(50)
    plane = np.stack([3 * x**4 - 7 * x**3 + x, x**4])
    assert not differences(plane, 5)[:, 5:].any()


def test_smooth_doubles_cost_little_more_than_their_rounding():
    x = np.linspace(0, 1, 400)
    for values in (np.sqrt(0.001 + 0.3 * x), np.sin(0.3 + 0.9 * x)):
        assert len(compress(values)) < 0.3 * values.nbytes


@pytest.mark.parametrize("order", [0, 3, 9, 200])
def test_orders_that_have_other_forms_or_none_are_refused(order):
    with pytest.raises(FormatError, match=f"order {order} are not possible"):
        decode_integers(Reader(bytes([NUMBER, order, 0, 0])), 2, 20)
