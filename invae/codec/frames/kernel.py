"""Learned coding of stacked frames: neighbourhoods and a network foresee pixels, mixed decisions write them.

Experts are means, gradients and medians of decoded neighbours, the pixel opposite to a centre of symmetry
(`invae.codec.frames.centres`) as it is, moved by its neighbours and smoothed, the same pixel of the frame
before, wide means, learned taps on twenty neighbours and nine pixels about the opposite one (`TAPS`;
classes by the roughness of what is near), a sum of neighbours that adapts by signs, and, by far the best on
smooth frames, weights fitted to what was decoded near by (`invae.codec.frames.local_fit`). The error scale of
each is taken from its errors at the neighbours left, above left, above and above right. Their mean with
weights (R^2 + .02)^-3/2 is the base; two more correct it, as for curves: a sum of the experts' distances to
it that adapts by signs, and its mean error after the same errors on the left and above.

What the network sees (`N_SEEN`, in [-127, 127]): offsets of experts in units of their scales, the sizes of
their errors, differences of neighbours to the centre cell, the last errors near by, how neighbours differ
from their opposites, and the counts' size, for their noise depends on it.

All arithmetic is in whole numbers. Each frame starts at its own first pixel; what was learned goes on.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.coder import POSITION, STATE, finish, start_decoder, start_encoder
from invae.codec.coding.decisions import N_SETS, code_value, place
from invae.codec.coding.network import CONSTANT, respond
from invae.codec.frames.local_fit import FINE, fit, fitted, take

__all__ = [
    "HIDDEN",
    "N_CLASSES",
    "N_INPUTS",
    "N_MEAN",
    "N_SEEN",
    "N_SIDES",
    "N_TABLES",
    "N_TAPS",
    "N_WIDTHS",
    "code_frames",
]

TOP, SIDE = 3, 5  # rows above and columns beside a frame in the history
N_BASIC = 15
OPPOSITE_MEAN, EARLIER, OPPOSITE, MOVED = 9, 10, 13, 14
TAPS, LMS, FIT = N_BASIC, N_BASIC + 1, N_BASIC + 2
N_MEAN = N_BASIC + 3
SUM, BIAS, BASE = N_MEAN, N_MEAN + 1, N_MEAN + 2
N_ALL = N_MEAN + 3
# The first speak for themselves, the network sees all of these.
SHOWN = np.array(
    [FIT, BASE, SUM, TAPS, 1, OPPOSITE_MEAN, EARLIER, LMS, BIAS, 2, 3, 4, 8, 11, 12, OPPOSITE, MOVED]
)
N_SPEAKERS = 8
N_TABLES = 8
N_INPUTS = N_SPEAKERS + N_TABLES + 2
NEAR = np.array(
    [
        [0, -1], [-1, 0], [-1, -1], [-1, 1], [0, -2], [-2, 0], [-1, -2], [-1, 2], [-2, -1], [-2, 1],
        [0, -3], [-3, 0], [-2, -2], [-2, 2], [-1, -3], [-1, 3], [-3, -1], [-3, 1], [0, -4], [-2, 3],
    ]
)  # fmt: skip
N_NEAR = len(NEAR)
ABOUT = np.array([[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]])
N_ABOUT = len(ABOUT)
N_TAPS = N_NEAR + N_ABOUT  # with those about the opposite pixel
N_CLASSES = 32  # 16 of roughness, with and without an opposite pixel
N_DIFFERENCES, N_SIZES, N_PAIRS = 14, 6, 4
N_SEEN = 2 * SHOWN.size + N_DIFFERENCES + N_SIZES + 4 + N_PAIRS + 4 + 12
HIDDEN = (96, 32)
BLOCK = 8  # columns with a fit of their own
N_FITTED = 25
BOXES = np.array([4, 9])  # half-widths of the wide means
N_WIDTHS, N_SIDES = 16, 50  # contexts of the sum and of the mean error
LOWEST = 9  # smaller numbers are where they are
CLIP = 1 << 30
NEAR_CLIP = 1 << 30
MOST = 127
MOST_BYTES = 4096


@njit(cache=True, nogil=True)
def code_frames(
    stream, plane, offsets, decoding, height, centres, A, N1, N2, N3, inverse, weight, softplus, odds, W, V,
    T, L, C, rates, seen, met, near,
):  # fmt: skip
    """Code stacked frames of ``height`` rows into ``stream`` or, if ``decoding``, fill ``plane`` from there.

    ``offsets`` of the shape of ``plane``, in 1/256 (or empty), say how far from its number each pixel of at
    least `LOWEST` truly lies, such as a known dither: predictions are of the true place. ``centres`` (frames,
    2) holds twice the centre of symmetry plus one, or 0 0. Arrays of the model adapt in place. For training
    ``seen`` and ``met`` take what the network saw, and distance and cell size of each pixel, ``near`` (rows,
    columns, N_TAPS + 2) what taps meet, the difference to foresee and the class; each is empty otherwise.
    Returns the number of bytes written, or -1 when ``stream`` is too short.
    """
    n_rows, n_columns = plane.shape
    n_frames = n_rows // height
    state = np.zeros(STATE, dtype=np.int64)
    if decoding:
        start_decoder(state, stream)
    else:
        start_encoder(state)
    H = np.zeros((n_frames, height + TOP, n_columns + 2 * SIDE), dtype=np.int64)
    E = np.full((2, n_columns + 2, N_ALL), 256, dtype=np.int64)
    M = np.zeros((2, n_columns + 2), dtype=np.int64)  # errors of the base in cells
    p, R = np.zeros(N_ALL, dtype=np.int64), np.zeros(N_ALL, dtype=np.int64)
    off, inv = np.zeros(SHOWN.size, dtype=np.int64), np.zeros(SHOWN.size, dtype=np.int64)
    D = np.zeros(N_TAPS, dtype=np.int64)
    tail = np.zeros(N_SPEAKERS, dtype=np.int64)
    x = np.zeros(N_INPUTS + N3.shape[1], dtype=np.int64)
    x[N_INPUTS - 2] = 256
    logits = x[N_INPUTS:]
    look = np.zeros(N_SEEN, dtype=np.int32)
    hidden1 = np.zeros(N1.shape[1] + 1, dtype=np.int32)
    hidden2 = np.zeros(N2.shape[1] + 1, dtype=np.int32)
    places = np.zeros(max(N_SEEN, N1.shape[1] + 1), dtype=np.int64)
    ctx, sel = np.zeros(N_TABLES, dtype=np.int64), np.zeros(N_SETS + 1, dtype=np.int64)
    outs = np.zeros(N_SETS, dtype=np.int64)
    K = np.zeros(N_NEAR, dtype=np.int64)  # taps of the sum that adapts, 2^-16
    K[0] = K[1] = 26000
    K[2], K[3] = -8000, 14000
    K[4] = K[5] = 3768
    n_blocks = (n_columns + BLOCK - 1) // BLOCK
    sums = np.zeros((n_blocks, N_FITTED + 1, N_FITTED + 1), dtype=np.int64)
    work = np.zeros((N_FITTED + 2, N_FITTED + 1), dtype=np.int64)
    fit_taps, X = np.zeros(N_FITTED, dtype=np.int64), np.zeros(N_FITTED, dtype=np.int64)
    first = 0
    for g in range(n_frames):
        h = H[g]
        row2, column2 = centres[g]
        h[:TOP, :] = first
        columns = np.zeros((2, n_columns), dtype=np.int64)
        for i in range(height):
            r = i + TOP
            now, before = E[i & 1], E[1 - (i & 1)]
            miss, above = M[i & 1], M[1 - (i & 1)]
            line = plane[g * height + i]
            h[r, :SIDE] = h[r - 1, SIDE]
            for k in range(2):
                _sum_columns(h, i, BOXES[k], columns[k], n_columns)
            for j in range(n_columns):
                if not decoding and state[POSITION] + MOST_BYTES > stream.size:
                    return -1
                q = j + SIDE
                if j % BLOCK == 0:
                    fit(sums, j // BLOCK, n_blocks, work, fit_taps)
                w, n, nw, ne = h[r, q - 1], h[r - 1, q], h[r - 1, q - 1], h[r - 1, q + 1]
                ww, nn = h[r, q - 2], h[r - 2, q]
                nww, nee = h[r - 1, q - 2], h[r - 1, q + 2]
                nnw, nne = h[r - 2, q - 1], h[r - 2, q + 1]
                for k in range(N_NEAR):
                    D[k] = clip(h[r + NEAR[k, 0], q + NEAR[k, 1]] - w, NEAR_CLIP)
                turned = _about(h, i, j, row2, column2, n_columns, D, w)
                # experts, in 1/256
                four = w + n + nw + ne
                twelve = 2 * (w + n) + nw + ne + ww + nn
                ring = nww + nee + nnw + nne + h[r, q - 3] + h[r - 3, q]
                p[0] = twelve >> 3
                p[1] = (2 * twelve + ring) // 22
                p[2] = four >> 2
                p[3] = w + n - nw
                p[4] = _median(w, n, w + n - nw)
                p[5] = w
                p[6] = n
                p[7] = (w + ne + n - nne) >> 1
                p[8] = (2 * w - ww + 2 * n - nn) >> 1
                p[EARLIER] = p[0]
                if g > 0:
                    e = H[g - 1]
                    change = w + n + nw + ne - e[r, q - 1] - e[r - 1, q] - e[r - 1, q - 1] - e[r - 1, q + 1]
                    p[EARLIER] = e[r, q] + (change >> 2)
                for k in range(2):
                    p[11 + k] = _box_mean(h, i, j, BOXES[k], columns[k], n_columns, p[0])
                p[OPPOSITE_MEAN] = p[OPPOSITE] = p[MOVED] = p[0]
                if turned:
                    o = D[N_NEAR : N_NEAR + N_ABOUT]
                    p[OPPOSITE] = w + o[0]
                    p[OPPOSITE_MEAN] = w + ((4 * o[0] + o[1] + o[2] + o[3] + o[4]) >> 3)
                    p[MOVED] = (2 * o[0] + w - o[2] + n - o[4]) >> 1
                rough = _roughness(D) >> 8
                kind = 16 * turned + min(level(rough), 15)
                taps = A[kind]
                if near.size:
                    near[g * height + i, j, :N_TAPS] = D >> 8
                    near[g * height + i, j, N_TAPS] = line[j] - (w >> 8)
                    near[g * height + i, j, N_TAPS + 1] = kind
                total = 0
                for k in range(N_TAPS if turned else N_NEAR):
                    total += taps[k] * D[k]
                p[TAPS] = w + ((total + (32 << 8)) >> 14)
                total = 0
                for k in range(N_NEAR):
                    total += K[k] * D[k]
                p[LMS] = w + (total >> 16)
                for k in range(N_FITTED - 1):
                    X[k] = D[k + 1] >> (8 - FINE)
                X[N_FITTED - 1] = (p[TAPS] - w) >> (8 - FINE)
                p[FIT] = w + fitted(fit_taps, X)
                least = 1 << 60
                above_it, corner = before[j + 1], before[j]
                left = now[j] if j > 0 else above_it
                right = before[min(j + 2, n_columns)]
                for k in range(N_ALL):
                    R[k] = (3 * left[k] + 3 * above_it[k] + corner[k] + right[k] + 4) >> 3
                for k in range(N_MEAN):
                    least = min(least, R[k])
                z = 0
                while least >> z >= 4096:
                    z += 1
                top, bottom = 0, 0
                for k in range(N_MEAN):
                    p[k] = clip(p[k], 1 << 38)
                    share = weight[min(R[k] >> (z + 2), weight.size - 1)] >> 2
                    top += share * ((p[k] - p[0]) >> 4)
                    bottom += share
                base = p[0] + (top // max(bottom, 1) << 4)
                wide = min(level(least >> (z + 3)), 15)
                total = 0
                for k in range(N_MEAN):
                    total += L[wide, k] * clip(p[k] - base, 16 << (z + 8))
                p[SUM] = base + (total >> 16)
                m_w, m_n = miss[j] if j > 0 else above[1], above[j + 1]
                m_nw, m_ne = above[j], above[min(j + 2, n_columns)]
                side = (clip(m_w, 2) * 5 + clip(m_n, 2) + 12) * 2 + turned
                p[BIAS] = base + (C[side, wide] << z >> 4)
                p[BASE] = base
                # mirrored offsets and scales
                delta = offsets[g * height + i, j] if offsets.size and base >= LOWEST << 8 else 0
                c = (base - delta + 128) >> 8
                middle = (c << 8) + delta
                f = base - middle
                sign = 1
                if f < 0:
                    sign, f = -1, -f
                for k in range(SHOWN.size):
                    off[k] = (p[SHOWN[k]] - middle) * sign
                    inv[k] = inverse[min(R[SHOWN[k]] >> (z + 2), inverse.size - 1)]
                f = min(f, 128)
                upward = (sign + 1) >> 1
                scale = min(level(least >> (z + 4)), 15)
                error_scale = min(level(R[BASE] >> (z + 4)), 15)
                fine = max(base, 0) >> 4
                fine = fine if fine < 512 else 512 + min(level(fine >> 5) * 8 + (f >> 4), 500)
                dw = clip((w - middle) * sign >> (z + 8), 4) + 4
                dn = clip((n - middle) * sign >> (z + 8), 4) + 4
                ctx[0] = (f >> 4) * 16 + scale
                ctx[1] = fine
                ctx[2] = (dw * 9 + dn) * 16 + error_scale
                ctx[3] = (place(off[5] >> z, 32, 9) * 19 + place(off[6] >> z, 32, 9)) * 2 + upward
                ctx[4] = min(max(p[11], 0) >> 4, 2047) * 2 + upward
                ctx[5] = min(level(max(w, 0) >> 8), 15) * 16 + min(level(max(n, 0) >> 8), 15)
                ctx[5] = ctx[5] * 16 + min(level(max(ne, 0) >> 8), 15)
                ctx[6] = min(j * 64 // n_columns, 63) * 32 + min(i * 32 // height, 31)
                ctx[7] = min(max(twelve + ring, 0) >> 8, 511) * 4 + (f >> 5 if f < 128 else 3)
                sel[1] = min(level(max(base, 0) >> 6), 31)
                sel[2] = error_scale + 16 * (1 if f > 64 else 0)
                sel[3] = scale
                # what the network sees
                m = 0
                for k in range(SHOWN.size):
                    look[m] = clip((off[k] * inv[k]) >> (16 + z), MOST)
                    look[m + 1] = clip(4 * level(R[SHOWN[k]] >> (z + 2)) - 60, MOST)
                    m += 2
                for k in range(N_DIFFERENCES):
                    look[m + k] = 32 * sign * clip((D[k] + w - middle) >> (z + 8), 3)
                m += N_DIFFERENCES
                for k in range(N_SIZES):
                    look[m + k] = clip(4 * sign * _signed_level((D[k] + w - middle) >> (z + 8)), MOST)
                m += N_SIZES
                look[m] = 32 * sign * clip(m_w, 3)
                look[m + 1] = 32 * sign * clip(m_n, 3)
                look[m + 2] = 32 * sign * clip(m_nw, 3)
                look[m + 3] = 32 * sign * clip(m_ne, 3)
                m += 4
                look[m : m + N_PAIRS + 4] = 0
                if turned:
                    # neighbours left, above, above left and right, less their opposites
                    look[m] = 32 * sign * clip(-D[N_NEAR + 2] >> (z + 8), 3)
                    look[m + 1] = 32 * sign * clip((D[1] - D[N_NEAR + 4]) >> (z + 8), 3)
                    look[m + 2] = 32 * sign * clip((D[2] - D[N_NEAR + 8]) >> (z + 8), 3)
                    look[m + 3] = 32 * sign * clip((D[3] - D[N_NEAR + 7]) >> (z + 8), 3)
                    for k in range(4):  # the opposite pixel less those that have no counterpart yet
                        other = D[N_NEAR] - D[N_NEAR + (1, 3, 5, 6)[k]]
                        look[m + 4 + k] = clip(4 * sign * _signed_level(other >> (z + 8)), MOST)
                m += N_PAIRS + 4
                look[m] = f >> 1
                look[m + 1] = 127 * j // n_columns - 64
                look[m + 2] = 127 * i // height - 64
                look[m + 3] = 4 * min(min(i, j), 32) - 64
                look[m + 4] = min(5 * level(max(base, 0) >> 5), MOST)
                look[m + 5] = min(max(base, 0) >> 3, MOST)
                look[m + 6] = min(max(base, 0) >> 6, MOST)
                look[m + 7] = 64 * sign
                look[m + 8] = min(8 * z, MOST)
                look[m + 9] = 64 * turned
                look[m + 10] = 64 if g > 0 else 0
                look[m + 11] = CONSTANT
                d = 0 if decoding else (line[j] - c) * sign
                if met.size:
                    seen[g * height + i, j, :] = look
                    met[g * height + i, j, 0] = d
                    met[g * height + i, j, 1] = z
                respond(look, N1, N2, N3, hidden1, hidden2, places, logits)
                d = code_value(
                    state, stream, decoding, d, z, off, inv, tail, x, ctx, sel, outs, softplus, odds, W, V, T,
                    rates,
                )  # fmt: skip
                if decoding:
                    line[j] = c + d * sign
                value = clip(line[j], CLIP)
                miss[j + 1] = clip(value - c, CLIP) >> z
                value <<= 8
                if offsets.size and line[j] >= LOWEST:
                    value += offsets[g * height + i, j]
                h[r, q] = value
                if i == 0:  # nothing is above: the last pixel stands for it
                    h[:TOP, q + 1 :] = value
                    if j == 0:
                        h[:TOP, :] = value
                if j == 0:
                    h[r, :SIDE] = value
                # learn from it
                truth = value
                for k in range(N_ALL):
                    now[j + 1, k] = min(abs(truth - p[k]), 1 << 39)
                if j == 0:
                    now[0] = now[1]
                if j == n_columns - 1:
                    now[j + 2 if j + 2 < n_columns + 2 else j + 1] = now[j + 1]
                C[side, wide] += ((clip(truth - base, 1 << 36) >> z) * 16 - C[side, wide]) >> 6
                step = rates[3] if truth > p[SUM] else -rates[3]
                for k in range(N_MEAN):
                    L[wide, k] += step if p[k] > base else -step if p[k] < base else 0
                take(sums, j // BLOCK, X, (truth - w) >> (8 - FINE), (truth - p[FIT]) >> 8)
                way = 4 if truth > p[LMS] else -4
                mean = (p[2] >> 8 << 8) - w
                for k in range(N_NEAR):
                    K[k] += way if D[k] > mean else -way if D[k] < mean else 0
            h[r, n_columns + SIDE :] = h[r, n_columns + SIDE - 1]
            if i == 0:
                h[:TOP] = h[TOP]
        first = h[TOP, SIDE]
    return 0 if decoding else finish(state, stream)


@njit(cache=True, nogil=True)
def _about(h, i, j, row2, column2, n_columns, D, w):
    """Differences to ``w`` about the pixel opposite to (i, j), where it is decoded; 1 if so, else 0."""
    D[N_NEAR:] = 0
    if row2 == 0:
        return 0
    y, x = row2 - 1 - i, column2 - 1 - j
    if not (0 <= y < i or (y == i and x < j)) or not 0 <= x < n_columns:
        return 0
    for k in range(N_ABOUT):
        b, a = y + ABOUT[k, 0], x + ABOUT[k, 1]
        if b < 0:
            b = 0
        if b > i or (b == i and a >= j):  # not yet decoded: the pixel turned back
            b, a = y, x
        D[N_NEAR + k] = clip(h[b + TOP, a + SIDE] - w, NEAR_CLIP)
    return 1


@njit(cache=True, nogil=True)
def _roughness(D):
    """Sum of second differences among the neighbours: 0, 1, .. are left, above, .. as in `NEAR`."""
    across = abs(2 * D[4] - D[10]) + abs(D[1] - 2 * D[2] + D[6]) + abs(D[3] - 2 * D[1] + D[2])
    down = abs(D[1] - 2 * D[5] + D[11]) + abs(-2 * D[2] + D[8]) + abs(D[7] - 2 * D[3] + D[1])
    return across + down


@njit(cache=True, nogil=True)
def _signed_level(value):
    return level(value) if value >= 0 else -level(-value)


@njit(cache=True, nogil=True)
def _median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@njit(cache=True, nogil=True)
def _sum_columns(h, i, half, columns, n_columns):
    """Keep the sums over the last ``half`` rows above row i of every column."""
    if i == 0:
        return
    for j in range(n_columns):
        columns[j] += h[i - 1 + TOP, j + SIDE]
        if i > half:
            columns[j] -= h[i - 1 - half + TOP, j + SIDE]


@njit(cache=True, nogil=True)
def _box_mean(h, i, j, half, columns, n_columns, otherwise):
    """Mean of ``half`` rows above, as wide to both sides, and as many pixels on the left."""
    low, high = max(j - half, 0), min(j + half, n_columns - 1)
    total = 0
    for k in range(low, high + 1):
        total += columns[k]
    count = min(i, half) * (high - low + 1) + j - low
    for k in range(low, j):
        total += h[i + TOP, k + SIDE]
    return total // count if count > 0 else otherwise
