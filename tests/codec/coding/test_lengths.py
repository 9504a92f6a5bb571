"""First values of rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from invae.codec.coding.coder import finish, start_coder
from invae.codec.coding.lengths import code_first


def odds():
    return np.tile([32768, 0], (64, 1))


def coded(values):
    out, F, above = np.zeros(32 * len(values) + 64, np.uint8), odds(), 0
    coder = start_coder(out, False)
    for value in values:
        above = code_first(coder, value, above, F)
    return out[: finish(coder.state, out)].copy()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(2**48), 2**48) | st.integers(-3, 3), max_size=40))
def test_any_values_come_back(values):
    coder, F, above = start_coder(coded(values), True), odds(), 0
    for value in values:
        above = code_first(coder, 0, above, F)
        assert above == value


def test_values_like_those_above_take_few_bits():
    assert len(coded([5000] * 400)) < 20
    assert len(coded([5000 + k % 2 for k in range(400)])) < 110
