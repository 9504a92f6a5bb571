"""Values as they are: a byte 0, little-endian values. What no other form makes shorter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader
from invae.codec.fields.exact_forms.plane import ExactPlane, WantedPlane

__all__ = ["Raw"]

NUMBER = 0


class Raw:
    """Little-endian values of any dtype."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid always."""
        yield raw(task.plane)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        n_rows, n_columns = wanted.shape
        data = reader.raw(n_rows * n_columns * wanted.dtype.itemsize)
        values = np.frombuffer(data, dtype=wanted.dtype.newbyteorder("<"))
        return values.astype(wanted.dtype).reshape(wanted.shape)


def raw(plane: np.ndarray) -> bytes:
    """Bytes of a plane in this form."""
    return bytes([NUMBER]) + plane.astype(plane.dtype.newbyteorder("<"), copy=False).tobytes()
