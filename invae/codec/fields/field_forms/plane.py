"""What forms of bounded arrays are given, and what several of them do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from invae.codec.bounds import Bound, live_values
from invae.codec.coding.varint import Reader
from invae.codec.fields.head import plane_shape
from invae.codec.fields.plane_model import PlaneModel

__all__ = ["BoundedPlane", "WantedField", "fit", "read_bound", "to_plane"]


@dataclass(frozen=True)
class BoundedPlane:
    """The plane of an array, of native dtype, and its bound; see `invae.codec.fields.field.encode_field`."""

    plane: np.ndarray
    bound: Bound
    sigma: np.ndarray | None
    mask: np.ndarray | None
    model: PlaneModel | None
    height: int

    @cached_property
    def is_bounded(self) -> bool:
        """Whether there is anything that may differ."""
        plane = self.plane
        lossy = self.bound.kind != "lossless"
        return lossy and plane.dtype.kind != "b" and plane.dtype.itemsize <= 8 and plane.size > 0

    @cached_property
    def exact(self) -> np.ndarray:
        """Where values must be exact under every bound."""
        return ~live_values(self.plane, self.mask)


class WantedField:
    """What the decoder knows of an array beforehand: its head, and sigma where that came before."""

    def __init__(
        self, dtype: np.dtype, shape: tuple[int, ...], sigma: np.ndarray | None, model: PlaneModel | None
    ) -> None:
        self.dtype = dtype.newbyteorder("=")
        self.array_shape = shape
        self.shape = plane_shape(shape)
        self.sigma = sigma
        self.model = model


def to_plane(array: np.ndarray) -> np.ndarray:
    """Return an array as its contiguous plane of native dtype."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native).reshape(plane_shape(array.shape))


def read_bound(reader: Reader, number: int, wanted: WantedField, kinds: str = "iuf") -> float:
    """Read the X or K with which a form begins that can give values of the ``kinds`` of dtype."""
    if wanted.dtype.kind not in kinds or wanted.dtype.itemsize > 8:
        raise reader.fail(f"field form {number} does not fit dtype {wanted.dtype}")
    return reader.short()


def fit(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Whole numbers inside the range of an integer ``dtype``."""
    info = np.iinfo(dtype)
    return np.clip(values, info.min, min(info.max, (1 << 63) - 1)).astype(dtype)
