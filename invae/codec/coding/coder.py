"""Binary range coder in 64-bit integer arithmetic, compiled with numba.

State: ``low`` (48 bits and a carry) and ``width`` (2^40 < width <= 2^48). A bit with probability p / 2^16 of
being one splits ``width`` at ``(width >> 16) * p``; whenever ``width`` falls to 2^40 a byte leaves. A carry
walks back through the bytes already written. The end is the shortest byte string inside the final interval;
the decoder reads zeros behind it.

References
----------
[1] Martin (1979), Range encoding. Deviations: binary decisions, carry resolved in the output buffer,
shortest ending.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.compiled import inlined_step, step

__all__ = [
    "POSITION",
    "STATE",
    "Coder",
    "code_bit",
    "code_raw",
    "decode_bit",
    "decode_raw",
    "encode_bit",
    "encode_raw",
    "finish",
    "lacks_room",
    "start_coder",
    "start_decoder",
    "start_encoder",
]

# Slots of the int64 state vector.
LOW, WIDTH, POSITION = 0, 1, 2
STATE = 3
TOP = 1 << 48
BOTTOM = 1 << 40
MASK = TOP - 1


@njit(cache=True, nogil=True)
def start_encoder(state: np.ndarray) -> None:
    """Set ``state`` to that of an encoder which has written nothing."""
    state[LOW] = 0
    state[WIDTH] = TOP
    state[POSITION] = 0


@step
def encode_bit(state: np.ndarray, out: np.ndarray, bit: int, p: int) -> None:
    """Write ``bit``, a one with probability ``p / 2^16``, 0 < p < 2^16; ``out`` must have 8 bytes of room."""
    split = (state[WIDTH] >> 16) * p
    if bit:
        state[WIDTH] = split
    else:
        state[LOW] += split
        state[WIDTH] -= split
    _shift_out(state, out)


@step
def encode_raw(state: np.ndarray, out: np.ndarray, value: int, n: int) -> None:
    """Write the low ``n`` <= 63 bits of ``value``, every pattern equally probable."""
    while n > 0:
        k = min(n, 16)
        n -= k
        state[WIDTH] >>= k
        state[LOW] += ((value >> n) & ((1 << k) - 1)) * state[WIDTH]
        _shift_out(state, out)


@step
def _shift_out(state, out):
    if state[LOW] >= TOP:
        state[LOW] -= TOP
        _carry(state, out)
    while state[WIDTH] <= BOTTOM:
        out[state[POSITION]] = (state[LOW] >> 40) & 255
        state[POSITION] += 1
        state[LOW] = (state[LOW] << 8) & MASK
        state[WIDTH] <<= 8


@step
def _carry(state, out):
    k = state[POSITION] - 1
    while out[k] == 255:
        out[k] = 0
        k -= 1
    out[k] += 1


@njit(cache=True, nogil=True)
def finish(state: np.ndarray, out: np.ndarray) -> int:
    """Write the shortest ending and return the length of the stream."""
    low, last = state[LOW], state[LOW] + state[WIDTH] - 1
    value = last
    for shift in range(48, -1, -8):
        candidate = (last >> shift) << shift
        if candidate >= low:
            value = candidate
            break
    if value >= TOP:
        value -= TOP
        _carry(state, out)
    n = state[POSITION]
    for shift in range(40, -1, -8):
        out[n] = (value >> shift) & 255
        n += 1
    while n > 0 and out[n - 1] == 0:
        n -= 1
    return n


@njit(cache=True, nogil=True)
def start_decoder(state: np.ndarray, data: np.ndarray) -> None:
    """Set ``state`` to that of a decoder at the first bit of ``data`` (uint8)."""
    state[LOW] = 0
    for k in range(6):
        state[LOW] = (state[LOW] << 8) | (data[k] if k < data.size else 0)
    state[WIDTH] = TOP
    state[POSITION] = 6


@step
def decode_bit(state: np.ndarray, data: np.ndarray, p: int) -> int:
    """Read the bit that was written with the same ``p``."""
    split = (state[WIDTH] >> 16) * p
    if state[LOW] < split:
        bit = 1
        state[WIDTH] = split
    else:
        bit = 0
        state[LOW] -= split
        state[WIDTH] -= split
    _shift_in(state, data)
    return bit


@step
def decode_raw(state: np.ndarray, data: np.ndarray, n: int) -> int:
    """Read ``n`` <= 63 bits that `encode_raw` wrote."""
    value = 0
    while n > 0:
        k = min(n, 16)
        n -= k
        state[WIDTH] >>= k
        part = min(state[LOW] // state[WIDTH], (1 << k) - 1)
        state[LOW] -= part * state[WIDTH]
        value = (value << k) | part
        _shift_in(state, data)
    return value


@step
def _shift_in(state, data):
    while state[WIDTH] <= BOTTOM:
        k = state[POSITION]
        state[LOW] = (state[LOW] << 8) | (data[k] if k < data.size else 0)
        state[POSITION] = k + 1
        state[WIDTH] <<= 8


class Coder(NamedTuple):
    """A stream that is being written or read: so one kernel states a format for both ways."""

    state: np.ndarray
    stream: np.ndarray
    decoding: bool


@njit(cache=True, nogil=True)
def start_coder(stream: np.ndarray, decoding: bool) -> Coder:
    """Coder at the first bit of ``stream`` (uint8), which it reads if ``decoding`` and fills otherwise."""
    state = np.zeros(STATE, dtype=np.int64)
    if decoding:
        start_decoder(state, stream)
    else:
        start_encoder(state)
    return Coder(state, stream, decoding)


@inlined_step
def code_bit(coder: Coder, bit: int, p: int) -> int:
    """Write ``bit``, or read one and ignore it; a one has probability ``p / 2^16``. Returns the bit."""
    one = 1 if bit else 0
    if coder.decoding:
        return decode_bit(coder.state, coder.stream, p)
    encode_bit(coder.state, coder.stream, one, p)
    return one


@step
def code_raw(coder: Coder, value: int, n: int) -> int:
    """Write the low ``n`` <= 62 bits of ``value``, or read as many and ignore it. Returns these bits."""
    if coder.decoding:
        return decode_raw(coder.state, coder.stream, n)
    encode_raw(coder.state, coder.stream, value, n)
    return value & ((1 << n) - 1)


@step
def lacks_room(coder: Coder, n_bytes: int) -> bool:
    """Whether fewer than ``n_bytes`` are left to write in."""
    return not coder.decoding and coder.state[POSITION] + n_bytes > coder.stream.size
