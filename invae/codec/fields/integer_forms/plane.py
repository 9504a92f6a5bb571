"""What forms of integer planes are given: the plane and what is known of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from invae.codec.fields.plane_model import PlaneModel

__all__ = ["NO_OFFSETS", "IntegerPlane", "WantedIntegers"]

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
