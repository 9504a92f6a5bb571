"""All values equal: a byte 0 and the value as a signed varint; the empty plane is one of zeros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.integer_forms.plane import IntegerPlane, WantedIntegers

__all__ = ["Constant"]


class Constant:
    """One value for all."""

    numbers = (0,)
    settles = True

    def bids(self, task: IntegerPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where all values are equal."""
        value = int(task.plane.flat[0]) if task.plane.size else 0
        if (task.plane == value).all():
            yield bytes(Writer().byte(0).signed(value).data)

    def decode(self, number: int, reader: Reader, wanted: WantedIntegers) -> np.ndarray:
        """Inverse of `bids`."""
        value = reader.signed()
        if not -(1 << 63) <= value < 1 << 63:
            raise reader.fail("a constant is longer than 64 bits")
        return np.full(wanted.shape, value, dtype=np.int64)
