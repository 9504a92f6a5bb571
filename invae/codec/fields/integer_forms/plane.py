"""What forms of integer planes are given: the plane and what is known of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from invae.codec.fields.plane_model import PlaneModel

__all__ = ["NO_OFFSETS", "IntegerPlane", "WantedIntegers", "sample_rows"]

SAMPLE_ROWS = 256  # on which forms are compared: enough to rank them, a small part of a large plane
NO_OFFSETS = np.zeros((0, 0), dtype=np.int64)


class IntegerPlane(NamedTuple):
    """A contiguous int64 plane to code; see `invae.codec.fields.integers.encode_integers`."""

    plane: np.ndarray
    model: PlaneModel | None
    height: int
    offsets: np.ndarray


class WantedIntegers(NamedTuple):
    """What the decoder knows of an int64 plane beforehand."""

    shape: tuple[int, int]
    model: PlaneModel | None
    offsets: np.ndarray


def sample_rows(plane: np.ndarray) -> np.ndarray:
    """Rows for estimates: blocks of neighbours, so that the rows above are there."""
    if plane.shape[0] <= SAMPLE_ROWS:
        return plane
    n, middle = SAMPLE_ROWS // 4, plane.shape[0] // 2
    return np.concatenate([plane[:n], plane[middle : middle + 2 * n], plane[-n:]])
