"""The range coder: what is written is read, at the cost of its information."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from invae.codec.coding.coder import (
    STATE,
    code_bit,
    code_raw,
    decode_bit,
    decode_raw,
    encode_bit,
    encode_raw,
    finish,
    lacks_room,
    start_coder,
    start_decoder,
    start_encoder,
)


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


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 65535), st.integers(0, 2**40 - 1), st.integers(0, 40)), max_size=100)
)
def test_one_kernel_writes_and_reads_what_one_coder_was_given(entries):
    out = np.zeros(4000, np.uint8)
    writing = start_coder(out, False)
    for p, value, n in entries:
        assert code_bit(writing, value & 1, p) == value & 1
        assert code_raw(writing, value, n) == value % 2**n
    data = out[: finish(writing.state, out)].copy()
    reading = start_coder(data, True)
    for p, value, n in entries:
        assert code_bit(reading, 0, p) == value & 1
        assert code_raw(reading, 0, n) == value % 2**n


def test_only_a_writer_lacks_room():
    out = np.zeros(10, np.uint8)
    assert lacks_room(start_coder(out, False), 11) and not lacks_room(start_coder(out, False), 10)
    assert not lacks_room(start_coder(out, True), 11)


def test_a_carry_runs_back_through_full_bytes():
    """Ones that are all but certain keep the lower end at the top: bytes of 255 stand when it overflows."""
    rng = np.random.default_rng(1)
    state, out = np.zeros(STATE, np.int64), np.zeros(5000, np.uint8)
    start_encoder(state)
    bits = (rng.random(20000) < 0.02).astype(int)
    for bit in bits:
        encode_bit(state, out, bit, 3 if bit else 1300)
    data = out[: finish(state, out)].copy()
    start_decoder(state, data)
    assert all(decode_bit(state, data, 3 if bit else 1300) == bit for bit in bits)
