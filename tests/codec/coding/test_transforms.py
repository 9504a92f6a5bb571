"""Domains and roundings."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec.coding.transforms import PIECE, exp10, in_pieces, rounded


def test_exp10_is_monotone_and_exact_at_the_ends():
    y = np.linspace(-320, 308, 5000)
    assert np.all(np.diff(exp10(y)) >= 0)
    assert exp10(np.array([0.0])) == 1 and exp10(np.array([-1e4])) == 0


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.uint64])
def test_rounding_stays_in_the_range_of_the_type(dtype):
    info = np.iinfo(dtype)
    values = np.array([-1e30, 1e30, 0.4, 2.6])
    out = rounded(values, np.dtype(dtype))
    assert out.dtype == dtype and out[0] == info.min and out[2:].tolist() == [0, 3]
    assert info.max - int(out[1]) < (1 if info.bits < 64 else 4096)


def test_pieces_give_what_the_whole_gives():
    x = np.arange(2 * PIECE + 3.0)
    assert np.array_equal(in_pieces(np.add, x, 2 * x), 3 * x)
    assert in_pieces(np.sqrt, np.zeros((0, 4))).shape == (0, 4)
