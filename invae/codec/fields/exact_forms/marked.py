"""Integer types with sentinels: a byte 7, escapes, the integer plane (uint64 by its bits)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.escapes import Escapes
from invae.codec.fields.exact_forms.plane import (
    ExactPlane,
    WantedPlane,
    from_integers,
    to_integers,
    unfit,
)
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["Marked"]

NUMBER = 7


class Marked:
    """Whole numbers, marks of dead pixels apart from them."""

    numbers = (NUMBER,)
    settles = False

    def __init__(self, escapes: Escapes) -> None:
        self._escapes = escapes

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where some values are sentinels."""
        if not task.marks.any() or task.marks.all():
            return
        out = Writer().byte(NUMBER).raw(self._escapes.encode(task.marks, task.plane))
        integers = fill_gaps(to_integers(task.plane), task.marks)
        yield bytes(out.raw(encode_integers(integers, task.model, task.height)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.dtype.kind not in "iu":
            raise unfit(reader, number, wanted.dtype)
        marks = self._escapes.decode(reader, wanted.dtype, wanted.shape)
        integers = decode_integers(reader, *wanted.shape, wanted.model)
        return marks.put(from_integers(integers, wanted.dtype))
