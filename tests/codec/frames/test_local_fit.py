"""Local least squares in whole numbers: the weights of exact arithmetic, and no way to break it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from invae.codec.frames.local_fit import DOUBT, FINE, RIDGE, TAP_BITS, fit, fitted, take


def fresh(m, n_blocks=1):
    sums = np.zeros((n_blocks, m + 1, m + 1), np.int64)
    return sums, np.zeros((m + 2, m + 1), np.int64), np.zeros(m, np.int64)


def test_weights_are_those_of_the_ridge_problem(rng):
    m = 6
    sums, work, taps = fresh(m, 3)
    for _ in range(200):
        x = rng.integers(-300, 300, m) << FINE
        y = int(x @ rng.permutation([3, -1, 1, 0, 2, 1])) // 3
        take(sums, int(rng.integers(0, 3)), x.copy(), y, int(rng.integers(-20, 20)))
    joined = sums[1] + (sums[0] >> 1) + (sums[2] >> 1)
    full = np.tril(joined) + np.tril(joined, -1).T
    gram = full[:m, :m] + DOUBT * np.eye(m)
    gram[np.diag_indices(m)] *= 1 + 2.0**-RIDGE
    fit(sums, 1, 3, work, taps)
    assert np.allclose(taps / 2**TAP_BITS, np.linalg.solve(gram, full[m, :m]), atol=2e-3)


def test_a_linear_rule_is_found_and_foretold(rng):
    sums, work, taps = fresh(3)
    for _ in range(60):
        x = rng.integers(-50, 50, 3) << FINE
        fit(sums, 0, 1, work, taps)
        y = int(2 * x[0] - x[1] + x[2] // 2)
        error = abs(fitted(taps, x) - (y << 8 >> FINE)) >> 8
        take(sums, 0, x.copy(), y, error)
    assert error <= 1


def test_nothing_known_foretells_nothing():
    sums, work, taps = fresh(4)
    fit(sums, 0, 1, work, taps)
    assert not taps.any()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(2**26), 2**26), min_size=30, max_size=30), st.integers(-(2**40), 2**40))
def test_any_numbers_give_weights_in_their_range(numbers, error):
    m = 4
    sums, work, taps = fresh(m)
    for k in range(6):
        part = np.array(numbers[5 * k : 5 * k + 5], np.int64)
        take(sums, 0, part[:m].copy(), int(part[m]), error)
        fit(sums, 0, 1, work, taps)
        assert np.abs(taps).max() <= 1 << 24
