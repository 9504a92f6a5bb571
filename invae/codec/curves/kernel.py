"""Learned coding of planes of curves: experts and a network foresee each value, mixed decisions write it.

Each expert (`invae.codec.curves.experts`) keeps a running absolute error R (decay 3/4). Two more repeat the
row above, its step and what the others missed there, and are heard where that was better in that row: so a
series of like curves foresees itself. The mean of all with weights (R^2 + .02)^-3/2 is the base; two more
correct the base: a sign-LMS sum of the experts' distances to it, and its mean error after the same last
errors. The base is rounded to the centre c, and signs are mirrored so that it lies on the positive side of
c. The distance to c is then written as `invae.codec.coding.decisions` does it.
Four experts speak under their own R as scale, three tables know the last errors, the lengths of constant
runs and the signs of the last differences, and a small network (`invae.codec.coding.network`) looks at
everything at once and at its memory of the row (`invae.codec.curves.memory`), where a model has one: its
statement is by far the best one.

Training is coding: what tables and mixers hold after a pass over training planes, with the learned taps and
the network, is the model. All arithmetic is in whole numbers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.coder import (
    POSITION,
    STATE,
    finish,
    start_decoder,
    start_encoder,
)
from invae.codec.coding.decisions import N_SETS, code_value
from invae.codec.coding.lengths import code_first
from invae.codec.coding.network import CONSTANT, N_LOGITS, respond
from invae.codec.curves.experts import (
    CLIP,
    LEARNED_A,
    LEARNED_B,
    LEAST_SQUARES,
    LENGTH_B,
    N_EXPERTS,
    PAD,
    follow,
    predict,
)
from invae.codec.curves.memory import LOOKS, MOST_MISSES, N_SEEN, observe, remember

__all__ = ["N_INPUTS", "N_MEAN", "N_TABLES", "code_plane"]

# Two learn from the row above: the same step; the same miss of the others.
STEP, MISS = N_EXPERTS, N_EXPERTS + 1
N_MEAN = N_EXPERTS + 2
LMS, BIAS, BASE = N_MEAN, N_MEAN + 1, N_MEAN + 2
N_ALL = N_MEAN + 3
# What the network sees of; the first ones also speak for themselves.
SHOWN = np.array(
    [LEARNED_A, LMS, BASE, 2, 0, 1, 5, 9, LEARNED_B, LEAST_SQUARES, LEAST_SQUARES + 1, BIAS, STEP, MISS]
)
UNKNOWN = 1 << 24  # error of what has no row above
N_SPEAKERS = 4
N_TABLES = 3
N_INPUTS = N_SPEAKERS + N_TABLES + 2  # and a constant, and the network
MOST_BYTES = 4096  # more than one value can take
LMS_STEP = 3


@njit(cache=True, nogil=True)
def code_plane(
    stream, plane, decoding, start, A, B, M1, M2, N1, N2, N3, inverse, weight, softplus, odds,
    W, V, T, L, C, F, rates, seen, met,
):  # fmt: skip
    """Code ``plane`` into ``stream`` or, if ``decoding``, fill it from there; model arrays adapt in place.

    A model without memory has empty M1 and M2. For training, ``seen`` and ``met`` take what was seen and the
    sign (in 1/64), and distance and cell size z of each value; either is empty otherwise. Returns the number
    of bytes written, or -1 when ``stream`` is too short.
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
    off, inv = np.zeros(SHOWN.size, dtype=np.int64), np.zeros(SHOWN.size, dtype=np.int64)
    tail = np.zeros(N_SPEAKERS, dtype=np.int64)
    x = np.zeros(N_INPUTS + N_LOGITS, dtype=np.int64)
    x[N_INPUTS - 2] = 256
    logits = x[N_INPUTS:]
    shown = LOOKS[1] if M2.size else LOOKS[0]
    n_seen = N_SEEN[1] if M2.size else N_SEEN[0]
    look = np.zeros(N1.shape[0], dtype=np.int32)
    hidden1, hidden2 = np.zeros(N2.shape[0], dtype=np.int32), np.zeros(N3.shape[0], dtype=np.int32)
    memory, now = np.zeros(M2.shape[1] // 2, dtype=np.int64), np.zeros(M2.shape[0], dtype=np.int32)
    upright, gates = np.zeros(M1.shape[0], dtype=np.int32), np.zeros(M2.shape[1], dtype=np.int32)
    places = np.zeros(max(N1.shape[0], N2.shape[0], N3.shape[0], M2.shape[0]), dtype=np.int64)
    E, sums = np.zeros(MOST_MISSES, dtype=np.int64), np.zeros(3, dtype=np.int64)
    heard = np.zeros(2, dtype=np.bool_)
    ctx, sel = np.zeros(N_TABLES, dtype=np.int64), np.zeros(N_SETS + 1, dtype=np.int64)
    outs = np.zeros(N_SETS, dtype=np.int64)
    above, missed = np.zeros(n_columns, dtype=np.int64), np.zeros(n_columns, dtype=np.int64)
    first = 0
    for i in range(n_rows):
        if n_columns == 0:
            break
        if not decoding and state[POSITION] + MOST_BYTES > stream.size:
            return -1
        first = code_first(state, stream, decoding, plane[i, 0], first, F)
        plane[i, 0] = first
        H[: PAD + 1] = first
        for k in range(2):  # heard where they did better in the row above than the others did
            heard[k] = i > 1 and sums[k] < sums[2]
            R[STEP + k] = sums[k] // n_columns + 1 if heard[k] else UNKNOWN
        R[:STEP] = start
        R[LMS:] = start
        sums[:] = 0
        G[:] = 0
        E[:] = 0
        memory[:] = 0
        now[:] = 0
        if M2.size:
            now[-1] = CONSTANT
        run1 = run2 = way = miss = 0
        for j in range(1, n_columns):
            if not decoding and state[POSITION] + MOST_BYTES > stream.size:
                return -1
            q = PAD + j
            last = H[q - 1]
            predict(H, q, j, n_columns, D, A, B, G, p)
            # the base and its two corrections
            least = R[0]
            for k in range(1, N_MEAN):
                least = min(least, R[k])
            z = 0
            while least >> z >= 4096:
                z += 1
            top, bottom = 0, 0
            for k in range(N_EXPERTS):
                w = weight[min(R[k] >> (z + 2), weight.size - 1)]
                top += w * p[k]
                bottom += w
            mean = top // bottom
            p[STEP] = clip(above[j] - above[j - 1], CLIP) << 8
            p[MISS] = mean + missed[j]
            for k in range(STEP, N_MEAN):
                w = weight[min(R[k] >> (z + 2), weight.size - 1)]
                top += w * p[k]
                bottom += w
            base = top // bottom
            wide = min(level(least >> (z + 3)), 15)
            total = 0
            for k in range(N_MEAN):
                if k < STEP or heard[k - STEP]:
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
            for k in range(SHOWN.size):
                off[k] = (p[SHOWN[k]] - (c << 8)) * sign
                inv[k] = inverse[min(R[SHOWN[k]] >> (z + 2), inverse.size - 1)]
            # contexts
            error_scale = min(level(R[BASE] >> (z + 4)), 15)
            g1, g2, g3 = E[0] * sign, E[1] * sign, E[2] * sign
            g = clip(g1, 2) * 5 + clip(g2, 2) + 12
            phase = min(f >> 5, 3)
            ctx[0] = ((clip(g1, 3) + 3) * 5 + clip(g2, 2) + 2) * 3 + clip(g3, 1) + 1
            ctx[0] = ctx[0] * 8 + (error_scale >> 1)
            ctx[1] = min(level(run1), 11) * 12 + min(level(run2), 11)
            ctx[1] = (ctx[1] * 3 + way * sign + 1) * 4 + phase
            word = 0
            for k in range(5):
                word = word * 3 + clip((D[k] - D[k + 1]) * sign, 1) + 1
            ctx[2] = (word * 3 + clip(c * sign, 1) + 1) * 4 + phase
            sel[1] = min(j, 8) + 16 * j // n_columns
            sel[2] = g
            sel[3] = min(level(least >> (z + 4)), 15)
            observe(look, shown, off, inv, R, SHOWN, D, E, z, sign, c, f, j, n_columns, run1, run2, way)
            r = 0 if decoding else (plane[i, j] - last - c) * sign
            if met.size:
                seen[i, j, :n_seen] = look[:n_seen]
                seen[i, j, n_seen] = CONSTANT * sign
                met[i, j, 0] = r
                met[i, j, 1] = z
            if M2.size:
                remember(look, sign, M1, M2, memory, now, upright, gates, places)
            respond(look, N1, N2, N3, hidden1, hidden2, places, logits)
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
            for k in range(2):
                sums[k] += min(abs(truth - p[STEP + k]), UNKNOWN)
            sums[2] += min(abs(truth - mean), UNKNOWN)
            missed[j] = clip(truth - mean, UNKNOWN)
            for k in range(N_ALL):
                R[k] = (3 * R[k] + abs(truth - p[k]) + 2) >> 2
            for k in range(2):
                if not heard[k]:
                    R[STEP + k] = UNKNOWN
            step = rates[LMS_STEP] if truth > p[LMS] else -rates[LMS_STEP]
            for k in range(N_MEAN):
                if k >= STEP and not heard[k - STEP]:
                    continue
                L[wide, k] += step if p[k] > base else -step if p[k] < base else 0
            C[miss, wide] += (clip(truth - base, 1 << 20) * 16 - C[miss, wide]) >> 6
            if value != last:
                run2, run1 = run1, 0
                way = 1 if value > last else -1
            else:
                run1 += 1
            follow(G, value - last, -D[1], D[1] - D[2])
            for k in range(MOST_MISSES - 1, 0, -1):
                E[k] = E[k - 1]
            E[0] = clip(value - last - c, CLIP) >> z
            miss = clip(E[0], 2) * 5 + clip(E[1], 2) + 12
        above[:] = plane[i]
    return 0 if decoding else finish(state, stream)
