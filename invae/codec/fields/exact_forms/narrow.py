"""float64 that holds float32 values: a byte 6, an exact plane of float32; bits of NaN are moved up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from invae.codec.bounds import same_bits
from invae.codec.coding.varint import Reader
from invae.codec.fields.exact_forms.plane import ExactPlane, WantedPlane, unfit

__all__ = ["Narrow"]

NUMBER = 6


class Narrow:
    """Doubles as the floats that they were.

    Parameters
    ----------
    encode_exact, decode_exact : callable
        The level itself, see `invae.codec.fields.escapes.Escapes`.
    """

    numbers = (NUMBER,)
    settles = True

    def __init__(
        self, encode_exact: Callable[[np.ndarray], bytes], decode_exact: Callable[..., np.ndarray]
    ) -> None:
        self._encode_exact = encode_exact
        self._decode_exact = decode_exact

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where every double is a float32."""
        if task.plane.dtype != np.float64:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            narrow = task.plane.astype(np.float32)
        if same_bits(_widened(narrow), task.plane).all():
            yield bytes([NUMBER]) + self._encode_exact(narrow)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.dtype != np.float64:
            raise unfit(reader, number, wanted.dtype)
        return _widened(self._decode_exact(reader, np.dtype(np.float32), *wanted.shape))


def _widened(plane: np.ndarray) -> np.ndarray:
    """float32 to float64 with NaN bits shifted as they are, which a hardware cast does not promise."""
    with np.errstate(invalid="ignore"):
        wide = plane.astype(np.float64)
    nan = np.isnan(plane)
    if nan.any():
        bits = plane[nan].view(np.uint32).astype(np.uint64)
        wide[nan] = (
            ((bits & np.uint64(0x80000000)) << np.uint64(32))
            | np.uint64(0x7FF0000000000000)
            | ((bits & np.uint64(0x007FFFFF)) << np.uint64(29))
        ).view(np.float64)
    return wide
