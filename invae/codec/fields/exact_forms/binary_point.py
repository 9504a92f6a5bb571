"""Floats with a common binary point: a byte 10, signed s, integers n: the values n 2^-s.

Smooth functions are smooth integers across powers of two and across zero, where ordered bits (`ordered.py`)
bend or jump. There is no such point where values need more than 62 bits, from the first place of the largest
to the last of the smallest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.bounds import same_bits
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact_forms.plane import ExactPlane, WantedPlane, common_zeros, may_win, unfit
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["BinaryPoint"]

NUMBER = 10
MOST_BITS = 62  # of an integer
FARTHEST = 1100  # places of the point: all doubles have it nearer


class BinaryPoint:
    """Floats of at most eight bytes as integers times one power of two."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid on floats of like size where an estimate is not far above the other bids."""
        plane = task.plane
        if not _fits(plane.dtype):
            return
        known = np.abs(plane[plane != 0])
        if known.size == 0 or not np.isfinite(known).all():
            return
        last = int(np.frexp(known.min())[1]) - np.finfo(plane.dtype).nmant - 1
        if int(np.frexp(known.max())[1]) - last > MOST_BITS:
            return
        integers = np.ldexp(plane.astype(np.float64), -last).astype(np.int64)
        zeros = common_zeros(integers)
        integers >>= zeros
        point = -last - zeros
        exact = abs(point) <= FARTHEST and same_bits(_values(integers, point, plane.dtype), plane).all()
        if exact and may_win(integers, others):
            yield bytes(Writer().byte(NUMBER).signed(point).raw(encode_integers(integers)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if not _fits(wanted.dtype):
            raise unfit(reader, number, wanted.dtype)
        point = reader.signed()
        if abs(point) > FARTHEST:
            raise reader.fail(f"a binary point {point} places away is not possible")
        return _values(decode_integers(reader, *wanted.shape), point, wanted.dtype)


def _fits(dtype: np.dtype) -> bool:
    return dtype.kind == "f" and dtype.itemsize <= 8


def _values(integers: np.ndarray, point: int, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(integers.astype(np.float64), -point).astype(dtype)
