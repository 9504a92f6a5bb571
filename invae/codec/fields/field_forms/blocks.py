"""A large stack: a byte 8, varint s, and for every s steps of the first axis a block, itself a field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from invae.codec.bounds import Bound
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.field_forms.plane import BoundedPlane, WantedField
from invae.codec.fields.head import encode_head, field_info
from invae.codec.fields.plane_model import PlaneModel

__all__ = ["Blocks"]

NUMBER = 8


class Blocks:
    """Blocks of a stack, so that memory holds one at a time.

    Parameters
    ----------
    encode_field, decode_field : callable
        The level itself: every block is a field.
    """

    numbers = (NUMBER,)
    settles = False

    def __init__(
        self, encode_field: Callable[..., tuple[bytes, float]], decode_field: Callable[..., np.ndarray]
    ) -> None:
        self._encode_field = encode_field
        self._decode_field = decode_field

    def bids(self, task: BoundedPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid never: a large stack is cut by `encode` before it could become a plane."""
        yield from ()

    def encode(
        self, array: Any, bound: Bound, sigma: Any, mask: Any, model: PlaneModel | None, step: int
    ) -> tuple[bytes, float]:
        """Code a whole field in blocks of ``step``; return bytes and the largest error in bounds."""
        out, worst = Writer().raw(encode_head(array)).byte(NUMBER).number(step), 0.0
        for start in range(0, array.shape[0], step):
            part = slice(start, min(start + step, array.shape[0]))
            beside = (None if other is None else np.asarray(other[part]) for other in (sigma, mask))
            data, ratio = self._encode_field(np.asarray(array[part]), bound, *beside, model)
            out.block(data)
            worst = max(worst, ratio)
        return bytes(out.data), worst

    def decode(self, number: int, reader: Reader, wanted: WantedField) -> np.ndarray:
        """Inverse of `encode`, behind the number."""
        shape, step = wanted.array_shape, reader.number()
        if len(shape) < 3 or not 0 < step <= shape[0]:
            raise reader.fail(f"blocks of {step} frames do not fit an array of shape {shape}")
        blocks = []
        for start in range(0, shape[0], step):
            stop = min(start + step, shape[0])
            place, data = reader.offset, reader.block()
            dtype, own_shape, form = field_info(data)
            of_stack = own_shape == (stop - start, *shape[1:]) and form != NUMBER
            if not of_stack or np.dtype(dtype).newbyteorder("=") != wanted.dtype:
                raise reader.fail("a block is not the part of its stack that it should be")
            sigma = None if wanted.sigma is None else wanted.sigma[start:stop]
            blocks.append(self._decode_field(data, sigma, place, wanted.model))
        return np.concatenate(blocks)
