"""A block of frames to bytes and back: what describes it, then the rANS lanes.

Layout: the smallest value (signed varint) and the largest less it (varint) of all that are no marks; the
number of marks (varint) and each mark (signed varint); the length of the description and the description,
which is numbers (`invae.codec.stream.numbers`): where marks stand, if there are any
(`invae.codec.stream.gaps`); and unless smallest and largest are equal, how values are predicted
(`invae.codec.stream.choose`) and the tables (`invae.codec.stream.tables`). Then, unless they are equal, for
each lane the number of its 32-bit words (varint), and the words of all lanes, little-endian
(`invae.codec.stream.lanes`).

Values are coded less the smallest, modulo 2^64. A mark is not coded: `fill_gap` stands in for it, its error
is that of the pixel on its left, and the mark is put there afterwards.
"""

from __future__ import annotations

import itertools

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.stream.choose import Predictor, choose_plan, read_plan, write_plan
from invae.codec.stream.contexts import N_CONTEXTS
from invae.codec.stream.gaps import find_gaps, read_gaps, write_gaps
from invae.codec.stream.lanes import (
    LOWEST,
    N_TOKENS,
    Lanes,
    new_work,
    read_frame,
    stripe_tops,
    tokens_of_frame,
    write_lane,
)
from invae.codec.stream.neighbours import PAD
from invae.codec.stream.numbers import NumberReader, NumberWriter
from invae.codec.stream.tables import choose_tables, read_tables
from invae.errors import FormatError

__all__ = ["decode_block", "encode_block"]

MOST_TOP = (1 << 63) - 1


def encode_block(values: np.ndarray) -> bytes:
    """Code int64 values of shape (frames, rows, columns), none of which is 0."""
    gaps, low, high = find_gaps(values)
    head, numbers = Writer(), NumberWriter()
    head.signed(low).number(high - low).number(len(gaps.marks))
    for mark in gaps.marks:
        head.signed(mark)
    if gaps.marks:
        write_gaps(gaps, numbers)
    if low == high:
        return bytes(head.block(numbers.data()).data)
    top = min(high - low, MOST_TOP)
    shifted = values - np.int64(low)
    plan = choose_plan(shifted, gaps, top)
    records, wide, counts, predictor = _tokens(shifted, gaps, top, plan)
    write_plan(plan, predictor.sets, numbers)
    tables = choose_tables(counts, numbers)
    head.block(numbers.data())
    words = _words(records, wide, tables, plan.n_lanes)
    for lane in words:
        head.number(lane.size)
    for lane in words:
        head.raw(lane.astype("<u4").tobytes())
    return bytes(head.data)


def _tokens(shifted, gaps, top, plan):
    """Records and counts of the whole block."""
    n_frames, h, w = shifted.shape
    records = np.empty(shifted.shape, dtype=np.int64)
    room = 1024 + shifted.size // 16
    while True:
        wide = np.zeros(room, dtype=np.int64)
        counts = np.zeros((2 * N_CONTEXTS, N_TOKENS), dtype=np.int64)
        predictor, work = Predictor(plan, (n_frames, h, w), top), new_work(h, w, plan.n_lanes)
        for t in range(n_frames):
            predictor.frame[:, PAD:-PAD] = shifted[t]
            model = predictor.fitted(t, gaps.mask(t))
            tokens_of_frame(predictor.frame, model, work, records[t], wide, counts[min(t, 1) * N_CONTEXTS :])
            predictor.follow(t)
        if wide[0] < room:
            return records, wide, counts, predictor
        room = int(wide[0]) + 1


def _words(records, wide, tables, n_lanes):
    tops = stripe_tops(records.shape[1], n_lanes)
    lanes = []
    for top, stop in itertools.pairwise(tops):
        room = 2 * (stop - top) * records.shape[2] * len(records) + 16
        room += 4 * int(wide[0])
        words = np.empty(room, dtype=np.uint32)
        lanes.append(words[write_lane(records, wide, top, stop, tables, words) :].copy())
    return lanes


def decode_block(
    data: bytes, shape: tuple[int, int, int], start: int = 0, stop: int | None = None
) -> np.ndarray:
    """Decode frames start .. stop (default: all) of a block of ``shape`` (frames, rows, columns)."""
    stop = shape[0] if stop is None else stop
    reader = Reader(data)
    low, top = reader.signed(), reader.number()
    n_marks = reader.number()
    if n_marks > 7:
        raise reader.fail(f"a block of frames with {n_marks} marks")
    marks = [_wrapped(reader.signed()) for _ in range(n_marks)]
    numbers = NumberReader(reader.block())
    gaps = read_gaps(marks, shape, numbers)
    out = np.full((stop - start, *shape[1:]), _wrapped(low), dtype=np.int64)
    if top:
        plan, sets = read_plan(shape, numbers)
        tables = read_tables(numbers)
        lanes = _lanes(reader, plan.n_lanes)
        predictor, work = Predictor(plan, shape, min(top, MOST_TOP), sets), new_work(*shape[1:], plan.n_lanes)
        for t in range(stop):
            model = predictor.told(t, gaps.mask(t))
            read_frame(predictor.frame, tables.of_context[min(t, 1)], model, work, lanes, tables)
            if t >= start:
                out[t - start] += predictor.frame[:, PAD:-PAD]
            if t + 1 < stop:
                predictor.follow(t)
        _check(lanes, stop == shape[0])
    gaps.restore(out, start)
    return out


def _wrapped(value: int) -> int:
    """``value`` modulo 2^64 as int64."""
    return ((value + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


def _lanes(reader: Reader, n_lanes: int) -> Lanes:
    sizes = [reader.number() for _ in range(n_lanes)]
    words = np.frombuffer(reader.raw(4 * sum(sizes)), dtype="<u4").astype(np.uint32)
    if min(sizes) < 2:
        raise reader.fail("a lane of a block of frames is shorter than its state")
    ends = np.cumsum(sizes).astype(np.int64)
    starts = ends - sizes
    states = words[starts].astype(np.uint64) | words[starts + 1].astype(np.uint64) << np.uint64(32)
    return Lanes(states, starts + 2, ends, words)


def _check(lanes: Lanes, whole: bool) -> None:
    """Lanes must be used up exactly, and end where the encoder began."""
    if (lanes.positions > lanes.ends).any() or (
        whole and ((lanes.positions != lanes.ends).any() or (lanes.states != LOWEST).any())
    ):
        raise FormatError(
            "the values of a block of frames do not fit their tables: it is damaged, restore a copy"
        )
