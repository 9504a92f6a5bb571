"""Kernels: values to tokens, tokens to interleaved rANS lanes, and back.

The rows of a frame are cut into stripes, one for each lane; lanes are decoded in step, and each goes on
from frame to frame. A pixel, with l, l2, l3 the three values on its left, s the sum over all other taps
(`invae.codec.stream.neighbours`), w0, w1, w2 the weights of the first taps:

* step = (s + w0 l + w1 l2 + w2 l3) >> (shift - 4), from l to the expected value, in 1/16;
* errors around = 3 left + (left above + 3 above + right above), or, in the first row of a stripe and along
  rows, 5 left + 3 second left; before the first column stands the first error of the row before, or 0;
* level, context, low bits: `invae.codec.stream.contexts`;
* z = value, if level < direct; else the folded difference to the guess l + ((step + 8) >> 4), which is kept
  inside 0 .. top;
* token and raw bits of z: with h = z >> low, h itself below 16, then 16 + 4 (length of h - 5) + the two
  bits below its leading one; what is left of h and the low bits are raw. Longer than 15 bits: ESCAPE, 6
  bits for the length of z less 1, all bits of z below its leading one.
* error = |16 (value - l) - step|, at most 2^40.

rANS: state x of 64 bits, at least 2^31. slot = x mod 2^12 names the token, of frequency f and first slot c;
x = f (x >> 12) + slot - c; up to 16 raw bits are taken from the low end of x; if x < 2^31 then x = 2^32 x +
next word. Further raw bits come 16 at a time, the lowest first, each with its own refill. A lane begins
with the two words of its state, low word first, and ends with x = 2^31 and all words used.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.stream.bits import bit_length, drop_bits, fold, unfold
from invae.codec.stream.contexts import ALONG_ROWS, context, expected, miss, scale
from invae.codec.stream.neighbours import (
    INNER,
    PAD,
    TILE,
    close_row,
    fill_gap,
    open_row,
    outer_sums,
    own_pads,
)

__all__ = [
    "ESCAPE",
    "N_TOKENS",
    "PRECISION",
    "Lanes",
    "Model",
    "Tables",
    "Work",
    "new_work",
    "read_frame",
    "stripe_tops",
    "tokens_of_frame",
    "write_lane",
]

PRECISION = 12
N_TOKENS = 64
ESCAPE = N_TOKENS - 1
DIRECT = 16
LONGEST = 15  # bits of what tokens tell; longer ones escape
LOWEST = 1 << 31
NO_MASK = np.zeros(0, dtype=np.uint8)
SKIPPED = -1  # record of a pixel that is not coded

BASE = np.array([*range(DIRECT), *(4 + (k & 3) for k in range(N_TOKENS - DIRECT))], dtype=np.int64)
EXTRA = np.array([0] * DIRECT + [(k >> 2) + 2 for k in range(N_TOKENS - DIRECT)], dtype=np.int64)


class Model(NamedTuple):
    """How a frame is predicted and its values are put into contexts.

    ``layout`` of the contexts; values are coded as they are where less than ``direct`` / 16 is expected;
    ``weights`` (1 + sets, N_TAPS) in 2^-shift, those of the first tap less 2^shift; ``top`` is the largest
    value; ``tiles`` says which set each tile uses; ``mask`` (rows, columns) is empty or marks gaps,
    ``reference`` (rows + 2, columns + 2) is empty or holds expected values in 1/16.
    """

    layout: int
    direct: int
    shift: int
    top: int
    weights: np.ndarray
    tiles: np.ndarray
    reference: np.ndarray
    mask: np.ndarray


class Work(NamedTuple):
    """Rows of workspace, one for each lane."""

    tops: np.ndarray
    sums: np.ndarray
    errors: np.ndarray
    above: np.ndarray
    inner: np.ndarray
    rows: np.ndarray
    starts: np.ndarray


class Tables(NamedTuple):
    """Numbers of the tables ``of_context`` (2, N_CONTEXTS); their ``slots`` to tokens; ``ranges`` of tokens,
    frequency | first slot << 16.
    """

    of_context: np.ndarray
    slots: np.ndarray
    ranges: np.ndarray


class Lanes(NamedTuple):
    """State of the decoder."""

    states: np.ndarray
    positions: np.ndarray
    ends: np.ndarray
    words: np.ndarray


def stripe_tops(n_rows: int, n_lanes: int) -> np.ndarray:
    """First rows of the stripes, and the end; stripes may differ by one row, longer ones come first."""
    rows, longer = divmod(n_rows, n_lanes)
    return np.cumsum([0] + [rows + (k < longer) for k in range(n_lanes)]).astype(np.int64)


def new_work(n_rows: int, n_columns: int, n_lanes: int) -> Work:
    """Workspace for frames of this shape."""
    return Work(
        stripe_tops(n_rows, n_lanes),
        np.empty((n_lanes, n_columns), dtype=np.int64),
        np.empty((n_lanes, n_columns + 2), dtype=np.int64),
        np.empty((n_lanes, n_columns), dtype=np.int64),
        np.zeros((n_lanes, INNER), dtype=np.int64),
        np.zeros(n_lanes, dtype=np.int64),
        np.zeros(n_lanes, dtype=np.int64),
    )


@njit(cache=True, nogil=True)
def _start_row(frame, i, lane, first, model, work):
    """Prepare what is known before row ``i``: sums and errors above."""
    top = work.tops[lane]
    open_row(frame, i, top)
    outer_sums(work.sums[lane], frame, i, top, model.reference, model.weights, model.tiles)
    above, errors = work.above[lane], work.errors[lane]
    n = above.shape[0]
    if first:
        for j in range(n + 2):
            errors[j] = 0
    work.starts[lane] = errors[1]
    alone = first or model.layout == ALONG_ROWS
    errors[0], errors[n + 1] = errors[1], errors[n]
    for j in range(n):
        above[j] = 0 if alone else errors[j] + 3 * errors[j + 1] + errors[j + 2]


@njit(cache=True, nogil=True)
def tokens_of_frame(frame, model, work, records, wide, counts):
    """Fill ``records`` (rows, columns), count tokens in ``counts`` (contexts, tokens).

    A record holds from its low bits on: token (6), context (12), number of raw bits (6), raw bits (40); with
    an escape the place of the number in ``wide``, which counts its own entries in its first.
    """
    width = frame.shape[1] - 2 * PAD
    for lane in range(work.tops.shape[0] - 1):
        top = work.tops[lane]
        for i in range(top, work.tops[lane + 1]):
            _start_row(frame, i, lane, i == top, model, work)
            row, sums = frame[i], work.sums[lane]
            mask = model.mask[i] if model.mask.shape[0] > 0 else NO_MASK
            for j in range(mask.size):
                if mask[j]:
                    row[j + PAD] = fill_gap(frame, i, j, top)
            left = row[PAD - 1]
            own_pads(frame, i)
            first_sum = sums[0]
            for tile in range(model.tiles.shape[1]):
                weights = model.weights[0 if i == top else 1 + model.tiles[i // TILE, tile]]
                if tile == 0:
                    first_sum += (weights[0] + weights[1] + weights[2]) * left
                _foresee(row, tile * TILE, min(width, (tile + 1) * TILE), model.shift - 4, weights, sums)
            sums[0] = first_sum >> (model.shift - 4)
            _errors_of(row, left, mask, sums, work.starts[lane], work.errors[lane])
            alone = i == top or model.layout == ALONG_ROWS
            _sums_around(work.errors[lane], work.starts[lane], alone, work.above[lane])
            _tokens(row, left, mask, model, sums, work.above[lane], records[i], wide, counts)
            close_row(frame, i)


@njit(cache=True, nogil=True)
def _foresee(row, start, stop, shift, weights, steps):
    """Steps from the value on the left to the expected one, in 1/16: ``steps`` holds sums before."""
    w0, w1, w2 = weights[0], weights[1], weights[2]
    for j in range(start, stop):
        steps[j] = (steps[j] + w0 * row[j + 2] + w1 * row[j + 1] + w2 * row[j]) >> shift


@njit(cache=True, nogil=True)
def _errors_of(row, left, mask, steps, last, errors):
    """Sizes of the errors of a row, ``left`` of its first value; gaps repeat the one before."""
    errors[1] = miss(row[PAD] - left, steps[0])
    for j in range(1, steps.size):
        errors[j + 1] = miss(row[j + PAD] - row[j + PAD - 1], steps[j])
    if mask.size:
        for j in range(steps.size):
            if mask[j]:
                errors[j + 1] = errors[j] if j > 0 else last


@njit(cache=True, nogil=True)
def _sums_around(errors, start, alone, around):
    """Sums of eight errors around each pixel: ``around`` holds those above before."""
    for j in range(around.size):
        if j > 1:
            around[j] = 5 * errors[j] + 3 * errors[j - 1] if alone else 3 * errors[j] + around[j]
        else:
            last = errors[1] if j else start
            around[j] = 5 * last + 3 * start if alone else 3 * last + around[j]


@njit(cache=True, nogil=True)
def _tokens(row, first_left, mask, model, steps, around, records, wide, counts):
    """Records of one row."""
    layout, direct, top_value = model.layout, model.direct, model.top
    masked = mask.size > 0
    for j in range(steps.size):
        if masked and mask[j]:
            records[j] = SKIPPED
            continue
        left, step, near = row[j + PAD - 1] if j > 0 else first_left, steps[j], around[j]
        level = expected(left, step)
        ctx = context(layout, level, step, near)
        z, low = row[j + PAD], 0
        if level >= direct:
            low = scale(near)
            z = fold(z - min(max(left + ((step + 8) >> 4), 0), top_value))
        high = drop_bits(z, low)
        length = bit_length(high)
        if length > LONGEST:
            wide[0] += 1
            if wide[0] < wide.shape[0]:
                wide[wide[0]] = z
            records[j] = ESCAPE | (ctx << 6) | (wide[0] << 24)
            counts[ctx, ESCAPE] += 1
            continue
        extra = length - 3 if length > 4 else 0
        above = DIRECT + ((length - 5) << 2) + ((high >> extra) & 3)
        token = above if length > 4 else high
        low += extra
        raw = (z & ((1 << low) - 1)) << 24
        records[j] = token | (ctx << 6) | (low << 18) | raw
        counts[ctx, token] += 1


@njit(cache=True, nogil=True)
def _push_raw(x, value, n, words, k):
    """Put ``n`` <= 16 raw bits on top of state ``x``; returns the state and the place of the last word."""
    if x >> np.uint64(63 - n):
        k -= 1
        words[k] = np.uint32(x & np.uint64(0xFFFFFFFF))
        x >>= np.uint64(32)
    return (x << np.uint64(n)) | np.uint64(value), k


@njit(cache=True, nogil=True)
def write_lane(records, wide, top, stop, tables, words):
    """Code the rows top .. stop of all frames of ``records`` (frames, rows, columns), last pixel first.

    Words fill ``words`` from its end; returns where they begin. The first two are the state.
    """
    x = np.uint64(LOWEST)
    k = words.shape[0]
    width = records.shape[2]
    for frame in range(records.shape[0] - 1, -1, -1):
        index = tables.of_context[min(frame, 1)]
        for i in range(stop - 1, top - 1, -1):
            for j in range(width - 1, -1, -1):
                record = records[frame, i, j]
                if record == SKIPPED:
                    continue
                token = record & 63
                n = (record >> 18) & 63
                raw = drop_bits(record, 24)
                if token == ESCAPE:
                    z = wide[raw]
                    length = bit_length(z) - 1
                    for part in range((length - 1) & -16, -1, -16):
                        size = min(16, length - part)
                        x, k = _push_raw(x, (z >> part) & ((1 << size) - 1), size, words, k)
                    x, k = _push_raw(x, length, 6, words, k)
                    n = 0
                elif n > 16:
                    for part in range((n - 1) & -16, 0, -16):
                        size = min(16, n - part)
                        x, k = _push_raw(x, (raw >> part) & ((1 << size) - 1), size, words, k)
                    raw &= 65535
                    n = 16
                entry = tables.ranges[(np.int64(index[(record >> 6) & 4095]) << 6) | token]
                f, c = np.uint64(entry & 0xFFFF), np.uint64(entry >> 16)
                if (x << np.uint64(0)) >= (f << np.uint64(63 - PRECISION - n)):
                    k -= 1
                    words[k] = np.uint32(x & np.uint64(0xFFFFFFFF))
                    x >>= np.uint64(32)
                if n:
                    x = (x << np.uint64(n)) | np.uint64(raw)
                q = x // f
                x = (q << np.uint64(PRECISION)) + (x - q * f) + c
    k -= 2
    words[k] = np.uint32(x & np.uint64(0xFFFFFFFF))
    words[k + 1] = np.uint32(x >> np.uint64(32))
    return k


@njit(cache=True, nogil=True)
def _take_raw(n, lane, lanes):
    """Next ``n`` <= 16 raw bits of a lane."""
    x = lanes.states[lane]
    value = np.int64(x & ((np.uint64(1) << np.uint64(n)) - np.uint64(1)))
    x >>= np.uint64(n)
    if x < np.uint64(LOWEST):
        k = lanes.positions[lane]
        lanes.positions[lane] = k + 1
        x = (x << np.uint64(32)) | np.uint64(lanes.words[min(k, lanes.words.shape[0] - 1)])
    lanes.states[lane] = x
    return value


@njit(cache=True, nogil=True)
def _take_long(n, lane, lanes):
    value = 0
    for part in range(0, n, 16):
        value |= _take_raw(min(16, n - part), lane, lanes) << part
    return value


@njit(cache=True, nogil=True)
def _take_rest(token, n, raw, lane, lanes):
    """The folded difference where it has more than 16 raw bits."""
    if token == ESCAPE:
        length = _take_raw(6, lane, lanes)
        return (1 << length) | _take_long(length, lane, lanes)
    return (BASE[token] << n) | (_take_long(n - 16, lane, lanes) << 16) | raw


@njit(cache=True, nogil=True)
def read_frame(frame, index, model, work, lanes, tables):
    """Decode one frame; ``index`` names the table of each context."""
    n_lanes = work.tops.shape[0] - 1
    width = frame.shape[1] - 2 * PAD
    rows = work.rows
    for row in range(work.tops[1]):
        first = row == 0
        active = n_lanes
        while active > 0 and work.tops[active - 1] + row >= work.tops[active]:
            active -= 1
        for lane in range(active):
            rows[lane] = work.tops[lane] + row
            _start_row(frame, rows[lane], lane, first, model, work)
        for tile in range(model.tiles.shape[1]):
            for lane in range(active):
                chosen = 0 if first else 1 + model.tiles[rows[lane] // TILE, tile]
                for k in range(INNER):
                    work.inner[lane, k] = model.weights[chosen, k]
            span = (tile * TILE, min(width, (tile + 1) * TILE), active, first or model.layout == ALONG_ROWS)
            _read(frame, span, index, model, work, lanes, tables)
        for lane in range(active):
            close_row(frame, rows[lane])


@njit(cache=True, nogil=True)
def _read(frame, span, index, model, work, lanes, tables):
    """Columns of one tile, all lanes in step."""
    start, stop, active, alone = span
    layout, direct, shift, top_value = model.layout, model.direct, model.shift - 4, model.top
    rows, inner, sums, above = work.rows, work.inner, work.sums, work.above
    errors, starts = work.errors, work.starts
    states, positions, words = lanes.states, lanes.positions, lanes.words
    slots, ranges = tables.slots, tables.ranges
    mask, masked = model.mask, model.mask.shape[0] > 0
    for j in range(start, stop):
        for lane in range(active):
            i = rows[lane]
            last = errors[lane, j] if j > 0 else starts[lane]
            if masked and mask[i, j]:
                frame[i, j + PAD] = fill_gap(frame, i, j, work.tops[lane])
                errors[lane, j + 1] = last
                if j == 0:
                    own_pads(frame, i)
                continue
            left = np.int64(frame[i, j + 2])
            step = (
                sums[lane, j]
                + inner[lane, 0] * left
                + inner[lane, 1] * frame[i, j + 1]
                + inner[lane, 2] * frame[i, j]
            ) >> shift
            level = expected(left, step)
            if alone:
                around = 5 * last + 3 * (errors[lane, j - 1] if j > 1 else starts[lane])
            else:
                around = 3 * last + above[lane, j]
            low = scale(around) if level >= direct else 0
            table = np.int64(index[context(layout, level, step, around)])
            x = states[lane]
            slot = np.int64(x & np.uint64((1 << PRECISION) - 1))
            token = np.int64(slots[(table << PRECISION) | slot])
            entry = np.int64(ranges[(table << 6) | token])
            x = np.uint64(entry & 0xFFFF) * (x >> np.uint64(PRECISION)) + np.uint64(slot - (entry >> 16))
            n = EXTRA[token] + low
            raw_bits = min(n, 16) if token != ESCAPE else 0
            raw = np.int64(x & ((np.uint64(1) << np.uint64(raw_bits)) - np.uint64(1)))
            x >>= np.uint64(raw_bits)
            if x < np.uint64(LOWEST):
                k = positions[lane]
                positions[lane] = k + 1
                x = (x << np.uint64(32)) | np.uint64(words[min(k, words.shape[0] - 1)])
            states[lane] = x
            z = (BASE[token] << n) | raw
            if n > 16 or token == ESCAPE:
                z = _take_rest(token, n, raw, lane, lanes)
            if level >= direct:
                z = min(max(left + ((step + 8) >> 4), 0), top_value) + unfold(z)
            frame[i, j + PAD] = z
            z = np.int64(frame[i, j + PAD])
            errors[lane, j + 1] = miss(z - left, step)
            if j == 0:
                own_pads(frame, i)
