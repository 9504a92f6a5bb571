"""Counts in cells of K sqrt(count), fixed or with a dither (`invae.codec.sigma.counts`).

* a byte 5: K as a short real, largest count (varint), escapes, integer plane of cells;
* a byte 9: the same, with the varint seed of the dither behind the largest count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact import ESCAPES
from invae.codec.fields.field_forms.plane import BoundedPlane, WantedField, fit, read_bound
from invae.codec.fields.field_forms.steps import MOST_SEED
from invae.codec.fields.integers import decode_integers, encode_integers
from invae.codec.sigma import counts

__all__ = ["Cells", "DitheredCells"]

FIXED, DITHERED = 5, 9
SEED = 0  # of the dither: pixels differ by their place, so frames need no seed of their own
MOST_FIXED = 1 << 62  # counts whose cells stay within 64 bits


class DitheredCells:
    """Counts below 2^22, in cells whose walls are moved from pixel to pixel."""

    numbers = (DITHERED,)
    settles = False

    def bids(self, task: BoundedPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid under a bound in units of the deviation of counts."""
        if not _are_counts(task):
            return
        plane, bound = task.plane, task.bound
        exact, top = _exact_and_largest(task)
        if top >= counts.MOST_DITHERED:
            return
        scale = counts.DitheredCells(bound.value, top)
        u = counts.dither(plane.size, SEED).reshape(plane.shape)
        codes = scale.numbers(np.where(exact, 0, plane).astype(np.int64), u)
        escaped = exact | ~bound.check(plane, fit(scale.counts(codes, u), plane.dtype))
        offsets = fill_gaps(scale.offsets(u), escaped)
        out = Writer().byte(DITHERED).short(bound.value).number(top).number(SEED)
        out.raw(ESCAPES.encode(escaped, plane))
        integers = encode_integers(fill_gaps(codes, escaped), task.model, task.height, offsets)
        yield bytes(out.raw(integers).data)

    def decode(self, number: int, reader: Reader, wanted: WantedField) -> np.ndarray:
        """Inverse of `bids`."""
        k = read_bound(reader, number, wanted, "iu")
        top, seed = reader.number(), reader.number()
        if top >= counts.MOST_DITHERED or seed > MOST_SEED:
            raise reader.fail(f"largest count {top} or seed {seed} is too large")
        escaped = ESCAPES.decode(reader, wanted.dtype, wanted.shape)
        u = counts.dither(wanted.shape[0] * wanted.shape[1], seed).reshape(wanted.shape)
        scale = counts.DitheredCells(k, top)
        offsets = scale.offsets(u)
        if escaped.positions is not None:
            offsets = fill_gaps(offsets, escaped.positions)
        codes = decode_integers(reader, *wanted.shape, wanted.model, offsets)
        return escaped.put(fit(scale.counts(codes, u), wanted.dtype))


class Cells:
    """Counts of any size, in cells that are the same everywhere."""

    numbers = (FIXED,)
    settles = False

    def bids(self, task: BoundedPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where counts are too large for a dither."""
        if not _are_counts(task) or others:
            return
        plane, bound = task.plane, task.bound
        exact, top = _exact_and_largest(task)
        table = counts.cells(bound.value, top) if top < MOST_FIXED else None
        if table is None:
            return
        codes = counts.counts_to_cells(np.where(exact, 0, plane).astype(np.int64), table)
        escaped = exact | ~bound.check(plane, fit(counts.cells_to_counts(codes, table), plane.dtype))
        out = Writer().byte(FIXED).short(bound.value).number(top).raw(ESCAPES.encode(escaped, plane))
        yield bytes(out.raw(encode_integers(fill_gaps(codes, escaped), task.model, task.height)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedField) -> np.ndarray:
        """Inverse of `bids`."""
        k = read_bound(reader, number, wanted, "iu")
        top = reader.number()
        table = counts.cells(k, top) if top < MOST_FIXED else None
        if table is None:
            raise reader.fail(f"largest count {top} is too large")
        escaped = ESCAPES.decode(reader, wanted.dtype, wanted.shape)
        codes = decode_integers(reader, *wanted.shape, wanted.model)
        return escaped.put(fit(counts.cells_to_counts(codes, table), wanted.dtype))


def _are_counts(task: BoundedPlane) -> bool:
    return task.is_bounded and task.bound.kind == "sigma" and task.sigma is None


def _exact_and_largest(task: BoundedPlane) -> tuple[np.ndarray, int]:
    """What must be exact, negative values among it, and the largest count of the rest."""
    exact = task.exact | (task.plane < 0)
    return exact, 0 if exact.all() else int(task.plane[~exact].max())
