"""What forms of exact planes are given, and what several of them do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from invae.codec.coding.varint import Reader
from invae.codec.fields.integers import estimated_bytes
from invae.codec.fields.plane_model import PlaneModel
from invae.errors import FormatError

__all__ = [
    "ExactPlane",
    "WantedPlane",
    "common_zeros",
    "from_integers",
    "may_win",
    "read_shift",
    "to_integers",
    "unfit",
]


SLACK = 2.0  # estimates are up to 1.7 times too high, where neighbours tell much of each others' size


class ExactPlane(NamedTuple):
    """A plane of native dtype, neither empty nor scattered in memory; see `invae.codec.fields.exact`."""

    plane: np.ndarray
    model: PlaneModel | None
    height: int
    marks: np.ndarray  # where it holds sentinels


class WantedPlane(NamedTuple):
    """What the decoder knows of a plane beforehand."""

    shape: tuple[int, int]
    dtype: np.dtype
    model: PlaneModel | None


def unfit(reader: Reader, number: int, dtype: np.dtype) -> FormatError:
    """Return the error to raise where form ``number`` cannot give values of ``dtype``."""
    return reader.fail(f"exact form {number} does not fit dtype {dtype}")


def to_integers(plane: np.ndarray) -> np.ndarray:
    """Whole numbers as int64; of uint64 the bits."""
    return plane.view(np.int64) if plane.dtype == np.uint64 else plane.astype(np.int64)


def from_integers(integers: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Inverse of `to_integers`."""
    return integers.view(np.uint64) if dtype == np.uint64 else integers.astype(dtype)


def common_zeros(bits: np.ndarray) -> int:
    """Number of low bits that are zero in every value (0 when all values are)."""
    union = int(np.bitwise_or.reduce(bits, axis=None))
    return (union & -union).bit_length() - 1 if union else 0


def may_win(integers: np.ndarray, others: Sequence[bytes]) -> bool:
    """Whether a plane of integers may take less than the shortest of the other bids."""
    return estimated_bytes(integers) < SLACK * min(map(len, others))


def read_shift(reader: Reader) -> int:
    """Read a number of bits to shift by."""
    shift = reader.number()
    if shift > 63:
        raise reader.fail(f"a shift by {shift} bits is not possible")
    return shift
