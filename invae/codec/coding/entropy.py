"""Adaptive coding of a plane of integers: mostly small, sometimes huge, their size varying slowly.

An integer r is written as binary decisions: is it zero; its sign; the length of |r| in bits, one decision for
each further bit; the two bits below the leading one; the rest as they are. Each modelled decision has three
adaptive probabilities, found by the sizes of the neighbours (left two, above, above right), by a slow running
mean of sizes, and by the sizes left and above apart; a logistic mixer with integer weights joins them. All
arithmetic is integer, so the bytes are the same on every machine.

References
----------
[1] Mahoney (2005), Adaptive weighing of context models for lossless data compression (the logistic mixer).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.coder import code_bit, code_raw, finish, lacks_room, start_coder
from invae.codec.coding.compiled import step
from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH

__all__ = ["decode_plane", "encode_plane"]

N_LEVELS = 48  # size classes of a context
N_KINDS = 80  # zero?, sign, 63 lengths, 3 + 3 bits below the leading one of short and long numbers
KIND_ZERO, KIND_SIGN, KIND_LENGTH, KIND_HIGH = 0, 1, 2, 68
LIMIT = 250
FIRST_RATE, LAST_RATE, PACE = 180, 14, 400  # of the mixer: falls with the number of values coded
MOST_BYTES = 256  # more than one value can take


def encode_plane(plane: np.ndarray) -> bytes:
    """Code integers of shape (rows, columns), dtype int64."""
    plane = np.array(plane, dtype=np.int64, order="C")
    room = 2 * MOST_BYTES + 9 * plane.size
    n = -1
    while n < 0:
        buffer = np.empty(room, dtype=np.uint8)
        n = _code(buffer, plane, False)
        room *= 4
    return buffer[:n].tobytes()


def decode_plane(data: bytes, n_rows: int, n_columns: int) -> np.ndarray:
    """Rebuild the int64 plane of shape (n_rows, n_columns) that `encode_plane` coded."""
    plane = np.zeros((n_rows, n_columns), dtype=np.int64)
    _code(np.frombuffer(data, dtype=np.uint8).copy(), plane, True)
    return plane


class _Model(NamedTuple):
    """Adaptive probabilities by kind of decision, with their counts, and a mixer for each kind."""

    chances: np.ndarray
    weights: np.ndarray
    contexts: np.ndarray  # of the value to come; behind them the mixer's rate
    inputs: np.ndarray


@njit(cache=True, nogil=True)
def _level(size):
    """Half-octave class of a size: 0, 1, 2, 3, 4, 5.. for 0, 1, 2, 3, 4-5, 6-7, 8-11, .. ."""
    if size < 4:
        return size
    length = 0
    rest = size
    while rest:
        rest >>= 1
        length += 1
    return min(2 * length - 2 + ((size >> (length - 2)) & 1), N_LEVELS - 1)


@njit(cache=True, nogil=True)
def _size(r):
    """|r|, at most 2^40 (also for the int64 that has no positive twin)."""
    size = abs(r)
    return size if 0 <= size < 1 << 40 else 1 << 40


@step
def _contexts(plane, i, j, slow, contexts):
    """Fill the size classes for the value at (i, j); slot 3 holds the mixer's rate."""
    left = _size(plane[i, j - 1]) if j > 0 else 0
    left2 = _size(plane[i, j - 2]) if j > 1 else left
    if i > 0:
        up = _size(plane[i - 1, j])
        right = _size(plane[i - 1, j + 1]) if j + 1 < plane.shape[1] else up
        if j == 0:
            left, left2 = up, up
    else:
        up, right = left, left2
    contexts[0] = _level((3 * left + 2 * left2 + 3 * up + right) >> 1)
    contexts[1] = _level(slow >> 2)
    contexts[2] = 7 * min(_level(left), 6) + min(_level(up), 6) if left + up < 24 else _level(left + up)


@step
def _decide(coder, bit, kind, model):
    """Code a decision; then move the mixer along its gradient and the probabilities towards the answer."""
    P, W, contexts, inputs = model.chances, model.weights, model.contexts, model.inputs
    total = 0
    for k in range(3):
        inputs[k] = STRETCH[P[k, kind, contexts[k], 0] >> 4]
        total += W[kind, k] * inputs[k]
    p = SQUASH[min(max(total >> 16, -S_MAX), S_MAX) + S_MAX]
    one = code_bit(coder, bit, p)
    error = ((one << 16) - p) * contexts[3]
    for k in range(3):
        W[kind, k] += (inputs[k] * error + (1 << 19)) >> 20
        cell = P[k, kind, contexts[k]]
        count = cell[1]
        cell[0] += ((one * 65535 - cell[0]) * 2) // (2 * count + 3)
        if count < LIMIT:
            cell[1] = count + 1
    return one


@njit(cache=True, nogil=True)
def _new_model():
    P = np.empty((3, N_KINDS, 64, 2), dtype=np.int64)
    P[..., 0] = 32768
    P[..., 1] = 0
    W = np.full((N_KINDS, 3), 26000, dtype=np.int64)  # a little over a third each: three agree on more
    return _Model(P, W, np.zeros(4, dtype=np.int64), np.zeros(3, dtype=np.int64))


@njit(cache=True, nogil=True)
def _code(stream, plane, decoding):
    """Code ``plane`` or fill it; returns the number of bytes written, -1 where there are too few."""
    coder, model = start_coder(stream, decoding), _new_model()
    contexts = model.contexts
    slow = 0
    for i in range(plane.shape[0]):
        for j in range(plane.shape[1]):
            if lacks_room(coder, MOST_BYTES):
                return -1
            _contexts(plane, i, j, slow, contexts)
            contexts[3] = LAST_RATE + FIRST_RATE * PACE // (PACE + i * plane.shape[1] + j)
            r = _code_value(coder, plane[i, j], model)
            plane[i, j] = r
            slow += (_size(r) * 16 - slow) >> 4
    return 0 if decoding else finish(coder.state, stream)


@step
def _code_value(coder, r, model):
    if not _decide(coder, r != 0, KIND_ZERO, model):
        return 0
    negative = _decide(coder, r < 0, KIND_SIGN, model)
    size = -(r + 1) if r < 0 else r - 1  # fits 63 bits for every int64
    known = 0
    if not coder.decoding:
        while size >> known:
            known += 1
    length = 0
    while length < 63 and _decide(coder, length < known, KIND_LENGTH + length, model):
        length += 1
    base = KIND_HIGH + (3 if length > 4 else 0)
    top, node = (1 if length > 0 else 0), 0
    for k in range(length - 2, max(length - 4, -1), -1):
        bit = _decide(coder, (size >> k) & 1, base + node, model)
        node = 1 + bit
        top = (top << 1) | bit
    rest = max(length - 3, 0)
    size = (top << rest) | code_raw(coder, size, rest)
    return -size - 1 if negative else size + 1
