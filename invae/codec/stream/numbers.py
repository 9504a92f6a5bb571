"""Numbers that describe a block, under adaptive odds: most are small, and each kind has its own habits.

A number v >= 0 is coded as the length n of v + 1 in bits (n - 1 ones and a zero, odds by kind and place),
the bit below the leading one (odds by kind and n) and the rest as it is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.coder import (
    POSITION,
    STATE,
    decode_bit,
    decode_raw,
    encode_bit,
    encode_raw,
    finish,
    start_decoder,
    start_encoder,
)
from invae.codec.stream.bits import bit_length
from invae.errors import FormatError

__all__ = ["N_KINDS", "NumberReader", "NumberWriter", "next_number"]

N_KINDS = 18
PLACES = 64
LONGEST = 48


class NumberWriter:
    """Collects numbers with their kinds; `data` codes them."""

    def __init__(self) -> None:
        self._values: list[np.ndarray] = []
        self._kinds: list[np.ndarray] = []

    def put(self, kind: int, *values: int) -> NumberWriter:
        """Append numbers of one kind."""
        return self.put_all(kind, np.array(values, dtype=np.int64))

    def put_signed(self, kind: int, values: np.ndarray) -> NumberWriter:
        """Append signed numbers, as 2 v or -2 v - 1."""
        values = np.asarray(values, dtype=np.int64)
        return self.put_all(kind, (values << 1) ^ (values >> 63))

    def put_all(self, kind: int | np.ndarray, values: np.ndarray) -> NumberWriter:
        """Append an array of numbers below 2^47, of one kind or of a kind each."""
        values = np.asarray(values, dtype=np.int64).ravel()
        self._values.append(values)
        self._kinds.append(np.broadcast_to(np.asarray(kind, dtype=np.int64), values.shape))
        return self

    def data(self) -> bytes:
        """Bytes of all that was put."""
        if not self._values:
            return b""
        values, kinds = np.concatenate(self._values), np.concatenate(self._kinds)
        out = np.empty(16 * values.size + 64, dtype=np.uint8)
        return out[: _encode(values, kinds, _fresh_odds(), out)].tobytes()


class NumberReader:
    """Reads what a `NumberWriter` wrote; past the end come zeros."""

    def __init__(self, data: bytes) -> None:
        self.stream = np.frombuffer(data, dtype=np.uint8)
        self.state = np.zeros(STATE, dtype=np.int64)
        self.odds = _fresh_odds()
        start_decoder(self.state, self.stream)

    def take(self, kind: int, below: int = 1 << 47) -> int:
        """Next number, which has to be smaller than ``below``."""
        value = int(next_number(self.state, self.stream, self.odds, kind))
        if value >= below or self.state[POSITION] > self.stream.size + 64:
            raise FormatError(
                f"a block of frames states {value} where less than {below} belongs: it is damaged"
            )
        return value

    def take_all(self, kind: int, n: int, below: int = 1 << 47) -> np.ndarray:
        """Next ``n`` numbers of one kind."""
        out = np.empty(n, dtype=np.int64)
        _decode_all(self.state, self.stream, self.odds, kind, out)
        if out.size and int(out.max()) >= below:
            raise FormatError(
                f"a block of frames states {out.max()} where less than {below} belongs: it is damaged"
            )
        return out

    def take_signed(self, kind: int, n: int) -> np.ndarray:
        """Next ``n`` signed numbers."""
        folded = self.take_all(kind, n)
        return (folded >> 1) ^ -(folded & 1)


def _fresh_odds() -> np.ndarray:
    odds = np.zeros((N_KINDS, 2 * PLACES, 2), dtype=np.int64)  # probability of a one in 2^-16, times used
    odds[..., 0] = 1 << 15
    return odds


@njit(cache=True, nogil=True)
def _learn(odds, kind, place, bit):
    chance, used = odds[kind, place, 0], odds[kind, place, 1]
    odds[kind, place, 0] = min(max(chance + (bit * 65536 - chance) // (used + 2), 512), 65024)
    odds[kind, place, 1] = min(used + 1, 30)


@njit(cache=True, nogil=True)
def _encode(values, kinds, odds, out):
    state = np.zeros(STATE, dtype=np.int64)
    start_encoder(state)
    for k in range(values.size):
        value, kind = values[k] + 1, kinds[k]
        length = bit_length(value)
        for place in range(1, length + 1):
            bit = 1 if place < length else 0
            encode_bit(state, out, bit, odds[kind, place, 0])
            _learn(odds, kind, place, bit)
        if length > 1:
            bit = (value >> (length - 2)) & 1
            encode_bit(state, out, bit, odds[kind, PLACES + length, 0])
            _learn(odds, kind, PLACES + length, bit)
            encode_raw(state, out, value & ((1 << (length - 2)) - 1), length - 2)
    return finish(state, out)


@njit(cache=True, nogil=True)
def next_number(state, stream, odds, kind):
    """Decode one number."""
    length = 1
    while length < LONGEST:
        bit = decode_bit(state, stream, odds[kind, length, 0])
        _learn(odds, kind, length, bit)
        if not bit:
            break
        length += 1
    if length == 1:
        return 0
    bit = decode_bit(state, stream, odds[kind, PLACES + length, 0])
    _learn(odds, kind, PLACES + length, bit)
    rest = decode_raw(state, stream, length - 2)
    return ((2 + bit) << (length - 2) | rest) - 1


@njit(cache=True, nogil=True)
def _decode_all(state, stream, odds, kind, out):
    for k in range(out.size):
        out[k] = next_number(state, stream, odds, kind)
