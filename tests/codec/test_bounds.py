"""Bounds as objects."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from invae.codec import Bound
from invae.codec.bounds import same_bits
from invae.errors import BoundError


@pytest.mark.parametrize("text", ["abs:0.001", "rel:0.01", "log:0.1", "0.25sigma", "lossless"])
def test_text_round_trips(text):
    assert Bound.parse(text).text == text
    assert Bound.parse(Bound.parse(text)) == Bound.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abs",
        "abs:",
        "abs:x",
        "abs:0",
        "abs:-1",
        "abs:nan",
        "abs:inf",
        "rel:1",
        "sigma",
        "0sigma",
        "foo:1",
        3,
    ],
)
def test_nonsense_is_one_clear_error(text):
    with pytest.raises(BoundError):
        Bound.parse(text)


def test_ratio_is_the_error_in_units_of_the_bound():
    x = np.array([1.0, 10.0, -4.0])
    assert np.allclose(Bound.parse("abs:0.1").ratio(x, x + 0.05), 0.5)
    assert np.allclose(Bound.parse("rel:0.1").ratio(x, 1.05 * x), 0.5)
    assert np.allclose(Bound.parse("0.5sigma").ratio(x, x + 0.1, sigma=[0.2, 0.4, 1.0]), [1.0, 0.5, 0.2])
    assert np.allclose(Bound.parse("0.5sigma").ratio([0, 16], [0, 17]), [0, 0.5])


def test_values_that_must_be_exact_have_infinite_ratio():
    nan, inf = np.nan, np.inf
    for text in ("abs:1", "rel:0.5", "log:1", "1sigma"):
        ratio = Bound.parse(text).ratio([nan, inf, 1.0], [0.0, 1e300, nan], sigma=[1.0, 1.0, 1.0])
        assert np.isinf(ratio).all()
    assert np.isinf(Bound.parse("log:1").ratio([-1.0, 0.0], [-1.1, 1e-9])).all()
    assert np.isinf(Bound.parse("abs:1").ratio([1.0], [1.5], mask=[1]))
    assert np.isinf(Bound.parse("1sigma").ratio([1.0], [1.5], sigma=[0.0]))


def test_sigma_without_deviations_is_refused_for_floats():
    with pytest.raises(BoundError, match="give sigma"):
        Bound.parse("1sigma").ratio([1.0], [1.1])


def test_same_bits_tells_nan_payloads_and_signs_of_zero_apart():
    nans = np.array([0x7FF8000000000000, 0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    assert same_bits(nans, nans).all() and not same_bits(nans, nans[::-1]).any()
    assert not same_bits(np.array([0.0]), np.array([-0.0])).any()


@pytest.mark.parametrize("text", ["abs:1e-3", "rel:1e-3", "log:1e-3", "0.5sigma"])
def test_the_check_of_many_values_needs_little_memory_beside_its_result(rng, text):
    x = 1 + rng.random((600, 1024))
    y, sigma, mask = x + rng.normal(0, 2e-3, x.shape), np.full(x.shape, 3e-3), rng.random(x.shape) < 0.1
    bound = Bound.parse(text)
    rows = np.array([bound.ratio(*pair) for pair in zip(x, y, sigma, mask)])
    assert np.array_equal(bound.ratio(x, y, sigma, mask), rows) and np.isinf(rows[mask]).all()
    tracemalloc.start()
    bound.ratio(x, y, sigma, mask)
    assert tracemalloc.get_traced_memory()[1] < 40 * x.size
    tracemalloc.stop()
