"""Few different values: a byte 8, varint count, a block with an exact plane of them, integers: their numbers.

The values are one row in ascending order, so that numbers are close where values are. Deviations of reduced
frames are such planes: scale x sqrt(N) for a few hundred different counts N.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact_forms.ordered import from_ordered, to_ordered
from invae.codec.fields.exact_forms.plane import (
    ExactPlane,
    WantedPlane,
    from_integers,
    to_integers,
    unfit,
)
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["Dictionary"]

NUMBER = 8
MOST_DIFFERENT = 0.5  # of the values: where each stands twice only, it costs as much as it saves
SAMPLE = 1 << 16  # values that are looked at before all are
SPARSE = 4  # integers whose range is less than so many times their number are numbers already


class Dictionary:
    """Numbers of values in the sorted list of different ones, of numbers of at most eight bytes.

    Parameters
    ----------
    encode_exact, decode_exact : callable
        The level itself, see `invae.codec.fields.escapes.Escapes`.
    """

    numbers = (NUMBER,)
    settles = False

    def __init__(
        self, encode_exact: Callable[[np.ndarray], bytes], decode_exact: Callable[..., np.ndarray]
    ) -> None:
        self._encode_exact = encode_exact
        self._decode_exact = decode_exact

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where values repeat."""
        plane = task.plane
        if plane.dtype.kind not in "iuf" or plane.dtype.itemsize > 8:
            return
        keys = to_ordered(plane) if plane.dtype.kind == "f" else to_integers(plane)
        sample = keys.ravel()[:: max(1, keys.size // SAMPLE)]
        if np.unique(sample).size > MOST_DIFFERENT * sample.size:
            return
        values, numbers = np.unique(keys, return_inverse=True)
        span = int(values[-1]) - int(values[0])
        if values.size > MOST_DIFFERENT * keys.size or span < SPARSE * values.size:
            return
        row = (from_ordered if plane.dtype.kind == "f" else from_integers)(values, plane.dtype)[None, :]
        out = Writer().byte(NUMBER).number(values.size).block(self._encode_exact(row))
        yield bytes(out.raw(encode_integers(numbers.reshape(plane.shape), task.model, task.height)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.dtype.kind not in "iuf" or wanted.dtype.itemsize > 8:
            raise unfit(reader, number, wanted.dtype)
        count, start = reader.number(), reader.offset
        if count > wanted.shape[0] * wanted.shape[1]:
            raise reader.fail(f"{count} different values of a plane of {wanted.shape}")
        values = self._decode_exact(Reader(reader.block(), start), wanted.dtype, 1, count)[0]
        numbers = decode_integers(reader, *wanted.shape, wanted.model)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < count:
            raise reader.fail(f"a number beyond the {count} different values")
        return values[numbers]
