"""One array under one bound to bytes and back; the unit that archives are made of.

Layout: a head (`invae.codec.fields.head`), one byte that names the form, then by form:

======= ======== =========================================================================================
number  form     file in ``field_forms``
======= ======== =========================================================================================
0       exact    `exact.py`: every bit
1, 2, 3 grid     `grid.py`: absolute, logarithmic and relative bounds
5       cells    `cells.py`: counts within K of their deviation
7       steps    `steps.py`: steps of K sigma with a known dither
8       blocks   `blocks.py`: a large stack, cut along its first axis
9       dithered `cells.py`: counts below 2^22, with a known dither
======= ======== =========================================================================================

The plane of an array of shape (.., n) is (product of the others, n). Every array is decoded before it is
handed out, and the largest error in units of the bound comes from that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from invae.codec.bounds import Bound, poisson_sigma
from invae.codec.coding.varint import Reader
from invae.codec.fields.field_forms.blocks import Blocks
from invae.codec.fields.field_forms.cells import Cells, DitheredCells
from invae.codec.fields.field_forms.exact import Exact, exact_and_raw
from invae.codec.fields.field_forms.grid import Grid
from invae.codec.fields.field_forms.plane import BoundedPlane, WantedField, to_plane
from invae.codec.fields.field_forms.steps import Steps
from invae.codec.fields.forms import Table
from invae.codec.fields.head import encode_head, field_info, read_head
from invae.codec.fields.plane_model import PlaneModel
from invae.errors import InputError

__all__ = ["BLOCK_VALUES", "FORMS", "decode_field", "encode_field", "field_info"]

BLOCK_VALUES = 1 << 19  # of a block; stacks of twice as many values are cut, so that memory holds one block


def encode_field(
    array: Any,
    bound: Bound,
    sigma: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    model: PlaneModel | None = None,
) -> tuple[bytes, float]:
    """Code an array of any shape and real dtype.

    Parameters
    ----------
    array : ndarray
        Of a stack of frames any object with ``shape``, ``dtype`` and slices, which are read block by block.
    bound : Bound
    sigma : ndarray of the same shape, optional
        Standard deviations as the decoder will have them; only ``Ksigma`` uses them.
    mask : ndarray of the same shape, optional
        Non-zero: exact.
    model : CodecModel, optional
        Codes the integers of bounded values where that is shorter.

    Returns
    -------
    data : bytes
    max_ratio : float
        Largest error in units of the bound, found by decoding ``data``.

    Raises
    ------
    InputError
        The dtype is not real, or sigma or mask have another shape.
    BoundError
        ``Ksigma`` without sigma for data that are not integer counts.
    """
    if len(np.shape(array)) > 2 and array.shape[0] > 1 and math.prod(array.shape) > 2 * BLOCK_VALUES:
        step = max(1, array.shape[0] * BLOCK_VALUES // math.prod(array.shape))
        return BLOCKS.encode(array, bound, sigma, mask, model, step)
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(f"arrays of dtype {array.dtype} cannot be compressed; give real numbers or booleans")
    for name, other in (("sigma", sigma), ("mask", mask)):
        if other is not None and np.shape(other) != array.shape:
            raise InputError(
                f"{name} has shape {np.shape(other)}, the values have {array.shape}; they must agree"
            )
    if bound.kind == "sigma" and sigma is None:
        poisson_sigma(array[:0] if array.ndim else array)  # raises for data that have no sigma
    task = BoundedPlane(
        to_plane(array),
        bound,
        None if sigma is None else to_plane(np.asarray(sigma)),
        None if mask is None else to_plane(np.asarray(mask)) != 0,
        model,
        array.shape[-2] if array.ndim > 1 else 0,
    )
    head = encode_head(array)
    # The shortest that keeps the bound, exact values (number 0) first among equals; raw ones always do.
    bids = sorted(FORMS.bids(task), key=lambda bid: (len(bid), bid[0]))
    for bid in (*bids, exact_and_raw(task.plane)):
        data = head + bid
        ratio = bound.max_ratio(array, decode_field(data, sigma, 0, model), sigma, mask)
        if ratio <= 1.0:
            break
    return data, ratio


def decode_field(
    data: bytes, sigma: np.ndarray | None = None, origin: int = 0, model: PlaneModel | None = None
) -> np.ndarray:
    """Rebuild the array; ``origin`` is the offset of ``data`` in its file, for messages.

    Raises
    ------
    FormatError
        The bytes are not those of a field.
    """
    reader = Reader(data, origin)
    dtype, shape = read_head(reader)
    if sigma is not None and sigma.shape != shape:
        raise reader.fail(f"standard deviations of shape {sigma.shape} for values of shape {shape}")
    plane = FORMS.decode(reader, WantedField(dtype, shape, sigma, model))
    return plane.reshape(shape).astype(dtype, copy=False)


BLOCKS = Blocks(encode_field, decode_field)
FORMS: Table[BoundedPlane, WantedField] = Table(
    "field form",
    [
        Grid(),
        DitheredCells(),
        Cells(),
        Steps(),
        Exact(),
        BLOCKS,
    ],
)
