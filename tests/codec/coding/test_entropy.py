"""The adaptive integer coder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from invae.codec.coding.entropy import decode_plane, encode_plane
from invae.codec.coding.varint import Reader
from invae.codec.fields.integers import decode_integers, encode_integers

PLANES = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9))


@settings(deadline=None, max_examples=150)
@given(PLANES)
def test_any_plane_comes_back(plane):
    assert np.array_equal(decode_plane(encode_plane(plane), *plane.shape), plane)
    data = encode_integers(plane)
    assert np.array_equal(decode_integers(Reader(data), *plane.shape), plane)


@pytest.mark.parametrize("scale", [0.2, 1.0, 30.0, 3000.0])
def test_adaptive_code_comes_within_a_few_percent_of_the_entropy(rng, scale):
    plane = np.rint(rng.laplace(0, scale, (100, 256))).astype(np.int64)
    _, n = np.unique(plane, return_counts=True)
    entropy = -(n / n.sum() * np.log2(n / n.sum())).sum() * plane.size / 8
    assert len(encode_plane(plane)) < 1.06 * entropy + 400


def test_smooth_planes_cost_less_than_their_values():
    x = np.linspace(0, 1, 400)
    plane = np.rint(1e6 * np.exp(-x[None] * np.linspace(1, 2, 10)[:, None])).astype(np.int64)
    assert len(encode_integers(plane)) * 8 < 3.5 * plane.size


def test_coding_leaves_the_plane_as_it_was_and_takes_one_that_cannot_be_written():
    plane = np.arange(-6, 6).reshape(3, 4)
    before = plane.copy()
    plane.flags.writeable = False
    assert np.array_equal(decode_plane(encode_plane(plane), 3, 4), before)
