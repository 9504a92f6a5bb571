"""Entropy coding of sparse integer codes: how many, which atoms, what values.

For each row: a few side integers; the number k of non-zero codes; then atom by atom one decision "is it
used", until k are found; and for each used one its sign and size. The decision mixes three adaptive
probabilities: that of the atom itself, that of the atoms still to come for the k still to find, and that of
the neighbours: the two atoms before, and those one ``stride`` before (of local cosines the same band in the
window before, of patch cosines the next lower frequency along the other axis). Integer arithmetic throughout,
on the coder of `invae.codec.coding.coder` and its logistic tables.
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
from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH

__all__ = ["decode_codes", "encode_codes"]

LIMIT = 250
N_DENSITY = 32
N_LEVELS = 40  # unary decisions of an Elias-gamma-like length
N_NEAR = 18


def encode_codes(codes: np.ndarray, side: np.ndarray, usage: np.ndarray, stride: int = 8) -> bytes:
    """Code integers (N, l) and side integers (N, s); ``usage`` (l,) in 1/65536 starts the adaptation."""
    codes, side = np.ascontiguousarray(codes, np.int64), np.ascontiguousarray(side, np.int64)
    room = 4096 + 16 * (np.count_nonzero(codes) + side.size + len(codes)) + codes.size // 4
    n = -1
    while n < 0:
        buffer = np.empty(room, np.uint8)
        n = _encode(codes, side, np.ascontiguousarray(usage, np.int64), stride, buffer)
        room *= 4
    return buffer[:n].tobytes()


def decode_codes(
    data: bytes, shape: tuple[int, int], n_side: int, usage: np.ndarray, stride: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Rebuild codes (N, l) and side integers (N, n_side)."""
    codes, side = np.zeros(shape, np.int64), np.zeros((shape[0], n_side), np.int64)
    _decode(np.frombuffer(data, np.uint8), codes, side, np.ascontiguousarray(usage, np.int64), stride)
    return codes, side


@njit(cache=True, nogil=True)
def _mix(p0, p1, p2, W, inputs):
    inputs[0] = STRETCH[p0 >> 4]
    inputs[1] = STRETCH[p1 >> 4]
    inputs[2] = STRETCH[p2 >> 4]
    total = W[0] * inputs[0] + W[1] * inputs[1] + W[2] * inputs[2]
    s = min(max(total >> 16, -S_MAX), S_MAX)
    return SQUASH[s + S_MAX]


@njit(cache=True, nogil=True)
def _learn(cell, bit):
    cell[0] += ((bit * 65535 - cell[0]) * 2) // (2 * cell[1] + 3)
    if cell[1] < LIMIT:
        cell[1] += 1


@njit(cache=True, nogil=True)
def _density(left, rest):
    """Class of left / rest in steps of a fifth of an octave or so; left >= 1."""
    scaled = (left << 12) // rest
    length = 0
    value = scaled
    while value > 1:
        value >>= 1
        length += 1
    below = (scaled >> (length - 1)) & 1 if length > 0 else 0
    return min(2 * length + below, N_DENSITY - 1)


@njit(cache=True, nogil=True)
def _beside(codes, i, j, stride):
    """Class of the neighbours that are used already: two before, three around one stride before."""
    before = int(j > 0 and codes[i, j - 1] != 0) + int(j > 1 and codes[i, j - 2] != 0)
    other = 0
    if j >= stride:
        other = 3 * int(codes[i, j - stride] != 0)
    if j > stride:
        other += int(codes[i, j - stride - 1] != 0)
    if j >= stride > 1:
        other += int(codes[i, j - stride + 1] != 0)
    return 6 * before + other


@njit(cache=True, nogil=True)
def _sizes_beside(codes, i, j, stride):
    """Class 0 to 3 of the sizes of the neighbours."""
    total = 0
    if j > 0:
        total += abs(codes[i, j - 1])
    if j >= stride:
        total += 2 * abs(codes[i, j - stride])
    if total == 0:
        return 0
    return 1 if total < 3 else (2 if total < 7 else 3)


@njit(cache=True, nogil=True)
def _state(l, usage):
    atom = np.empty((l, 2), np.int64)
    atom[:, 0] = usage
    atom[:, 1] = 6
    dense = np.empty((N_DENSITY, 4, 2), np.int64)
    near = np.empty((N_NEAR, N_DENSITY, 2), np.int64)
    for k in range(N_DENSITY):
        start = 65535 * 2 ** (k // 2) * (2 + k % 2) // (2 * 4096)
        dense[k, :, 0] = min(max(start, 64), 65000)
        near[:, k, 0] = min(max(start, 64), 65000)
    dense[..., 1] = 4
    near[..., 1] = 4
    sign = np.empty((l, 2), np.int64)
    sign[:, 0] = 32768
    sign[:, 1] = 0
    length = np.empty((32, N_LEVELS, 2), np.int64)
    length[..., 0] = 32768
    length[..., 1] = 0
    high = np.empty((N_LEVELS, 2), np.int64)
    high[..., 0] = 32768
    high[..., 1] = 0
    numbers = np.empty((16, N_LEVELS, 2), np.int64)
    numbers[..., 0] = 32768
    numbers[..., 1] = 0
    size = np.full(l, 8, np.int64)
    W = np.full(3, 26000, np.int64)
    return atom, dense, near, sign, length, high, numbers, size, W


@njit(cache=True, nogil=True)
def _put_number(state, out, value, cells):
    """A non-negative integer: length in bits, unary and adaptive; two bits below the leading one raw too."""
    length = 0
    while (value + 1) >> (length + 1):
        length += 1
    for k in range(length):
        encode_bit(state, out, 1, _clip(cells[k, 0]))
        _learn(cells[k], 1)
    encode_bit(state, out, 0, _clip(cells[length, 0]))
    _learn(cells[length], 0)
    encode_raw(state, out, (value + 1) - (1 << length), length)


@njit(cache=True, nogil=True)
def _get_number(state, data, cells):
    length = 0
    while length < N_LEVELS - 2:
        bit = decode_bit(state, data, _clip(cells[length, 0]))
        _learn(cells[length], bit)
        if not bit:
            break
        length += 1
    return (1 << length) + decode_raw(state, data, length) - 1


@njit(cache=True, nogil=True)
def _clip(p):
    return min(max(p, 48), 65535 - 48)


@njit(cache=True, nogil=True)
def _zigzag(value):
    return 2 * value if value >= 0 else -2 * value - 1


@njit(cache=True, nogil=True)
def _unzigzag(value):
    return value >> 1 if value & 1 == 0 else -((value + 1) >> 1)


@njit(cache=True, nogil=True)
def _size_class(size):
    if size < 12:
        return 0
    if size < 20:
        return 1
    if size < 28:
        return 2
    if size < 44:
        return 3
    if size < 80:
        return 4
    if size < 160:
        return 5
    return 6 if size < 400 else 7


@njit(cache=True, nogil=True)
def _encode(codes, side, usage, stride, out):
    N, l = codes.shape
    atom, dense, near, sign, length, high, numbers, size, W = _state(l, usage)
    inputs = np.zeros(3, np.int64)
    state = np.zeros(STATE, np.int64)
    start_encoder(state)
    for i in range(N):
        if state[POSITION] + 64 * side.shape[1] + 4096 > out.size:
            return -1
        for s in range(side.shape[1]):
            before = side[i - 1, s] if i else 0
            _put_number(state, out, _zigzag(side[i, s] - before), numbers[min(s, 14)])
        left = 0
        for j in range(l):
            left += int(codes[i, j] != 0)
        _put_number(state, out, left, numbers[15])
        for j in range(l):
            if left == 0:
                break
            if state[POSITION] + 128 > out.size:
                return -1
            d = _density(left, l - j)
            beside = _beside(codes, i, j, stride)
            a, b, c = atom[j], dense[d, min(j * 4 // l, 3)], near[beside, d]
            p = _clip(_mix(a[0], b[0], c[0], W, inputs))
            bit = int(codes[i, j] != 0)
            encode_bit(state, out, bit, p)
            error = ((bit << 16) - p) * 3
            for k in range(3):
                W[k] += (inputs[k] * error + (1 << 13)) >> 14
            _learn(a, bit)
            _learn(b, bit)
            _learn(c, bit)
            if bit:
                left -= 1
                value = codes[i, j]
                negative = int(value < 0)
                encode_bit(state, out, negative, _clip(sign[j, 0]))
                _learn(sign[j], negative)
                magnitude = min(abs(value), 1 << 30)
                cells = length[_size_class(size[j]) + 8 * _sizes_beside(codes, i, j, stride)]
                rest = magnitude
                bits = 0
                while rest >> (bits + 1):
                    bits += 1
                for k in range(bits):
                    encode_bit(state, out, 1, _clip(cells[k, 0]))
                    _learn(cells[k], 1)
                encode_bit(state, out, 0, _clip(cells[bits, 0]))
                _learn(cells[bits], 0)
                if bits > 0:
                    top = (magnitude >> (bits - 1)) & 1
                    encode_bit(state, out, top, _clip(high[bits, 0]))
                    _learn(high[bits], top)
                    encode_raw(state, out, magnitude & ((1 << (bits - 1)) - 1), bits - 1)
                size[j] += (16 * min(magnitude, 4096) - size[j]) >> 2
    return finish(state, out)


@njit(cache=True, nogil=True)
def _decode(data, codes, side, usage, stride):
    N, l = codes.shape
    atom, dense, near, sign, length, high, numbers, size, W = _state(l, usage)
    inputs = np.zeros(3, np.int64)
    state = np.zeros(STATE, np.int64)
    start_decoder(state, data)
    for i in range(N):
        for s in range(side.shape[1]):
            before = side[i - 1, s] if i else 0
            side[i, s] = before + _unzigzag(_get_number(state, data, numbers[min(s, 14)]))
        left = min(_get_number(state, data, numbers[15]), l)
        for j in range(l):
            if left == 0:
                break
            d = _density(left, l - j)
            beside = _beside(codes, i, j, stride)
            a, b, c = atom[j], dense[d, min(j * 4 // l, 3)], near[beside, d]
            p = _clip(_mix(a[0], b[0], c[0], W, inputs))
            bit = decode_bit(state, data, p)
            error = ((bit << 16) - p) * 3
            for k in range(3):
                W[k] += (inputs[k] * error + (1 << 13)) >> 14
            _learn(a, bit)
            _learn(b, bit)
            _learn(c, bit)
            if bit:
                left -= 1
                negative = decode_bit(state, data, _clip(sign[j, 0]))
                _learn(sign[j], negative)
                cells = length[_size_class(size[j]) + 8 * _sizes_beside(codes, i, j, stride)]
                bits = 0
                while bits < N_LEVELS - 8:
                    more = decode_bit(state, data, _clip(cells[bits, 0]))
                    _learn(cells[bits], more)
                    if not more:
                        break
                    bits += 1
                magnitude = 1
                if bits > 0:
                    top = decode_bit(state, data, _clip(high[bits, 0]))
                    _learn(high[bits], top)
                    magnitude = ((2 | top) << (bits - 1)) | decode_raw(state, data, bits - 1)
                codes[i, j] = -magnitude if negative else magnitude
                size[j] += (16 * min(magnitude, 4096) - size[j]) >> 2
