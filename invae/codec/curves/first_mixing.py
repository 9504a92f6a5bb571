"""The first layout of learned coding (models `INVM` 1, without a network), which old archives need.

Experts, base and mirroring are those of `invae.codec.curves.mixing`; what differs: twelve tables of contexts,
no network, no experts from the row above, and a first mixer that is chosen by the least running error.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coder import POSITION, STATE, finish, start_decoder, start_encoder
from invae.codec.curves.experts import (
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
from invae.codec.curves.mixing import code_first
from invae.codec.decisions import N_SETS, code_value, place

__all__ = ["N_INPUTS", "N_TABLES", "code_plane"]

LMS, BIAS, BASE = N_EXPERTS, N_EXPERTS + 1, N_EXPERTS + 2
N_ALL = N_EXPERTS + 3
# Those whose odds are mixed; the others only take part in base and LMS.
SPEAKERS = np.array([0, 1, 2, 5, 9, LEARNED_A, LEARNED_B, LEAST_SQUARES, LEAST_SQUARES + 1, LMS, BIAS, BASE])
N_SPEAKERS = SPEAKERS.size
N_TABLES = 12
N_INPUTS = N_SPEAKERS + N_TABLES + 1
MOST_BYTES = 4096  # more than one value can take
LMS_STEP = 3


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
