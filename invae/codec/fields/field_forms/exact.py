"""Every bit: a byte 0, an exact plane (`invae.codec.fields.exact`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader
from invae.codec.fields.exact import decode_exact, encode_exact
from invae.codec.fields.exact_forms.raw import raw
from invae.codec.fields.field_forms.plane import BoundedPlane, WantedField

__all__ = ["Exact", "exact_and_raw"]

NUMBER = 0


class Exact:
    """Values without any error."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: BoundedPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid unless a bounded form is short."""
        if not others or min(map(len, others)) >= task.plane.nbytes // 8:
            yield bytes([NUMBER]) + encode_exact(task.plane, task.height, task.model)

    def decode(self, number: int, reader: Reader, wanted: WantedField) -> np.ndarray:
        """Inverse of `bids`."""
        return decode_exact(reader, wanted.dtype, *wanted.shape, wanted.model)


def exact_and_raw(plane: np.ndarray) -> bytes:
    """Code of a plane that needs no proof."""
    return bytes([NUMBER]) + raw(plane)
