"""Learned coding of planes of curves: the experts' statements, mixed in integers into the odds of every bit.

Each expert (`invae.codec.experts`) keeps a running absolute error R (decay 3/4). Their mean with weights (R^2
+ .02)^-3/2 is the base; two more experts correct the base: a sign-LMS sum of the experts' distances to it,
and its mean error after the same last errors. The base is rounded to the centre c, and signs are mirrored so
that it lies on the positive side of c. The value is then written as binary decisions: is it in the centre
cell; on which side; is it beyond this cell, the next, ..; cells have 2^z values (z = 0 but for rough data),
later ones more, and the place inside a cell is raw bits. For every decision

* experts state the odds under a logistic distribution around their own prediction with their own R as scale;
* tables of adaptive probabilities state them by context: where the base lies between grid points, scale, last
  errors, offsets of experts, place in the row, disagreement, lengths of constant runs, signs of the last
  differences, ..;
* logistic mixers with integer weights, one chosen by each of three contexts, join all statements; a last one
  joins the three.

Training is coding: what tables and mixers hold after a pass over training planes, with the learned taps, is
the model. All arithmetic is 64-bit integer with floor division and arithmetic shifts.

References
----------
[1] Mahoney (2005), Adaptive weighing of context models for lossless data compression, and later PAQ programs
(chosen mixers, two layers).
Deviation: parametric experts give odds beside the tables, and everything is mirrored about the base.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coder import (
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
from invae.codec.experts import (
    CLIP,
    LEARNED_A,
    LEARNED_B,
    LEAST_SQUARES,
    LENGTH_B,
    N_EXPERTS,
    PAD,
    clip,
    follow,
    level,
    predict,
)
from invae.codec.tables import S_MAX, SQUASH, STRETCH

__all__ = [
    "N_DECISIONS",
    "N_INPUTS",
    "N_SETS",
    "N_SPEAKERS",
    "N_TABLES",
    "SELECTORS",
    "TABLE",
    "code_first",
    "code_plane",
    "code_value",
    "place",
]

LMS, BIAS, BASE = N_EXPERTS, N_EXPERTS + 1, N_EXPERTS + 2
N_ALL = N_EXPERTS + 3
# Those whose odds are mixed; the others only take part in base and LMS.
SPEAKERS = np.array([0, 1, 2, 5, 9, LEARNED_A, LEARNED_B, LEAST_SQUARES, LEAST_SQUARES + 1, LMS, BIAS, BASE])
N_SPEAKERS = SPEAKERS.size
N_TABLES = 12
TABLE = 4096
N_INPUTS = N_SPEAKERS + N_TABLES + 1
N_DECISIONS = 8
N_SETS = 3
SELECTORS = 32
MOST_BYTES = 4096  # more than one value can take
FAR = 1 << 40
RATE, LAST_RATE, COUNT, LMS_STEP = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def code_plane(
    stream, plane, decoding, start, A, B, inverse, weight, softplus, odds, W, V, T, L, C, F, rates
):
    """Code ``plane`` into ``stream`` or, if ``decoding``, fill it from there; model arrays adapt in place.

    Returns the number of bytes written, or -1 when ``stream`` is too short.
    """
    n_rows, n_columns = plane.shape
    state = np.zeros(STATE, dtype=np.int64)
    if decoding:
        start_decoder(state, stream)
    else:
        start_encoder(state)
    H = np.zeros(n_columns + PAD, dtype=np.int64)
    D = np.zeros(LENGTH_B, dtype=np.int64)
    G = np.zeros((2, 5), dtype=np.int64)
    p, R = np.zeros(N_ALL, dtype=np.int64), np.zeros(N_ALL, dtype=np.int64)
    off, inv, tail = (
        np.zeros(N_SPEAKERS, dtype=np.int64),
        np.zeros(N_SPEAKERS, dtype=np.int64),
        np.zeros(N_SPEAKERS, dtype=np.int64),
    )
    x = np.zeros(N_INPUTS, dtype=np.int64)
    x[N_INPUTS - 1] = 256
    ctx, sel = np.zeros(N_TABLES, dtype=np.int64), np.zeros(N_SETS + 1, dtype=np.int64)
    outs = np.zeros(N_SETS, dtype=np.int64)
    first = 0
    for i in range(n_rows):
        if n_columns == 0:
            break
        if not decoding and state[POSITION] + MOST_BYTES > stream.size:
            return -1
        first = code_first(state, stream, decoding, plane[i, 0], first, F)
        plane[i, 0] = first
        H[: PAD + 1] = first
        R[:] = start
        G[:] = 0
        e1 = e2 = e3 = 0
        run1 = run2 = way = miss = 0
        for j in range(1, n_columns):
            if not decoding and state[POSITION] + MOST_BYTES > stream.size:
                return -1
            q = PAD + j
            last = H[q - 1]
            predict(H, q, j, n_columns, D, A, B, G, p)
            # the base and its two corrections
            least, lowest, highest = R[0], p[0], p[0]
            for k in range(1, N_EXPERTS):
                least = min(least, R[k])
                lowest = min(lowest, p[k])
                highest = max(highest, p[k])
            z = 0
            while least >> z >= 4096:
                z += 1
            top, bottom = 0, 0
            for k in range(N_EXPERTS):
                w = weight[min(R[k] >> (z + 2), weight.size - 1)]
                top += w * p[k]
                bottom += w
            base = top // bottom
            wide = min(level(least >> (z + 3)), 15)
            total = 0
            for k in range(N_EXPERTS):
                total += L[wide, k] * clip(p[k] - base, 16 << (z + 8))
            p[LMS] = base + (total >> 16)
            p[BIAS] = base + (C[miss, wide] >> 4)
            p[BASE] = base
            # mirrored offsets and scales
            c = (base + 128) >> 8
            f = base - (c << 8)
            sign = 1
            if f < 0:
                sign, f = -1, -f
            for k in range(N_SPEAKERS):
                off[k] = (p[SPEAKERS[k]] - (c << 8)) * sign
                inv[k] = inverse[min(R[SPEAKERS[k]] >> (z + 2), inverse.size - 1)]
            # contexts
            scale = min(level(least >> (z + 4)), 15)
            error_scale = min(level(R[BASE] >> (z + 4)), 15)
            spread = min(level((highest - lowest) >> (z + 4)), 15)
            g1, g2, g3 = e1 * sign, e2 * sign, e3 * sign
            g = clip(g1, 2) * 5 + clip(g2, 2) + 12
            ctx[0] = (f >> 4) * 16 + scale
            ctx[1] = (((clip(g1, 3) + 3) * 5 + clip(g2, 2) + 2) * 3 + clip(g3, 1) + 1) * 8 + (
                error_scale >> 1
            )
            ctx[2] = (place(off[5] >> z, 32, 9) * 19 + place(off[6] >> z, 32, 9)) * 4 + (scale >> 2)
            ctx[3] = (place(off[0] >> z, 128, 5) * 11 + place(off[1] >> z, 128, 5)) * 16 + scale
            ctx[4] = (32 * j // n_columns) * 16 + error_scale
            ctx[5] = (spread * 16 + error_scale) * 2 + (1 if f > 64 else 0)
            ctx[6] = ((min(level(run1), 11) * 12 + min(level(run2), 11)) * 3 + way * sign + 1) * 4 + min(
                f >> 5, 3
            )
            ctx[7] = (place(off[7] >> z, 32, 9) * 19 + place(off[9] >> z, 32, 9)) * 4 + (error_scale >> 2)
            ctx[8] = (
                (((clip(g1, 1) + 1) * 3 + clip(g2, 1) + 1) * 3 + clip(g3, 1) + 1) * 72
                + (f >> 4) * 8
                + (scale >> 1)
            )
            word = 0
            for k in range(5):
                word = word * 3 + clip((D[k] - D[k + 1]) * sign, 1) + 1
            ctx[9] = (word * 3 + clip(c * sign, 1) + 1) * 4 + min(f >> 5, 3)
            ctx[10] = min(level(abs(D[8])), 7) * 8 + min(level(abs(D[16])), 7)
            ctx[10] = (ctx[10] * 8 + min(level(abs(D[32])), 7)) * 4 + min(f >> 5, 3)
            bend1, bend2 = D[0] - 2 * D[1] + D[2], D[1] - 2 * D[2] + D[3]
            ctx[11] = (
                ((clip(bend1 * sign, 3) + 3) * 7 + clip(bend2 * sign, 3) + 3) * 7
                + clip((-D[1] - c) * sign, 3)
                + 3
            )
            ctx[11] = ctx[11] * 8 + (scale >> 1)
            sel[0] = scale
            sel[1] = min(j, 8) + 16 * j // n_columns
            sel[2] = g
            sel[3] = scale
            r = 0 if decoding else (plane[i, j] - last - c) * sign
            r = code_value(
                state,
                stream,
                decoding,
                r,
                z,
                off,
                inv,
                tail,
                x,
                ctx,
                sel,
                outs,
                softplus,
                odds,
                W,
                V,
                T,
                rates,
            )
            if decoding:
                plane[i, j] = last + c + r * sign
            value = plane[i, j]
            H[q] = value
            # learn from it
            truth = clip(value - last, CLIP) << 8
            for k in range(N_ALL):
                R[k] = (3 * R[k] + abs(truth - p[k]) + 2) >> 2
            step = rates[LMS_STEP] if truth > p[LMS] else -rates[LMS_STEP]
            for k in range(N_EXPERTS):
                L[wide, k] += step if p[k] > base else -step if p[k] < base else 0
            C[miss, wide] += (clip(truth - base, 1 << 20) * 16 - C[miss, wide]) >> 6
            if value != last:
                run2, run1 = run1, 0
                way = 1 if value > last else -1
            else:
                run1 += 1
            follow(G, value - last, -D[1], D[1] - D[2])
            e3, e2 = e2, e1
            e1 = clip(value - last - c, CLIP) >> z
            miss = clip(e1, 2) * 5 + clip(e2, 2) + 12
    return 0 if decoding else finish(state, stream)


@njit(cache=True, nogil=True)
def code_value(
    state, stream, decoding, r, z, off, inv, tail, x, ctx, sel, outs, softplus, odds, W, V, T, rates
):
    """Code or decode the mirrored distance ``r`` to the centre; speakers have offsets and inverse scales."""
    low = -(((1 << z) - 1) >> 1)
    high = low + (1 << z) - 1
    half = 128 << z
    for k in range(N_SPEAKERS):
        upper = ((half - off[k]) * inv[k]) >> (12 + z)
        lower = ((-half - off[k]) * inv[k]) >> (12 + z)
        x[k] = STRETCH[(_squash(upper) - _squash(lower)) >> 4]
        tail[k] = _log_tail(upper, softplus)
    if _decide(state, stream, decoding, low <= r <= high, 0, x, ctx, sel, outs, W, V, T, rates):
        if decoding:
            return low + decode_raw(state, stream, z)
        encode_raw(state, stream, r - low, z)
        return r
    for k in range(N_SPEAKERS):
        lower = ((-half - off[k]) * inv[k]) >> (12 + z)
        x[k] = clip(tail[k] - _log_tail(-lower, softplus), 2047)
    positive = _decide(state, stream, decoding, r > high, 1, x, ctx, sel, outs, W, V, T, rates)
    side = 1 if positive else -1
    edge = high + 1 if positive else 1 - low
    at = half
    if not positive:
        for k in range(N_SPEAKERS):
            tail[k] = _log_tail(((half + off[k]) * inv[k]) >> (12 + z), softplus)
    size = r * side
    bits, cells = z, 1
    while bits < 50:
        at = min(at + (256 << bits), FAR)
        for k in range(N_SPEAKERS):
            far = _log_tail((clip(at - off[k] * side, FAR) * inv[k]) >> (12 + z), softplus)
            x[k] = odds[min(tail[k] - far, odds.size - 1)]
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
    """Code one decision and let everything that had a say in it learn."""
    for k in range(N_TABLES):
        x[N_SPEAKERS + k] = STRETCH[T[k, ctx[k], decision] >> 18]
    final = 0
    v = V[decision, sel[N_SETS]]
    for m in range(N_SETS):
        w = W[m, decision, sel[m]]
        total = 0
        for k in range(N_INPUTS):
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
        for k in range(N_INPUTS):
            w[k] += (x[k] * own + (1 << 19)) >> 20
    target = one * ((1 << 20) - 1)
    for k in range(N_TABLES):
        cell = np.int64(T[k, ctx[k], decision])
        count = cell & 1023
        chance = cell >> 10
        chance += ((target - chance) * 2) // (2 * count + 3)
        T[k, ctx[k], decision] = (chance << 10) | min(count + 1, rates[COUNT])
    return one


@njit(cache=True, nogil=True)
def code_first(state, stream, decoding, value, above, F):
    """The first value of a row from the one above: length of the difference adaptive, the rest raw."""
    r = value - above
    v = 2 * r if r >= 0 else -2 * r - 1
    length = 0
    if not decoding:
        while v >> length:
            length += 1
    k = 0
    while k < 60:
        chance, count = F[k, 0], F[k, 1]
        if decoding:
            one = decode_bit(state, stream, chance)
        else:
            one = 1 if k < length else 0
            encode_bit(state, stream, one, chance)
        F[k, 0] = min(max(chance + (one * 65535 - chance) // (count + 2), 64), 65472)
        F[k, 1] = min(count + 1, 60)
        if not one:
            break
        k += 1
    if decoding:
        v = (1 << (k - 1)) | decode_raw(state, stream, k - 1) if k > 0 else 0
        return above + (v >> 1 if v & 1 == 0 else -(v >> 1) - 1)
    encode_raw(state, stream, v, max(k - 1, 0))
    return value
