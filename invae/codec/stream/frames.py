"""Frames of integers to bytes and back: any integer dtype, any shape, every frame by its index.

The last two axes of an array are rows and columns (a single axis is one row), all before them count frames.
Groups of frames are coded without the others, and so are bands of rows of a group: blocks, which threads
share. Frames of one sample are chained: each is foretold from those before it. Frames of different samples
are laid under one another, as one tall frame.

Layout, all numbers varints: version (1); place of the dtype in `DTYPES`; number of axes and their lengths;
1 if frames are chained; frames of a group; rows of a band; the length of each block, groups first, bands of
a group next to each other; then the blocks (`invae.codec.stream.block`), of shape (frames, rows, columns)
if chained, else (1, frames x rows, columns). The last group and the last band may be shorter. Without
values nothing stands behind the lengths of the axes.
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.stream.block import decode_block, encode_block
from invae.errors import InputError

__all__ = ["decode_frame", "decode_frames", "encode_frames"]

VERSION = 1
DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
GROUP = 32
GROUP_PIXELS = 1 << 25
BLOCK_PIXELS = 1 << 21
LAID_PIXELS = 1 << 16
TRIED, TRIED_PIXELS = 3, 1 << 15
MOST_VALUES = 1 << 40
PER_BYTE = 1 << 19  # values that a byte can stand for at most, where all are alike


class Blocks(NamedTuple):
    """How an array is cut."""

    shape: tuple[int, ...]
    frames: int
    rows: int
    columns: int
    chained: bool
    group: int
    band: int

    def starts(self) -> list[tuple[int, int]]:
        """First frame and first row of each block."""
        return list(itertools.product(range(0, self.frames, self.group), range(0, self.rows, self.band)))

    def extent(self, start: tuple[int, int]) -> tuple[int, int, int]:
        """Shape of the block that begins there."""
        return min(self.group, self.frames - start[0]), min(self.band, self.rows - start[1]), self.columns

    def laid(self, extent: tuple[int, int, int]) -> tuple[int, int, int]:
        """Shape in which a block is coded."""
        return extent if self.chained else (1, extent[0] * extent[1], extent[2])


def encode_frames(array: np.ndarray, group: int | None = None, jobs: int = 1) -> bytes:
    """Code an array of integers or truth values.

    Parameters
    ----------
    array : ndarray of shape (..., rows, columns)
        Any integer dtype, or bool; byte order is not kept.
    group : int or None
        Frames that are coded together: more of them are smaller, and slower to take one out of. None: 32,
        or as many as hold 2^25 pixels.
    jobs : int
        Threads that share the work; the bytes do not depend on it.

    Raises
    ------
    InputError
        The dtype is not one of integers, or ``group`` is below 1.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(3.0, (20, 64, 64)).astype(np.uint32)
    >>> data = encode_frames(counts)
    >>> round(8 * len(data) / counts.size, 1), bool((decode_frame(data, 7) == counts[7]).all())
    (2.8, True)
    """
    array = np.asarray(array)
    kind = array.dtype.newbyteorder("<").str.lstrip("<|").replace("b1", "?")
    if kind not in DTYPES:
        raise InputError(f"frames of dtype {array.dtype} are not integers: turn them into integers first")
    if group is not None and group < 1:
        raise InputError(f"group={group} frames; give at least 1")
    head = Writer().byte(VERSION).byte(DTYPES.index(kind)).number(array.ndim)
    for n in array.shape:
        head.number(n)
    if not array.size:
        return bytes(head.data)
    frames = array.reshape(_planes(array.shape))
    blocks = _cut(array.shape, _are_alike(frames) if group != 1 else False, group)
    head.number(int(blocks.chained)).number(blocks.group).number(blocks.band)

    def code(start: tuple[int, int]) -> bytes:
        n, rows, _ = extent = blocks.extent(start)
        part = frames[start[0] : start[0] + n, start[1] : start[1] + rows]
        return encode_block(_wide(part).reshape(blocks.laid(extent)))

    coded = _shared(code, blocks.starts(), jobs)
    for data in coded:
        head.number(len(data))
    return bytes(head.data) + b"".join(coded)


def decode_frames(data: bytes, jobs: int = 1) -> np.ndarray:
    """Inverse of `encode_frames`: the array, in native byte order.

    Raises
    ------
    FormatError
        ``data`` are damaged, or none of these.
    """
    reader = Reader(data)
    blocks, dtype = _read_head(reader)
    out = np.empty((blocks.frames, blocks.rows, blocks.columns), dtype=dtype)
    if out.size:
        _decode_into(out, 0, blocks, _places(reader, blocks), data, jobs)
    return out.reshape(blocks.shape)


def decode_frame(data: bytes, index: int, jobs: int = 1) -> np.ndarray:
    """Frame ``index`` (axes before the last two, counted through), without the other groups.

    Raises
    ------
    InputError
        There is no such frame.
    FormatError
        ``data`` are damaged, or none of these.
    """
    reader = Reader(data)
    blocks, dtype = _read_head(reader)
    if not -blocks.frames <= index < blocks.frames:
        raise InputError(f"frame {index} of {blocks.frames}: the last one is {blocks.frames - 1}")
    out = np.empty((1, blocks.rows, blocks.columns), dtype=dtype)
    if out.size:
        _decode_into(out, index % blocks.frames, blocks, _places(reader, blocks), data, jobs)
    return out[0]


def _wide(part: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(part).astype(np.int64)


def _are_alike(frames: np.ndarray) -> bool:
    """True where frames of the middle are shorter as a chain than each alone."""
    n, rows, columns = frames.shape
    if n < 2 or not rows * columns:
        return False
    height = min(rows, max(32, TRIED_PIXELS // columns))
    count = min(n, max(TRIED, 2 * TRIED_PIXELS // (height * columns)))
    first, top = (n - count) // 2, (rows - height) // 2
    part = _wide(frames[first : first + count, top : top + height])
    return len(encode_block(part)) < len(encode_block(part.reshape(1, -1, columns)))


def _cut(shape: tuple[int, ...], chained: bool, group: int | None) -> Blocks:
    frames, rows, columns = _planes(shape)
    pixels = rows * columns
    if group is None:
        group = min(GROUP, GROUP_PIXELS // pixels) if chained else LAID_PIXELS // pixels
    group = min(frames, max(1, group))
    bands = max(1, min(rows // 32, -(-group * pixels // BLOCK_PIXELS))) if chained or group == 1 else 1
    return Blocks(shape, frames, rows, columns, chained, group, -(-rows // bands))


def _planes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    rows, columns = ((1, 1) + tuple(shape))[-2:]
    return math.prod(shape[:-2]), rows, columns


def _shared(work, items, jobs):
    if jobs < 2 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(jobs, len(items))) as pool:
        return list(pool.map(work, items))


def _read_head(reader: Reader) -> tuple[Blocks, np.dtype]:
    version, kind, n_axes = reader.byte(), reader.byte(), reader.number()
    if version != VERSION or kind >= len(DTYPES) or n_axes > 32:
        raise reader.fail(f"no frames of version {VERSION}")
    shape = tuple(reader.number() for _ in range(n_axes))
    if math.prod(max(n, 1) for n in shape) > MOST_VALUES:
        raise reader.fail(f"an array of shape {shape}")
    frames, rows, columns = _planes(shape)
    chained, group, band = 0, 1, 1
    if frames * rows * columns:
        chained, group, band = reader.number(), reader.number(), reader.number()
        if frames * rows * columns > PER_BYTE * len(reader.data):
            raise reader.fail(f"{len(reader.data)} bytes cannot hold an array of shape {shape}")
        if chained > 1 or not 0 < group <= frames or not 0 < band <= rows:
            raise reader.fail(f"groups of {group} frames and bands of {band} rows in shape {shape}")
    return Blocks(shape, frames, rows, columns, chained == 1, group, band), np.dtype(DTYPES[kind])


def _places(reader: Reader, blocks: Blocks) -> dict[tuple[int, int], slice]:
    """Where each block stands."""
    n = -(-blocks.frames // blocks.group) * -(-blocks.rows // blocks.band)
    if n > len(reader.data):
        raise reader.fail(f"{len(reader.data)} bytes cannot hold {n} blocks")
    starts = blocks.starts()
    ends = list(itertools.accumulate(reader.number() for _ in starts))
    if reader.position + ends[-1] != len(reader.data):
        raise reader.fail(f"blocks of {ends[-1]} bytes, but {len(reader.data) - reader.position} are there")
    first = reader.position
    return {s: slice(first + a, first + b) for s, a, b in zip(starts, [0, *ends], ends)}


def _decode_into(out, first, blocks, places, data, jobs):
    """Fill ``out`` (frames, rows, columns) with the frames from ``first`` on."""

    def decode(start: tuple[int, int]) -> None:
        n, rows, columns = blocks.extent(start)
        begin, stop = max(first - start[0], 0), min(first + len(out) - start[0], n)
        span = (begin, stop) if blocks.chained else (0, 1)
        part = decode_block(data[places[start]], blocks.laid((n, rows, columns)), *span)
        if not blocks.chained:
            part = part.reshape(n, rows, columns)[begin:stop]
        at = start[0] + begin - first
        out[at : at + stop - begin, start[1] : start[1] + rows] = part.astype(out.dtype)

    wanted = [s for s in places if s[0] < first + len(out) and s[0] + blocks.group > first]
    _shared(decode, wanted, jobs)
