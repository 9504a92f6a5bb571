"""Planes of few different values."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard

from invae.codec import compress, decompress
from invae.codec.bounds import same_bits
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact import decode_exact, encode_exact
from invae.codec.fields.exact_forms.dictionary import NUMBER
from invae.codec.fields.integers import encode_integers
from invae.errors import FormatError


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4"])
def test_scaled_counts_and_their_deviations_take_hardly_more_than_the_counts(rng, dtype):
    counts = rng.poisson(7, (90, 80))
    behind = len(compress(counts))
    for values in (counts * 0.0283, np.sqrt(counts) * 0.0283):
        values = values.astype(dtype)
        data = compress(values)
        assert same_bits(decompress(data), values).all()
        assert len(data) < behind + 250
        assert len(data) < len(zstandard.ZstdCompressor(level=19).compress(values.tobytes()))


def test_zeros_of_both_signs_and_payloads_of_nan_are_different_values(rng):
    bits = np.array([0, 1 << 63, 0x7FF8000000000001, 0x7FF8000000000002, 0xFFF0000000000000], np.uint64)
    plane = bits.view(np.float64)[rng.integers(0, 5, (20, 20))]
    data = encode_exact(plane)
    assert data[0] == NUMBER
    assert same_bits(decode_exact(Reader(data), plane.dtype, 20, 20), plane).all()


def test_whole_numbers_far_apart_are_numbered_too(rng):
    plane = np.array([-(1 << 60), 3, 1 << 40, (1 << 62) + 1])[rng.integers(0, 4, (30, 30))]
    data = encode_exact(plane)
    assert data[0] == NUMBER and len(data) < plane.nbytes / 20
    assert np.array_equal(decode_exact(Reader(data), plane.dtype, 30, 30), plane)


def test_a_number_beyond_the_values_is_an_error():
    values = encode_exact(np.array([[1.5, 2.5]]))
    head = Writer().byte(NUMBER).number(2).block(values)
    for numbers in ([[0, 2]], [[-1, 0]]):
        with pytest.raises(FormatError, match="beyond the 2"):
            data = bytes(head.data) + encode_integers(np.array(numbers))
            decode_exact(Reader(data), np.dtype(float), 1, 2)
    with pytest.raises(FormatError, match="different values"):
        decode_exact(Reader(bytes([NUMBER, 3, 0])), np.dtype(float), 1, 2)
