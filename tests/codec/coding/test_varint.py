"""Pieces of headers: every number comes back, every lack is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invae.codec.coding.varint import Reader, Writer
from invae.errors import FormatError


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


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_blocks_come_back_and_nothing_is_left(blocks):
    writer = Writer()
    for block in blocks:
        writer.block(block)
    reader = Reader(bytes(writer.data))
    assert [reader.block() for _ in blocks] == blocks and reader.rest() == b""


@given(st.integers(0, 2**64 - 1))
def test_a_number_takes_a_byte_for_every_seven_bits(value):
    assert len(Writer().number(value).data) == max(1, -(-value.bit_length() // 7))


def test_a_number_beyond_64_bits_is_refused():
    with pytest.raises(FormatError, match="longer than 64 bits"):
        Reader(b"\xff" * 9 + b"\x02").number()
    with pytest.raises(FormatError, match="longer than 64 bits"):
        Reader(b"\xff" * 11).number()


def test_a_short_number_that_is_not_positive_is_refused():
    with pytest.raises(FormatError, match="positive number"):
        Reader(bytes(Writer().number(0).real(-1.0).data)).short()
