"""Floats as integers times one power of two."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec import compress, decompress
from invae.codec.bounds import same_bits
from invae.codec.coding.varint import Reader
from invae.codec.fields.exact import FORMS, decode_exact, encode_exact
from invae.codec.fields.exact_forms import ordered
from invae.codec.fields.exact_forms.binary_point import NUMBER, BinaryPoint
from invae.codec.fields.exact_forms.plane import ExactPlane
from invae.errors import FormatError


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_smooth_values_that_change_sign_come_back(dtype):
    plane = np.sin(np.linspace(0.1, 12, 300)).astype(dtype)[None, :]
    task = ExactPlane(plane, None, 0, np.zeros(plane.shape, bool))
    (data,) = BinaryPoint().bids(task, [bytes(10_000)])
    assert same_bits(decode_exact(Reader(data), plane.dtype, 1, 300), plane).all()


def test_a_wave_takes_less_than_in_ordered_bits_and_less_than_a_third_of_its_bytes():
    wave = 2.1 + np.sin(np.linspace(0.1, 25, 400))
    bids = FORMS.bids(ExactPlane(wave[None, :], None, 0, np.zeros((1, 400), bool)))
    lengths = {bid[0]: len(bid) for bid in bids}
    assert lengths[NUMBER] < 0.9 * lengths[ordered.NUMBER]
    assert len(compress(wave)) < wave.nbytes / 3


@pytest.mark.parametrize("trap", [-0.0, np.nan, np.inf, 5e-324, 1.7e308])
def test_values_without_a_common_point_are_left_to_other_forms(trap):
    plane = np.append(np.sin(np.linspace(0.1, 3, 50)), trap)[None, :]
    data = encode_exact(plane)
    assert data[0] != NUMBER
    assert same_bits(decode_exact(Reader(data), plane.dtype, 1, 51), plane).all()


def test_single_precision_noise_is_not_taken_for_decimals_of_eight_digits(rng):
    noise = (100 * (1 + 0.02 * rng.normal(size=4000))).astype(np.float32)
    data = compress(noise)
    assert same_bits(decompress(data), noise).all()
    spread = np.ptp(noise.view(np.int32))
    assert 8 * len(data) / noise.size < np.log2(float(spread)) + 0.3


def test_a_point_beyond_all_doubles_is_an_error():
    with pytest.raises(FormatError, match="binary point"):
        decode_exact(Reader(bytes([NUMBER, 255, 255, 3, 0, 0])), np.dtype(float), 1, 1)
