"""Entropy coding of sparse integer codes: how many, which atoms, what values.

For each row: a few side integers; the number k of non-zero codes; then atom by atom one decision "is it
used", until k are found; and for each used one its sign and size. The decision mixes three adaptive
probabilities: that of the atom itself, that of the atoms still to come for the k still to find, and that of
the neighbours: the two atoms before, and those one ``stride`` before (of local cosines the same band in the
window before, of patch cosines the next lower frequency along the other axis). Integer arithmetic throughout,
on the coder of `invae.codec.coding.coder` and its logistic tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.coder import code_bit, code_raw, finish, lacks_room, start_coder
from invae.codec.coding.compiled import inlined_step, step
from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH

__all__ = ["decode_codes", "encode_codes"]

LIMIT = 250
N_DENSITY = 32
N_LEVELS = 40  # unary decisions of an Elias-gamma-like length
N_NEAR = 18
MOST_LENGTH = N_LEVELS - 2  # of a number, in bits
MOST_VALUE = 30  # bits of a code: larger ones are cut
SIDES = 15  # side integers with odds of their own; the slot behind them is for numbers of codes
MOST_BYTES, MOST_SIDE = 128, 64  # more than a code, and a side integer, can take
MOST_HEAD = 4096


def encode_codes(codes: np.ndarray, side: np.ndarray, usage: np.ndarray, stride: int = 8) -> bytes:
    """Code integers (N, l) and side integers (N, s); ``usage`` (l,) in 1/65536 starts the adaptation."""
    codes, side = np.array(codes, np.int64, order="C"), np.array(side, np.int64, order="C")
    room = MOST_HEAD + 16 * (np.count_nonzero(codes) + side.size + len(codes)) + codes.size // 4
    n = -1
    while n < 0:
        buffer = np.empty(room, np.uint8)
        n = _code(buffer, codes, side, np.array(usage, np.int64), stride, False)
        room *= 4
    return buffer[:n].tobytes()


def decode_codes(
    data: bytes, shape: tuple[int, int], n_side: int, usage: np.ndarray, stride: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Rebuild codes (N, l) and side integers (N, n_side)."""
    codes, side = np.zeros(shape, np.int64), np.zeros((shape[0], n_side), np.int64)
    _code(np.frombuffer(data, np.uint8).copy(), codes, side, np.array(usage, np.int64), stride, True)
    return codes, side


class _Model(NamedTuple):
    """Adaptive probabilities with their counts, by what they depend on."""

    atom: np.ndarray  # used, by atom
    dense: np.ndarray  # used, by the share still to find and the part of the row
    near: np.ndarray  # used, by neighbours and that share
    sign: np.ndarray  # by atom
    length: np.ndarray  # of values, by size classes
    high: np.ndarray  # bit below the leading one, by length
    numbers: np.ndarray  # lengths of side integers
    size: np.ndarray  # running mean size of an atom's values, 1/16
    weights: np.ndarray  # of the mixer
    inputs: np.ndarray


@inlined_step
def _learn(cell, bit):
    cell[0] += ((bit * 65535 - cell[0]) * 2) // (2 * cell[1] + 3)
    if cell[1] < LIMIT:
        cell[1] += 1


@step
def _decide(coder, bit, cell):
    """Code a decision by the odds of one cell, which learns."""
    one = code_bit(coder, bit, _clip(cell[0]))
    _learn(cell, one)
    return one


@inlined_step
def _decide_mixed(coder, bit, a, b, c, W, inputs):
    """Code a decision by the mixed odds of three cells; they and the mixer learn."""
    inputs[0] = STRETCH[a[0] >> 4]
    inputs[1] = STRETCH[b[0] >> 4]
    inputs[2] = STRETCH[c[0] >> 4]
    total = W[0] * inputs[0] + W[1] * inputs[1] + W[2] * inputs[2]
    p = _clip(SQUASH[min(max(total >> 16, -S_MAX), S_MAX) + S_MAX])
    one = code_bit(coder, bit, p)
    error = ((one << 16) - p) * 3
    for k in range(3):
        W[k] += (inputs[k] * error + (1 << 13)) >> 14
    _learn(a, one)
    _learn(b, one)
    _learn(c, one)
    return one


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


@inlined_step
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


@step
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
def _new_model(l, usage):
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
    W, inputs = np.full(3, 26000, np.int64), np.zeros(3, np.int64)
    return _Model(atom, dense, near, sign, length, high, numbers, size, W, inputs)


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


@step
def _code_length(coder, number, cells, most):
    """Bits behind the leading one of ``number`` >= 1, one decision each."""
    known = 0
    if not coder.decoding:
        while number >> (known + 1):
            known += 1
    length = 0
    while length < most and _decide(coder, length < known, cells[length]):
        length += 1
    return length


@step
def _code_number(coder, value, cells):
    """A non-negative integer: its length, then the rest raw."""
    length = _code_length(coder, value + 1, cells, MOST_LENGTH)
    return (1 << length) + code_raw(coder, value + 1, length) - 1


@step
def _code_size(coder, codes, i, j, stride, model):
    """Sign and size of a code that is used; returns the code."""
    value = codes[i, j]
    negative = _decide(coder, value < 0, model.sign[j])
    magnitude = min(abs(value), 1 << MOST_VALUE)
    kind = _size_class(model.size[j]) + 8 * _sizes_beside(codes, i, j, stride)
    bits = _code_length(coder, magnitude, model.length[kind], N_LEVELS - 8)
    if bits > 0:
        top = _decide(coder, (magnitude >> (bits - 1)) & 1, model.high[bits])
        magnitude = ((2 | top) << (bits - 1)) | code_raw(coder, magnitude, bits - 1)
    else:
        magnitude = 1
    model.size[j] += (16 * min(magnitude, 4096) - model.size[j]) >> 2
    return -magnitude if negative else magnitude


@step
def _code_row(coder, codes, i, left, stride, model):
    """Code row i, in which ``left`` codes are used; returns whether there was room."""
    l = codes.shape[1]
    for j in range(l):
        if left == 0:
            break
        if lacks_room(coder, MOST_BYTES):
            return False
        d = _density(left, l - j)
        a, b = model.atom[j], model.dense[d, min(j * 4 // l, 3)]
        c = model.near[_beside(codes, i, j, stride), d]
        if _decide_mixed(coder, codes[i, j] != 0, a, b, c, model.weights, model.inputs):
            left -= 1
            codes[i, j] = _code_size(coder, codes, i, j, stride, model)
    return True


@njit(cache=True, nogil=True)
def _code(stream, codes, side, usage, stride, decoding):
    """Code or fill ``codes`` and ``side``; returns the bytes written, -1 where there are too few."""
    N, l = codes.shape
    coder, model = start_coder(stream, decoding), _new_model(l, usage)
    for i in range(N):
        if lacks_room(coder, MOST_SIDE * side.shape[1] + MOST_HEAD):
            return -1
        for s in range(side.shape[1]):
            before = side[i - 1, s] if i else 0
            step = _zigzag(side[i, s] - before)
            side[i, s] = before + _unzigzag(_code_number(coder, step, model.numbers[min(s, SIDES - 1)]))
        left = 0
        for j in range(l):
            left += int(codes[i, j] != 0)
        left = min(_code_number(coder, left, model.numbers[SIDES]), l)
        if not _code_row(coder, codes, i, left, stride, model):
            return -1
    return 0 if decoding else finish(coder.state, stream)
