"""Escapes: values of a plane that are kept exactly beside its code.

Layout: varint count; unless 0, a block with the 0/1 integer plane of positions and a block with an exact
plane (one row) of the values in the order of their places.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["Escapes"]


class Escapes:
    """Codes escapes.

    Parameters
    ----------
    encode_exact : callable(plane) -> bytes
        Codes the values: an exact plane may have escapes, which again are an exact plane.
    decode_exact : callable(reader, dtype, n_rows, n_columns) -> ndarray
        Its inverse.
    """

    def __init__(
        self, encode_exact: Callable[[np.ndarray], bytes], decode_exact: Callable[..., np.ndarray]
    ) -> None:
        self._encode_exact = encode_exact
        self._decode_exact = decode_exact

    def encode(self, positions: np.ndarray, plane: np.ndarray) -> bytes:
        """Code where ``positions`` (a boolean plane) is true and the exact values of ``plane`` there."""
        count = int(np.count_nonzero(positions))
        out = Writer().number(count)
        if count:
            out.block(encode_integers(positions.astype(np.int64)))
            out.block(self._encode_exact(plane[positions][None, :]))
        return bytes(out.data)

    def decode(self, reader: Reader, dtype: np.dtype, shape: tuple[int, int]) -> EscapedValues:
        """Inverse of `encode`."""
        count = reader.number()
        if count == 0:
            return EscapedValues(None, None)
        start = reader.offset
        inner = reader.block()
        positions = decode_integers(Reader(inner, start), *shape) != 0
        if np.count_nonzero(positions) != count:
            raise reader.fail(f"{count} exact values announced, {np.count_nonzero(positions)} places given")
        start = reader.offset
        inner = reader.block()
        return EscapedValues(positions, self._decode_exact(Reader(inner, start), dtype, 1, count)[0])


class EscapedValues:
    """Decoded escapes: ``positions``, a boolean plane, or None where there are none."""

    def __init__(self, positions: np.ndarray | None, values: np.ndarray | None) -> None:
        self.positions = positions
        self._values = values

    def put(self, plane: np.ndarray) -> np.ndarray:
        """Overwrite ``plane`` with them, in place, and return it."""
        if self.positions is not None:
            plane[self.positions] = self._values
        return plane
