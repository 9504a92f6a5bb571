"""Pixels that hold a mark instead of a value: gaps between modules, dead and saturated pixels.

A mark is a value that lies apart from all others (-1, -2, 65535, 4294967295, ..) and pays: what says where
it stands is shorter than coding it as a value would be. Marks that stand at the same pixel in all frames
of a block are told once, as runs of the difference to the row above or of the marks themselves; all others
as runs over all frames.

Numbers: SHAPE, 1 if runs are of differences (exclusive or of marks' numbers, from 1; 0: none); then the
runs of marks that stay, then those of marks that come and go. Runs are COUNT, then for each SKIP, the
pixels since the last run, RUN, its length less 1, and with more than one mark MARK, its number less 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.stream.numbers import NumberReader, NumberWriter, next_number
from invae.errors import FormatError

__all__ = ["Gaps", "find_gaps", "read_gaps", "write_gaps"]

SHAPE, COUNT, SKIP, RUN, MARK = 10, 10, 11, 12, 13
MOST_MARKS = 6
NEAR_ZERO = -16
UNKNOWN = np.zeros((0, 0), dtype=np.uint8)


class Gaps(NamedTuple):
    """Values of marks, and which of them (from 1; 0: none) stands where.

    ``fixed`` (rows, columns) in all frames, ``moving`` (frames, rows, columns), empty if there are none.
    """

    marks: list[int]
    fixed: np.ndarray
    moving: np.ndarray

    def mask(self, frame: int) -> np.ndarray:
        """Where ``frame`` has marks (uint8), empty if there are no marks at all."""
        if not self.marks:
            return UNKNOWN
        return self.fixed if not self.moving.size else self.fixed | self.moving[frame]

    def restore(self, values: np.ndarray, first: int = 0) -> None:
        """Put the marks into ``values`` (frames, rows, columns), which begin with frame ``first``."""
        for k, mark in enumerate(self.marks, 1):
            for frame, plane in enumerate(values, first):
                plane[self.fixed == k] = mark
                if self.moving.size:
                    plane[self.moving[frame] == k] = mark


@njit(cache=True, nogil=True)
def _extremes(values, marks):
    """Smallest, second smallest, second largest and largest value that is no mark; none if low > high."""
    low, low2, high2, high = (1 << 63) - 1, (1 << 63) - 1, -(1 << 63), -(1 << 63)
    flat = values.ravel()
    for p in range(flat.size):
        x = flat[p]
        if low2 <= x <= high2:
            continue
        marked = False
        for k in range(marks.size):
            marked |= x == marks[k]
        if marked:
            continue
        if x < low:
            low2, low = low, x
        elif low < x < low2:
            low2 = x
        if x > high:
            high2, high = high, x
        elif high2 < x < high:
            high2 = x
    return low, low2, high2, high


@njit(cache=True, nogil=True)
def _places(values, marks, out):
    """Number of the mark of each pixel; returns how many each has."""
    flat, places = values.ravel(), out.ravel()
    pixels = np.zeros(marks.size, np.int64)
    for p in range(flat.size):
        k = 0
        for m in range(marks.size):
            if flat[p] == marks[m]:
                k = m + 1
                pixels[m] += 1
        places[p] = k
    return pixels


@njit(cache=True, nogil=True)
def _runs(flat, out):
    """Runs of equal non-zero entries as (skip, length, entry); returns their number, even beyond ``out``."""
    n, p, last = 0, 0, 0
    while p < flat.size:
        if flat[p] == 0:
            p += 1
            continue
        stop = p + 1
        while stop < flat.size and flat[stop] == flat[p]:
            stop += 1
        if n < out.shape[0]:
            out[n, 0], out[n, 1], out[n, 2] = p - last, stop - p, flat[p]
        n += 1
        last = p = stop
    return n


@njit(cache=True, nogil=True)
def _undo_differences(plane):
    for i in range(1, plane.shape[0]):
        for j in range(plane.shape[1]):
            plane[i, j] ^= plane[i - 1, j]


def find_gaps(values: np.ndarray) -> tuple[Gaps, int, int]:
    """Marks of int64 ``values`` (frames, rows, columns), and the smallest and largest of all others."""
    marks: list[int] = []
    low, low2, high2, high = whole = _ends(values, marks)
    while low < high and len(marks) < MOST_MARKS:
        rest = max(high2 - low2, 8)
        if NEAR_ZERO <= low < 0 or low2 - low > rest:
            marks.append(low)
        elif high - high2 > rest:
            marks.append(high)
        else:
            break
        low, low2, high2, high = _ends(values, marks)
    none = Gaps([], UNKNOWN, UNKNOWN), whole[0], whole[3]
    if not marks or NEAR_ZERO <= low < 0:
        return none
    n = low <= high
    places = np.empty(values.shape, dtype=np.uint8)
    number = _places(values, np.array(marks, dtype=np.int64), places).tolist()
    fixed = places[0].copy()
    for frame in places[1:]:
        fixed *= frame == fixed
    moving = places * (fixed == 0) if len(places) > 1 else UNKNOWN
    found = Gaps(marks, fixed, moving if moving.any() else UNKNOWN)
    numbers = NumberWriter()
    write_gaps(found, numbers)
    worth = sum(
        k * (3 + (min(abs(m - low), abs(m - high)) if n else 0).bit_length()) for k, m in zip(number, marks)
    )
    if 8 * len(numbers.data()) > worth + 64 * len(number):
        return none
    return found, *((low, high) if n else (0, 0))


def _ends(values: np.ndarray, marks: list[int]) -> tuple[int, int, int, int]:
    low, low2, high2, high = _extremes(values, np.array(marks, dtype=np.int64))
    return int(low), int(low2), int(high2), int(high)


def write_gaps(gaps: Gaps, numbers: NumberWriter) -> None:
    """Say where the marks stand; the marks themselves are kept elsewhere."""
    plain = _list_runs(gaps.fixed)
    differences = gaps.fixed.copy()
    differences[1:] ^= gaps.fixed[:-1]
    other = _list_runs(differences)
    numbers.put(SHAPE, int(len(other) < len(plain)))
    _put_runs(other if len(other) < len(plain) else plain, gaps, numbers)
    _put_runs(_list_runs(gaps.moving), gaps, numbers)


def _list_runs(plane: np.ndarray) -> np.ndarray:
    runs = np.empty((1024, 3), dtype=np.int64)
    flat = np.ascontiguousarray(plane).ravel()
    n = _runs(flat, runs)
    if n > len(runs):
        runs = np.empty((n, 3), dtype=np.int64)
        _runs(flat, runs)
    return runs[:n]


def _put_runs(runs: np.ndarray, gaps: Gaps, numbers: NumberWriter) -> None:
    numbers.put(COUNT, len(runs))
    n = 3 if len(gaps.marks) > 1 else 2
    kinds = np.broadcast_to(np.array([SKIP, RUN, MARK])[:n], (len(runs), n))
    numbers.put_all(kinds.ravel(), (runs - [0, 1, 1])[:, :n])


def read_gaps(marks: list[int], shape: tuple[int, int, int], numbers: NumberReader) -> Gaps:
    """Inverse of `write_gaps`."""
    if not marks:
        return Gaps([], UNKNOWN, UNKNOWN)
    by_difference = numbers.take(SHAPE, 2)
    fixed = _take_runs(shape[1:], len(marks), numbers)
    if by_difference:
        _undo_differences(fixed)
    moving = _take_runs(shape, len(marks), numbers)
    return Gaps(marks, fixed, moving if moving.any() else UNKNOWN)


def _take_runs(shape: tuple[int, ...], n_marks: int, numbers: NumberReader) -> np.ndarray:
    plane = np.zeros(shape, dtype=np.uint8)
    if not _read_runs(numbers.state, numbers.stream, numbers.odds, n_marks, plane.ravel()):
        raise FormatError("gaps of a block of frames lie outside of it: it is damaged")
    return plane


@njit(cache=True, nogil=True)
def _read_runs(state, stream, odds, n_marks, flat):
    p = 0
    for _ in range(next_number(state, stream, odds, np.int64(COUNT))):
        p += next_number(state, stream, odds, np.int64(SKIP))
        length = 1 + next_number(state, stream, odds, np.int64(RUN))
        mark = next_number(state, stream, odds, np.int64(MARK)) if n_marks > 1 else 0
        if p + length > flat.size or mark > 7:
            return False
        flat[p : p + length] = 1 + mark
        p += length
    return True
