"""The range coder and the adaptive integer coder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from invae.codec.coding import predictors
from invae.codec.coding.coder import (
    STATE,
    decode_bit,
    decode_raw,
    encode_bit,
    encode_raw,
    finish,
    start_decoder,
    start_encoder,
)
from invae.codec.coding.entropy import decode_plane, encode_plane
from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.integers import decode_integers, encode_integers
from invae.errors import FormatError

PLANES = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 65535)), max_size=300))
def test_bits_of_any_probability_come_back(pairs):
    state, out = np.zeros(STATE, np.int64), np.zeros(1000, np.uint8)
    start_encoder(state)
    for bit, p in pairs:
        encode_bit(state, out, bit, p)
        encode_raw(state, out, p, 17)
    data = out[: finish(state, out)]
    start_decoder(state, data)
    for bit, p in pairs:
        assert decode_bit(state, data, p) == bit
        assert decode_raw(state, data, 17) == p


def test_improbable_bits_cost_their_information():
    state, out = np.zeros(STATE, np.int64), np.zeros(1000, np.uint8)
    start_encoder(state)
    for _ in range(200):
        encode_bit(state, out, 0, 65536 - 256)  # 8 bits each
    assert abs(finish(state, out) - 200) <= 2


@settings(deadline=None, max_examples=150)
@given(PLANES)
def test_any_plane_comes_back(plane):
    assert np.array_equal(decode_plane(encode_plane(plane), *plane.shape), plane)
    data = encode_integers(plane)
    assert np.array_equal(decode_integers(Reader(data), *plane.shape), plane)


@pytest.mark.parametrize("name", predictors.PREDICTORS)
@settings(deadline=None, max_examples=30)
@given(plane=PLANES)
def test_predictors_are_inverted_exactly_even_where_sums_wrap(name, plane):
    assert np.array_equal(predictors.restore(predictors.residuals(plane, name), name), plane)


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


def test_squash_and_stretch_are_monotone_and_inverse():
    assert np.all(np.diff(SQUASH) >= 0) and np.all(np.diff(STRETCH) >= 0)
    assert SQUASH[S_MAX] == 32768 and SQUASH.min() == 1 and SQUASH.max() == 65535
    s = np.arange(-S_MAX, S_MAX + 1)
    assert np.abs(SQUASH - 65536 / (1 + np.exp(-s / 256))).max() <= 1.0
    middle = np.abs(s) < 1500
    assert np.abs(STRETCH[SQUASH[middle] >> 4] - s[middle]).max() <= 20


@given(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), st.floats(1e-300, 1e300))
def test_header_numbers_come_back(number, signed, real):
    reader = Reader(bytes(Writer().number(number).signed(signed).real(real).short(real).data))
    assert (reader.number(), reader.signed(), reader.real(), reader.short()) == (number, signed, real, real)


@pytest.mark.parametrize("value, n_bytes", [(1e-3, 2), (0.25, 2), (1.5e-4, 2), (1 / 3, 9)])
def test_round_bounds_are_short(value, n_bytes):
    assert len(Writer().short(value).data) == n_bytes


def test_a_reader_names_the_byte_where_data_end():
    with pytest.raises(FormatError, match=r"byte 102: 5 bytes wanted, 1 left"):
        reader = Reader(b"abc", origin=100)
        reader.raw(2)
        reader.raw(5)
