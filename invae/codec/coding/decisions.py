"""Integers as mixed binary decisions: the odds of each bit from statements, tables and a network.

A value is the mirrored distance to a centre cell. Decisions: is it in the centre cell; on which side is it;
is it beyond this cell, the next, ..; cells have 2^z values, later ones more, and the place inside a cell is
raw bits. For every decision

* speakers state the odds under a logistic distribution around their own prediction with their own scale;
* tables of adaptive probabilities state them by context;
* a network may state them, too;
* logistic mixers with integer weights, one chosen by each of three contexts, join all statements; a last one
  joins the three.

All arithmetic is 64-bit integer with floor division and arithmetic shifts.

References
----------
[1] Mahoney (2005), Adaptive weighing of context models for lossless data compression, and later PAQ programs
(chosen mixers, two layers). Deviation: parametric speakers give odds beside the tables.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip
from invae.codec.coding.coder import decode_bit, decode_raw, encode_bit, encode_raw
from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH

__all__ = ["N_DECISIONS", "N_SETS", "SELECTORS", "TABLE", "code_value", "place"]

TABLE = 4096
N_DECISIONS = 8
N_SETS = 3
SELECTORS = 32
FAR = 1 << 40
RATE, LAST_RATE, COUNT = 0, 1, 2
MOST_ODDS = 2047


@njit(cache=True, nogil=True)
def code_value(
    state, stream, decoding, r, z, off, inv, tail, x, ctx, sel, outs, softplus, odds, W, V, T, rates
):
    """Code or decode the mirrored distance ``r`` to the centre.

    Speakers have offsets ``off`` and inverse scales ``inv``; ``tail`` is workspace of their number. Of ``x``
    the first entries are set here (speakers, then tables); then stands the constant, and with a network a
    place for its statement and its logits for all decisions. W (N_SETS, N_DECISIONS, SELECTORS, inputs), V
    (N_DECISIONS, SELECTORS, N_SETS), T (tables, TABLE, N_DECISIONS) learn.
    """
    low = -(((1 << z) - 1) >> 1)
    high = low + (1 << z) - 1
    half = 128 << z
    for k in range(tail.size):
        upper = ((half - off[k]) * inv[k]) >> (12 + z)
        lower = ((-half - off[k]) * inv[k]) >> (12 + z)
        x[k] = STRETCH[(_squash(upper) - _squash(lower)) >> 4]
        tail[k] = _log_tail(upper, softplus)
    if _decide(state, stream, decoding, low <= r <= high, 0, x, ctx, sel, outs, W, V, T, rates):
        if decoding:
            return low + decode_raw(state, stream, z)
        encode_raw(state, stream, r - low, z)
        return r
    for k in range(tail.size):
        lower = ((-half - off[k]) * inv[k]) >> (12 + z)
        x[k] = clip(tail[k] - _log_tail(-lower, softplus), MOST_ODDS)
    positive = _decide(state, stream, decoding, r > high, 1, x, ctx, sel, outs, W, V, T, rates)
    side = 1 if positive else -1
    edge = high + 1 if positive else 1 - low
    at = half
    if not positive:
        for k in range(tail.size):
            tail[k] = _log_tail(((half + off[k]) * inv[k]) >> (12 + z), softplus)
    size = r * side
    bits, cells = z, 1
    while bits < 50:
        at = min(at + (256 << bits), FAR)
        for k in range(tail.size):
            far = _log_tail((clip(at - off[k] * side, FAR) * inv[k]) >> (12 + z), softplus)
            x[k] = odds[min(max(tail[k] - far, 0), odds.size - 1)]
            tail[k] = far
        kind = 6 + min(cells - 3, 3) // 3 if cells > 2 else 2 * cells + (1 - positive)
        beyond = size >= edge + (1 << bits)
        if not _decide(state, stream, decoding, beyond, kind, x, ctx, sel, outs, W, V, T, rates):
            break
        edge += 1 << bits
        cells += 1
        if cells > 5 and cells & 1:
            bits += 1
    if decoding:
        return (edge + decode_raw(state, stream, bits)) * side
    encode_raw(state, stream, size - edge, bits)
    return r


@njit(cache=True, nogil=True)
def place(offset, width, most):
    """Number 0 .. 2 most of the cell of ``width`` that holds ``offset``."""
    return min(max(offset + most * width + (width >> 1), 0) // width, 2 * most)


@njit(cache=True, nogil=True)
def _squash(s):
    return SQUASH[min(max(s, -S_MAX), S_MAX) + S_MAX]


@njit(cache=True, nogil=True)
def _log_tail(t, softplus):
    """256 ln(1 / (1 + exp(t / 256))): the upper tail of the logistic."""
    if t > S_MAX:
        return -t
    if t < -S_MAX:
        return 0
    return -softplus[t + S_MAX]


@njit(cache=True, nogil=True)
def _decide(state, stream, decoding, bit, decision, x, ctx, sel, outs, W, V, T, rates):
    """Code one decision and let everything that had a say in it learn.

    With a network, its statement chooses the first mixer.
    """
    n_inputs, n_tables = W.shape[3], T.shape[0]
    n_speak = n_inputs - n_tables - 1
    if x.size > n_inputs:
        n_speak -= 1
        x[n_inputs - 1] = x[n_inputs + decision]
        sel[0] = (x[n_inputs - 1] + MOST_ODDS + 1) >> 7
    for k in range(n_tables):
        x[n_speak + k] = STRETCH[T[k, ctx[k], decision] >> 18]
    final = 0
    v = V[decision, sel[N_SETS]]
    for m in range(N_SETS):
        w = W[m, decision, sel[m]]
        total = 0
        for k in range(n_inputs):
            total += w[k] * x[k]
        outs[m] = clip(total >> 16, S_MAX)
        final += v[m] * outs[m]
    p = SQUASH[clip(final >> 16, S_MAX) + S_MAX]
    one = 1 if bit else 0
    if decoding:
        one = decode_bit(state, stream, p)
    else:
        encode_bit(state, stream, one, p)
    error = ((one << 16) - p) * rates[LAST_RATE]
    for m in range(N_SETS):
        v[m] += (outs[m] * error + (1 << 19)) >> 20
        own = ((one << 16) - SQUASH[outs[m] + S_MAX]) * rates[RATE]
        w = W[m, decision, sel[m]]
        for k in range(n_inputs):
            w[k] += (x[k] * own + (1 << 19)) >> 20
    target = one * ((1 << 20) - 1)
    for k in range(n_tables):
        cell = np.int64(T[k, ctx[k], decision])
        count = cell & 1023
        chance = cell >> 10
        chance += ((target - chance) * 2) // (2 * count + 3)
        T[k, ctx[k], decision] = (chance << 10) | min(count + 1, rates[COUNT])
    return one
