"""Floats by their ordered bits: a byte 3, varint shift s, integers k.

k is the magnitude's bits >> s, or ~ of that for negative values: it grows with the value, so smooth floats
are smooth integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact_forms.plane import (
    ExactPlane,
    WantedPlane,
    common_zeros,
    may_win,
    read_shift,
    unfit,
)
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["Ordered", "from_ordered", "to_ordered"]

NUMBER = 3


class Ordered:
    """Floats of at most eight bytes as the integers that order them."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid on floats where an estimate is not far above the other bids."""
        dtype = task.plane.dtype
        if dtype.kind != "f" or dtype.itemsize > 8:
            return
        integers = to_ordered(task.plane)
        shift = common_zeros(np.where(integers < 0, ~integers, integers))
        integers >>= shift  # ~(m >> s) is ~m >> s
        if may_win(integers, others):
            yield bytes(Writer().byte(NUMBER).number(shift).raw(encode_integers(integers)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.dtype.kind != "f" or wanted.dtype.itemsize > 8:
            raise unfit(reader, number, wanted.dtype)
        shift = read_shift(reader)
        codes = decode_integers(reader, *wanted.shape)
        return from_ordered(np.where(codes < 0, ~(~codes << shift), codes << shift), wanted.dtype)


def to_ordered(plane: np.ndarray) -> np.ndarray:
    """Return the int64 that order floats: the bits of the magnitude, ~ of them for negative values."""
    bits = plane.view(f"i{plane.dtype.itemsize}").astype(np.int64)
    magnitude = bits & ((1 << (8 * plane.dtype.itemsize - 1)) - 1)
    return np.where(bits < 0, ~magnitude, magnitude)


def from_ordered(integers: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Inverse of `to_ordered`."""
    negative = integers < 0
    magnitude = np.where(negative, ~integers, integers)
    sign = np.uint64(1 << (8 * dtype.itemsize - 1))
    bits = magnitude.view(np.uint64) | np.where(negative, sign, np.uint64(0))
    return bits.astype(f"u{dtype.itemsize}").view(dtype)
