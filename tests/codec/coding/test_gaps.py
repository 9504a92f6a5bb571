"""Gaps take the code before them."""

from __future__ import annotations

import numpy as np

from invae.codec.coding.gaps import fill_gaps


def test_a_gap_repeats_the_last_code_and_a_leading_one_the_first():
    codes, gaps = np.array([[9, 9, 3], [4, 9, 5]]), np.array([[1, 1, 0], [0, 1, 0]], bool)
    assert fill_gaps(codes, gaps).tolist() == [[3, 3, 3], [4, 4, 5]]
    assert codes.tolist() == [[9, 9, 3], [4, 9, 5]]


def test_without_gaps_nothing_changes_and_all_gaps_are_nothing():
    codes = np.array([3, -1, 2])
    assert fill_gaps(codes, np.zeros(3, bool)).tolist() == [3, -1, 2]
    assert fill_gaps(codes, np.ones(3, bool)).tolist() == [0, 0, 0]
