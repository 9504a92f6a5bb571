"""Any plane of 64-bit integers to bytes and back: the shortest of several forms, named by the first byte.

======== =========== ==========================================================
number   form        file in ``integer_forms``
======== =========== ==========================================================
0        constant    `constant.py`
1 .. 9   predicted   `predicted.py`: residuals of predictor number - 1
10       differences `differences.py`: differences of order 4 to 8
252      frames      `learned_frames.py`: by a model for frames
255      curves      `learned_curves.py`: by the archive's model for curves
======== =========== ==========================================================

A further coder of planes, an `invae.codec.fields.plane_model.PlaneCoder`, becomes a form of a free number
(11 .. 251) as in `learned_frames.py`: ``bids`` yields the number and what its ``encode`` returns, ``decode``
hands it the rest of the reader.
"""

from __future__ import annotations

import numpy as np

from invae.codec.coding.varint import Reader
from invae.codec.fields.forms import Table
from invae.codec.fields.integer_forms.constant import Constant
from invae.codec.fields.integer_forms.differences import Differences, difference_bits
from invae.codec.fields.integer_forms.learned_curves import LearnedCurves
from invae.codec.fields.integer_forms.learned_frames import LearnedFrames
from invae.codec.fields.integer_forms.plane import NO_OFFSETS, IntegerPlane, WantedIntegers, sample_rows
from invae.codec.fields.integer_forms.predicted import Predicted, predicted_bits
from invae.codec.fields.plane_model import PlaneModel

__all__ = ["FORMS", "NO_OFFSETS", "decode_integers", "encode_integers", "estimated_bytes"]

FORMS: Table[IntegerPlane, WantedIntegers] = Table(
    "form of integers",
    [
        Constant(),
        Predicted(),
        Differences(),
        LearnedCurves(),
        LearnedFrames(),
    ],
)


def encode_integers(
    plane: np.ndarray, model: PlaneModel | None = None, height: int = 0, offsets: np.ndarray = NO_OFFSETS
) -> bytes:
    """Code an int64 plane of shape (rows, columns) in the shortest form.

    Parameters
    ----------
    plane : ndarray of shape (rows, columns)
    model : PlaneModel, optional
        Codes the plane where that is shorter.
    height : int
        Number of rows of a frame when the plane is a stack of frames, else 0.
    offsets : ndarray of the same shape, optional
        Where values truly lie between integers, in 1/256, as the decoder knows from a dither.
    """
    return FORMS.encode(IntegerPlane(np.ascontiguousarray(plane, dtype=np.int64), model, height, offsets))


def estimated_bytes(plane: np.ndarray) -> float:
    """About what a plane takes without a model, in a small part of the time that coding it takes."""
    rows = sample_rows(plane)
    bits = min(*predicted_bits(rows).values(), *difference_bits(rows).values())
    return bits / 8 * plane.size / rows.size


def decode_integers(
    reader: Reader,
    n_rows: int,
    n_columns: int,
    model: PlaneModel | None = None,
    offsets: np.ndarray = NO_OFFSETS,
) -> np.ndarray:
    """Rebuild the int64 plane from the rest of ``reader``."""
    return FORMS.decode(reader, WantedIntegers((n_rows, n_columns), model, offsets))
