"""Grids of even steps in a domain in which the bound is uniform.

======= ====== ===============================================================================================
bound   number code behind the number
======= ====== ===============================================================================================
abs     1      X as a short real, escapes, integers n
log     2      X, escapes, integers n
rel     3      X, a byte 1 and a block with the integer plane of signs (or a byte 0), escapes, integers n
======= ====== ===============================================================================================

===== ============================================ ======================================
kind  grid                                         decoded value
===== ============================================ ======================================
abs   n = rint(x / w), w a little below 2 X        n w, one IEEE product
abs   integer types: n = floor((x + h) / (2h + 1)) n (2h + 1), kept inside the type; h = floor(X)
log   n = rint(log10 x / w), w a little below 2 X  exp10(n w)
rel   as log, for log10(1 + X); signs apart         +-exp10(n w)
===== ============================================ ======================================

The result is cast to the stored dtype (integers: rounded first). Nothing here promises the bound: the encoder
compares decoded values with the originals, bit for bit as the reader will see them, and stores those that
miss as exact escapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.bounds import Bound
from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.transforms import exp10, rounded
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact import ESCAPES
from invae.codec.fields.field_forms.plane import BoundedPlane, WantedField, read_bound
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["Grid", "grid_codes", "grid_values"]

NUMBERS = {"abs": 1, "log": 2, "rel": 3}
KINDS = {number: kind for kind, number in NUMBERS.items()}
LARGEST = 1 << 52  # grid integers beyond are not exact in a double
LOG10_E = 0.4342944819032518
SHRINK = 1.0 - 2.0**-20  # of the step, so that rounding seldom leads out of the bound


class Grid:
    """Integers of a grid whose half step is the bound."""

    numbers = tuple(KINDS)
    settles = False

    def bids(self, task: BoundedPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid under an absolute, relative or logarithmic bound."""
        plane, bound = task.plane, task.bound
        if not task.is_bounded or bound.kind not in NUMBERS:
            return
        known = np.where(task.exact, np.zeros((), plane.dtype), plane)
        codes, outside = grid_codes(known, bound)
        negative = known < 0 if bound.kind == "rel" else None
        decoded = grid_values(codes, bound, plane.dtype, negative)
        escaped = task.exact | outside | ~bound.check(plane, decoded)
        out = Writer().byte(NUMBERS[bound.kind]).short(bound.value)
        if negative is not None:
            signs = (negative & ~escaped).astype(np.int64)
            out.byte(int(signs.any()))
            if signs.any():
                out.block(encode_integers(signs))
        out.raw(ESCAPES.encode(escaped, plane))
        yield bytes(out.raw(encode_integers(fill_gaps(codes, escaped), task.model, task.height)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedField) -> np.ndarray:
        """Inverse of `bids`."""
        value, kind = read_bound(reader, number, wanted), KINDS[number]
        if kind == "rel" and value >= 1:
            raise reader.fail(f"rel:{value} is not possible")
        negative = None
        if kind == "rel" and reader.byte():
            start = reader.offset
            negative = decode_integers(Reader(reader.block(), start), *wanted.shape) != 0
        escaped = ESCAPES.decode(reader, wanted.dtype, wanted.shape)
        codes = decode_integers(reader, *wanted.shape, wanted.model)
        return escaped.put(grid_values(codes, Bound(kind, value), wanted.dtype, negative))


def grid_codes(plane: np.ndarray, bound: Bound) -> tuple[np.ndarray, np.ndarray]:
    """Return grid integers and a boolean plane of what has none (those integers are 0)."""
    if bound.kind == "abs" and plane.dtype.kind in "iu":
        half = _half(bound)
        small = np.abs(plane.astype(np.float64)) < LARGEST
        codes = (np.where(small, plane, 0).astype(np.int64) + half) // (2 * half + 1)
        return codes, ~small
    step = _step(bound)
    x = plane.astype(np.float64)
    with np.errstate(all="ignore"):
        if bound.kind == "abs":
            place = x / step
        else:
            place = np.log10(np.abs(x) if bound.kind == "rel" else x) / step
        outside = ~(np.abs(place) < LARGEST)
    codes = np.rint(np.where(outside, 0, place)).astype(np.int64)
    return codes, outside


def grid_values(
    codes: np.ndarray, bound: Bound, dtype: np.dtype, negative: np.ndarray | None = None
) -> np.ndarray:
    """Return the values of grid integers in the native ``dtype``; ``negative`` marks those below zero."""
    if bound.kind == "abs" and dtype.kind in "iu":
        info = np.iinfo(dtype)
        low, high = max(info.min, -(1 << 62)), min(info.max, 1 << 62)
        return np.clip(codes * (2 * _half(bound) + 1), low, high).astype(dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a step of 2 X may be infinite
        y = codes.astype(np.float64) * _step(bound)
        values = y if bound.kind == "abs" else exp10(y)
        if negative is not None:
            values = np.where(negative, -values, values)
        return rounded(values, dtype) if dtype.kind in "iu" else values.astype(dtype)


def _step(bound: Bound) -> float:
    width = bound.value
    if bound.kind == "rel":  # 2 X / (2 + X) <= ln(1 + X), in IEEE operations only
        width = 2.0 * width / (2.0 + width) * LOG10_E
    return 2.0 * width * SHRINK


def _half(bound: Bound) -> int:
    return int(min(math.floor(bound.value), LARGEST))
