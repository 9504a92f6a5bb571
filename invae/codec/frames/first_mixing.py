"""Reading of frames in their first two layouts, no longer written (now: `invae.codec.frames.model`).

Experts are means and gradients of decoded neighbours, a sign-LMS sum of twelve neighbours, the pixel
opposite to a centre of symmetry when the encoder found one (as it is, moved by its neighbours, and
smoothed), and the same pixel of the frame before in a stack. The error scale of each is taken from its
errors at the neighbours left, above left, above and above right. Odds are mixed as for curves
(`invae.codec.decisions`); contexts are the base in sixteenths of a count (so low counts learn their own
distribution), neighbours, offsets and scales.

The first layout knows the opposite pixel only smoothed: two experts and their statements less.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coder import STATE, start_decoder
from invae.codec.curves.experts import clip, level
from invae.codec.decisions import N_DECISIONS, N_SETS, SELECTORS, TABLE, code_value, place
from invae.codec.tables import mixing_tables
from invae.codec.varint import Reader

__all__ = ["decode_frames"]

PAD = 4
N_BASIC = 15
OPPOSITE, MOVED = 13, 14  # what the first layout lacks
LMS, BASE = N_BASIC, N_BASIC + 1
N_ALL = N_BASIC + 2
SPEAKERS = np.array([0, 1, 2, 4, 7, 8, 9, 10, 11, 12, LMS, BASE, OPPOSITE, MOVED])
N_SPEAKERS, N_FIRST = SPEAKERS.size, SPEAKERS.size - 2
N_TABLES = 12
BOXES = np.array([4, 9])  # half-widths of the wide means
CLIP = 1 << 30
OFFSETS = np.array(
    [
        [0, -1],
        [-1, 0],
        [-1, -1],
        [-1, 1],
        [0, -2],
        [-2, 0],
        [-1, -2],
        [-1, 2],
        [-2, -1],
        [-2, 1],
        [0, -3],
        [-3, 0],
    ]
)


def decode_frames(data: bytes, n_rows: int, n_columns: int, first: bool = False) -> np.ndarray:
    """Rebuild the plane; ``first`` if it was coded in the first layout."""
    reader = Reader(data)
    height = reader.number()
    if not 0 < height <= n_rows or n_rows % height or n_columns < 4:
        raise reader.fail(f"frames of {height} rows do not fit {n_rows} x {n_columns} pixels")
    found = [(reader.number(), reader.number()) for _ in range(n_rows // height)]
    if any(row > 2 * height or column > 2 * n_columns for row, column in found):
        raise reader.fail("a centre outside of its frame is not possible")
    centres = np.array(found, dtype=np.int64)
    plane = np.zeros((n_rows, n_columns), dtype=np.int64)
    stream = np.frombuffer(reader.rest(), dtype=np.uint8).copy()
    _decode(stream, plane, height, centres, *_fresh(N_FIRST if first else N_SPEAKERS), *_tables())
    return plane


def _fresh(n_speakers: int) -> tuple[np.ndarray, ...]:
    W = np.full((N_SETS, N_DECISIONS, SELECTORS, n_speakers + N_TABLES + 1), 9000, dtype=np.int32)
    V = np.full((N_DECISIONS, SELECTORS, N_SETS), 65536 // N_SETS, dtype=np.int32)
    T = np.full((N_TABLES, TABLE, N_DECISIONS), 1 << 29, dtype=np.int32)
    return W, V, T


def _tables() -> tuple[np.ndarray, ...]:
    softplus, odds, inverse, weight = mixing_tables()
    return softplus, odds, inverse, weight


@njit(cache=True, nogil=True)
def _decode(stream, plane, height, centres, W, V, T, softplus, odds, inverse, weight):
    n_rows, n_columns = plane.shape
    state = np.zeros(STATE, dtype=np.int64)
    start_decoder(state, stream)
    H = np.zeros((n_rows + PAD, n_columns + 2 * PAD), dtype=np.int64)
    E = np.full((2, N_ALL, n_columns + 2), 256, dtype=np.int64)
    p, R = np.zeros(N_ALL, dtype=np.int64), np.zeros(N_ALL, dtype=np.int64)
    off, inv = np.zeros(N_SPEAKERS, dtype=np.int64), np.zeros(N_SPEAKERS, dtype=np.int64)
    x = np.zeros(W.shape[3], dtype=np.int64)
    x[x.size - 1] = 256
    tail = np.zeros(x.size - N_TABLES - 1, dtype=np.int64)
    mirrored = tail.size == N_SPEAKERS
    ctx, sel = np.zeros(N_TABLES, dtype=np.int64), np.zeros(N_SETS + 1, dtype=np.int64)
    outs = np.zeros(N_SETS, dtype=np.int64)
    columns = np.zeros((2, n_columns), dtype=np.int64)
    L = np.zeros(12, dtype=np.int64)
    L[0] = L[1] = 26000
    L[2], L[3] = -8000, 14000
    L[4] = L[5] = 3768
    rates = np.zeros(4, dtype=np.int64)
    rates[2] = 500
    for i in range(n_rows):
        rates[0] = 5 + 30 * 4000 // (4000 + i * n_columns)
        rates[1] = 2 + 4 * 4000 // (4000 + i * n_columns)
        now, before = E[i & 1], E[1 - (i & 1)]
        in_frame = i % height
        row2, column2 = centres[i // height]
        for k in range(2):
            _sum_columns(H, i, BOXES[k], columns[k], n_columns)
        for j in range(n_columns):
            r, q = i + PAD, j + PAD
            up = H[r - 1]
            w, n, nw, ne = H[r, q - 1], up[q], up[q - 1], up[q + 1]
            ww, nn, nww, nee = H[r, q - 2], H[r - 2, q], up[q - 2], up[q + 2]
            nnw, nne = H[r - 2, q - 1], H[r - 2, q + 1]
            www, nnn = H[r, q - 3], H[r - 3, q]
            if j == 0:
                w, ww, www, nw, nww, nnw = n, n, n, n, n, nn
            elif j == 1:
                ww, www, nww = w, w, nw
            elif j == 2:
                www = ww
            if i == 0:
                n, nw, ne, nww, nee, nn, nnw, nne, nnn = w, w, w, w, w, w, w, w, w
            elif i == 1:
                nn, nnw, nne, nnn = n, nw, ne, n
            if j >= n_columns - 1:
                ne, nee, nne = n, n, nn
            elif j == n_columns - 2:
                nee = ne
            # experts, in 1/256
            four = w + n + nw + ne
            twelve = 2 * (w + n) + nw + ne + ww + nn
            p[0] = (twelve << 8) // 8
            ring = nww + nee + nnw + nne + www + nnn
            p[1] = ((2 * twelve + ring) << 8) // 22
            p[2] = four << 6
            p[3] = (w + n - nw) << 8
            p[4] = _median(w, n, w + n - nw) << 8
            p[5] = w << 8
            p[6] = n << 8
            p[7] = ((w + ne) << 7) + ((n - nne) << 7)
            p[8] = ((2 * w - ww) + (2 * n - nn)) << 7
            p[9] = _opposite(H, i - in_frame, in_frame, j, height, row2, column2, n_columns, p[0])
            p[10] = _earlier(H, i, j, height, p[0], w, n, nw, ne)
            for k in range(2):
                p[11 + k] = _box_mean(H, i, j, BOXES[k], columns[k], n_columns, p[0])
            _mirror(H, i - in_frame, in_frame, j, row2, column2, n_columns, w, n, p)
            total = L[0] * w + L[1] * n + L[2] * nw + L[3] * ne + L[4] * ww + L[5] * nn
            total += L[6] * nww + L[7] * nee + L[8] * nnw + L[9] * nne + L[10] * www + L[11] * nnn
            p[LMS] = total >> 8
            least, top, bottom = 1 << 60, 0, 0
            for k in range(N_ALL):
                left = now[k, j] if j > 0 else before[k, j + 1]
                R[k] = (
                    3 * left + 3 * before[k, j + 1] + before[k, j] + before[k, min(j + 2, n_columns)] + 4
                ) >> 3
                if k < BASE and (mirrored or k < OPPOSITE or k > MOVED):
                    least = min(least, R[k])
            z = 0
            while least >> z >= 4096:
                z += 1
            for k in range(BASE):
                p[k] = clip(p[k], 1 << 38)
                if not mirrored and OPPOSITE <= k <= MOVED:
                    continue
                share = weight[min(R[k] >> (z + 2), weight.size - 1)] >> 2
                top += share * (p[k] - p[0] >> 4)
                bottom += share
            base = p[0] + (top // max(bottom, 1) << 4)
            p[BASE] = base
            c = (base + 128) >> 8
            f = base - (c << 8)
            sign = 1
            if f < 0:
                sign, f = -1, -f
            for k in range(N_SPEAKERS):
                off[k] = (p[SPEAKERS[k]] - (c << 8)) * sign
                inv[k] = inverse[min(R[SPEAKERS[k]] >> (z + 2), inverse.size - 1)]
            f = min(f, 128)
            up_side = (sign + 1) >> 1
            scale = min(level(least >> (z + 4)), 15)
            error_scale = min(level(R[BASE] >> (z + 4)), 15)
            fine = max(base, 0) >> 4
            fine = fine if fine < 512 else 512 + min(level(fine >> 5) * 8 + (f >> 4), 500)
            dw, dn = clip((w - c) * sign >> z, 4) + 4, clip((n - c) * sign >> z, 4) + 4
            dne, dnw = clip((ne - c) * sign >> z, 2) + 2, clip((nw - c) * sign >> z, 2) + 2
            ctx[0] = (f >> 4) * 16 + scale
            ctx[1] = fine
            ctx[2] = (dw * 9 + dn) * 16 + error_scale
            ctx[3] = ((dw * 9 + dn) * 5 + dne) * 5 + dnw
            ctx[4] = (place(off[1] >> z, 32, 9) * 19 + place(off[10] >> z, 32, 9)) * 2 + up_side
            turned = off[12] if mirrored else off[7]
            ctx[5] = (place(off[6] >> z, 64, 9) * 19 + place(turned >> z, 64, 9)) * 4 + (scale >> 2)
            ctx[6] = min(max(p[11], 0) >> 4, 2047) * 2 + up_side
            ctx[7] = (min(level(max(w, 0)), 15) * 16 + min(level(max(n, 0)), 15)) * 16 + min(
                level(max(ne, 0)), 15
            )
            ctx[8] = min(max(p[12], 0) >> 4, 511) * 8 + min(max(four, 0), 7)
            ctx[9] = (error_scale * 16 + scale) * 2 + up_side
            ctx[10] = min(j * 64 // n_columns, 63) * 32 + min(in_frame * 32 // height, 31)
            ctx[11] = min(max(twelve + ring, 0), 511) * 4 + (f >> 5 if f < 128 else 3)
            sel[0] = scale
            sel[1] = min(level(max(base, 0) >> 6), 31)
            sel[2] = min(error_scale, 15) + 16 * (1 if f > 64 else 0)
            sel[3] = scale
            d = code_value(
                state, stream, True, 0, z, off, inv, tail, x, ctx, sel, outs, softplus, odds, W, V, T, rates
            )
            plane[i, j] = c + d * sign
            value = clip(plane[i, j], CLIP)
            H[r, q] = value
            truth = value << 8
            for k in range(N_ALL):
                now[k, j + 1] = min(abs(truth - p[k]), 1 << 39)
            if j == 0:
                for k in range(N_ALL):
                    now[k, 0] = now[k, 1]
            if j == n_columns - 1:
                for k in range(N_ALL):
                    now[k, n_columns + 1] = now[k, n_columns]
            _learn(
                L, 1 if truth > p[LMS] else -1, p[2] >> 8, w, n, nw, ne, ww, nn, nww, nee, nnw, nne, www, nnn
            )


@njit(cache=True, nogil=True)
def _learn(L, way, mean, w, n, nw, ne, ww, nn, nww, nee, nnw, nne, www, nnn):
    """Sign-sign step of the twelve taps, towards neighbours that lie on the side of the error."""
    k = 0
    for v in (w, n, nw, ne, ww, nn, nww, nee, nnw, nne, www, nnn):
        if v > mean:
            L[k] += way * 4
        elif v < mean:
            L[k] -= way * 4
        k += 1


@njit(cache=True, nogil=True)
def _median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@njit(cache=True, nogil=True)
def _opposite(H, origin, i, j, height, row2, column2, n_columns, otherwise):
    """Mean around the pixel opposite to (i, j) in this frame, where it is known already."""
    if row2 == 0:
        return otherwise
    y, x = row2 - 1 - i, column2 - 1 - j
    if not 0 <= y < i - 1 or not 0 <= x < n_columns:
        return otherwise
    r, q = origin + y + PAD, x + PAD
    left, right = max(q - 1, PAD), min(q + 1, n_columns + PAD - 1)
    above = r - 1 if y > 0 else r
    total = 4 * H[r, q] + H[r, left] + H[r, right] + H[above, q] + H[r + 1, q]
    return total << 5


@njit(cache=True, nogil=True)
def _mirror(H, origin, i, j, row2, column2, n_columns, w, n, p):
    """The pixel opposite to (i, j), as it is and moved by how its neighbours differ from theirs."""
    p[OPPOSITE] = p[MOVED] = p[0]
    if row2 == 0:
        return
    y, x = row2 - 1 - i, column2 - 1 - j
    if not (0 <= y < i or (y == i and x < j)) or not 0 <= x < n_columns - 1:
        return
    r, q = origin + y + PAD, x + PAD
    p[OPPOSITE] = H[r, q] << 8
    if y < i - 1:
        p[MOVED] = (2 * H[r, q] + w - H[r, q + 1] + n - H[r + 1, q]) << 7
    else:
        p[MOVED] = p[OPPOSITE]


@njit(cache=True, nogil=True)
def _sum_columns(H, i, half, columns, n_columns):
    """Keep the sums over the last ``half`` rows above row i of every column."""
    if i == 0:
        return
    for j in range(n_columns):
        columns[j] += H[i - 1 + PAD, j + PAD]
        if i > half:
            columns[j] -= H[i - 1 - half + PAD, j + PAD]


@njit(cache=True, nogil=True)
def _box_mean(H, i, j, half, columns, n_columns, otherwise):
    """Mean of ``half`` rows above, as wide to both sides, and as many pixels on the left."""
    low, high = max(j - half, 0), min(j + half, n_columns - 1)
    total = 0
    for k in range(low, high + 1):
        total += columns[k]
    count = min(i, half) * (high - low + 1) + j - low
    for k in range(low, j):
        total += H[i + PAD, k + PAD]
    return (total << 8) // count if count > 0 else otherwise


@njit(cache=True, nogil=True)
def _earlier(H, i, j, height, otherwise, w, n, nw, ne):
    """The same pixel one frame before, moved by what the neighbours changed."""
    if i < height:
        return otherwise
    r, q = i + PAD - height, j + PAD
    return H[r, q] << 8
