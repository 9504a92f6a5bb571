"""The head of a field: dtype and shape.

A byte 8 x dtype number + min(dimensions, 7); 7: a further byte with the number of dimensions; of dtypes that
are written out a block with their text; the dimensions as varints.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.errors import InputError

__all__ = ["encode_head", "field_info", "plane_shape", "read_head"]

DTYPES = (
    "|b1",
    "|i1",
    "|u1",
    *(f"{order}{kind}" for kind in ("i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8") for order in "<>"),
)
EXTENDED = 31  # number of a dtype that is written out, such as long doubles
LONG_DOUBLES = (b"<f16", b">f16", b"<f12", b">f12")
MOST_VALUES = 1 << 36  # more than any machine holds: a shape beyond is damage
MOST_DIMENSIONS = 64  # of NumPy 2


def encode_head(array: Any) -> bytes:
    """Head of an array; ``array`` needs ``dtype``, ``ndim`` and ``shape`` only.

    Raises
    ------
    InputError
        The dtype is not a real one.
    """
    text = "|b1" if array.dtype.kind == "b" else array.dtype.str
    number = DTYPES.index(text) if text in DTYPES else EXTENDED
    out = Writer().byte(8 * number + min(array.ndim, 7))
    if array.ndim >= 7:
        out.byte(array.ndim)
    if number == EXTENDED:
        if array.dtype.kind != "f":
            raise InputError(
                f"arrays of dtype {array.dtype} cannot be compressed; give real numbers or booleans"
            )
        out.block(text.encode())
    for length in array.shape:
        out.number(length)
    return bytes(out.data)


def read_head(reader: Reader) -> tuple[np.dtype, tuple[int, ...]]:
    """Inverse of `encode_head`: dtype and shape."""
    number, ndim = divmod(reader.byte(), 8)
    if ndim == 7:
        ndim = reader.byte()
    if number == EXTENDED:
        text = reader.block()
        if text not in LONG_DOUBLES:
            raise reader.fail(f"dtype {text!r} is not a real one")
        try:
            dtype = np.dtype(text.decode())
        except TypeError:
            raise reader.fail(f"this machine has no dtype {text.decode()}") from None
    elif number < len(DTYPES):
        dtype = np.dtype(DTYPES[number])
    else:
        raise reader.fail(f"dtype number {number} is unknown to this version")
    shape = tuple(reader.number() for _ in range(ndim))
    if ndim > MOST_DIMENSIONS or math.prod(n for n in shape if n) > MOST_VALUES:
        raise reader.fail(f"shape {shape} is not possible")
    return dtype, shape


def field_info(data: bytes) -> tuple[str, tuple[int, ...], int]:
    """dtype, shape and number of the form of a field, without decoding it."""
    reader = Reader(data)
    dtype, shape = read_head(reader)
    return dtype.str, shape, reader.byte()


def plane_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the plane of an array: the last axis, and all others together."""
    return math.prod(shape[:-1]), shape[-1] if shape else 1
