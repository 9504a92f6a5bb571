"""The ladder of cells covers all distances once; training counts the decisions that the coder takes."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec.coding.cells import MOST_BITS, N_DECISIONS, cell_bits, cell_kind, cell_size, centre_cell


@pytest.mark.parametrize("z", [0, 1, 2, 7])
def test_the_centre_cell_has_two_to_the_z_values_about_zero(z):
    low, high = centre_cell(z)
    assert high - low + 1 == 2**z and low <= 0 <= high and -low <= high


def test_cells_widen_and_end_beyond_all_that_models_code():
    bits = [cell_bits(cell, 0) for cell in range(1, 200)]
    assert bits[:9] == [0, 0, 0, 0, 0, 0, 1, 1, 2]
    assert max(np.diff(bits)) == 1 and bits[-1] > MOST_BITS
    assert sum(2**b for b in bits if b < MOST_BITS) > 2**49


def test_kinds_tell_sides_apart_near_the_centre_only():
    kinds = [[cell_kind(cell, positive) for cell in range(1, 9)] for positive in (1, 0)]
    assert kinds == [[2, 4, 6, 6, 6, 7, 7, 7], [3, 5, 6, 6, 6, 7, 7, 7]]
    assert max(max(row) for row in kinds) == N_DECISIONS - 1


def test_an_error_spans_at_most_sixteen_cells():
    for error in (0, 4095, 4096, 10**6, 2**40):
        z = cell_size(error)
        assert error < 4096 << z and (z == 0 or error >= 4096 << (z - 1))
