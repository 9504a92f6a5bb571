from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invae.errors import InputError
from invae.linalg.moments import Moments, PairMoments

ROWS = np.random.default_rng(1).standard_normal((60, 4)) * [1, 2, 3, 4] + 1e6
IMAGE = ROWS @ np.random.default_rng(2).standard_normal((4, 3))
cuts = st.lists(st.integers(0, 60), max_size=5).map(sorted)


@given(cuts)
def test_merged_moments_are_the_moments_of_the_whole(where):
    parts = np.split(ROWS, where)
    merged = Moments()
    for part in parts:
        merged.merge(Moments().update(part))
    assert merged.n_samples == 60
    assert np.allclose(merged.mean, ROWS.mean(axis=0), rtol=1e-14)
    assert np.allclose(merged.covariance, np.cov(ROWS.T, bias=True), rtol=1e-8, atol=1e-8)


@given(cuts)
def test_merged_pair_moments_are_the_moments_of_the_whole(where):
    pairs = zip(np.split(ROWS, where), np.split(IMAGE, where), strict=True)
    merged = PairMoments.from_batches(pairs)
    whole = PairMoments().update(ROWS, IMAGE)
    for name in ("mean_x", "mean_y", "variance_x", "covariance_xy", "covariance_yy"):
        assert np.allclose(getattr(merged, name), getattr(whole, name), rtol=1e-7, atol=1e-7), name


def test_merging_leaves_the_other_untouched():
    a, b = Moments().update(ROWS[:10]), Moments().update(ROWS[10:])
    before = b.scatter.copy()
    Moments().merge(b).update(ROWS)
    a.merge(b)
    assert np.array_equal(b.scatter, before) and b.n_samples == 50


def test_a_large_offset_costs_no_digits():
    X = np.random.default_rng(0).standard_normal((1000, 2)) + 1e8
    moments = Moments.from_batches(X[i : i + 7] for i in range(0, 1000, 7))
    assert np.allclose(moments.covariance, np.cov((X - 1e8).T, bias=True), rtol=1e-6, atol=1e-7)


def test_second_moment_is_about_zero():
    X = np.arange(12.0).reshape(6, 2)
    assert np.allclose(Moments().update(X).second_moment, X.T @ X / 6)


def test_float32_batches_are_summed_in_float64():
    assert Moments().update(ROWS.astype(np.float32)).scatter.dtype == np.float64


@pytest.mark.parametrize(
    "call",
    [
        lambda: Moments.from_batches([]),
        lambda: PairMoments.from_batches([]),
        lambda: Moments().update(ROWS).update(IMAGE),
        lambda: PairMoments().update(ROWS, IMAGE[:3]),
        lambda: Moments().update(ROWS[0]),
    ],
)
def test_batches_that_do_not_fit_are_refused(call):
    with pytest.raises(InputError):
        call()
