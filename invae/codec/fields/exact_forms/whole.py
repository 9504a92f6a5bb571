"""Integer types and booleans: a byte 2, varint shift s, the integer plane >> s (uint64 by its bits)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact_forms.plane import (
    ExactPlane,
    WantedPlane,
    common_zeros,
    from_integers,
    read_shift,
    to_integers,
    unfit,
)
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["Whole"]

NUMBER = 2


class Whole:
    """Whole numbers without the low bits that are zero in all of them."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid on integer types without sentinels, which `marked.Marked` codes."""
        if task.plane.dtype.kind not in "biu" or (task.marks.any() and not task.marks.all()):
            return
        integers = to_integers(task.plane)
        shift = common_zeros(integers)
        code = encode_integers(integers >> shift, task.model, task.height)
        yield bytes(Writer().byte(NUMBER).number(shift).raw(code).data)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.dtype.kind not in "biu":
            raise unfit(reader, number, wanted.dtype)
        shift = read_shift(reader)
        return from_integers(decode_integers(reader, *wanted.shape, wanted.model) << shift, wanted.dtype)
