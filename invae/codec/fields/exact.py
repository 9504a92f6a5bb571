"""Exact coding of a plane of numbers of any dtype: the shortest of several forms, named by the first byte.

====== ============ ======================================================================================
number form         file in ``exact_forms``
====== ============ ======================================================================================
0      raw          `raw.py`: the values as they are
1      shuffled     `shuffled.py`: zstd of the values' bytes
2      whole        `whole.py`: integer types
3      ordered      `ordered.py`: floats by their ordered bits
4, 5   decimals     `decimals.py`: floats that were decimal text, to some decimals or significant digits
6      narrow       `narrow.py`: float64 that holds float32 values
7      marked       `marked.py`: integer types with sentinels
8      dictionary   `dictionary.py`: few different values
9      progression  `progression.py`: rows on an even grid, or its powers of ten or e
10     binary point `binary_point.py`: floats as integers times one power of two
====== ============ ======================================================================================
"""

from __future__ import annotations

import numpy as np

from invae.codec.bounds import sentinels
from invae.codec.coding.varint import Reader
from invae.codec.fields.escapes import Escapes
from invae.codec.fields.exact_forms.binary_point import BinaryPoint
from invae.codec.fields.exact_forms.decimals import Decimals
from invae.codec.fields.exact_forms.dictionary import Dictionary
from invae.codec.fields.exact_forms.marked import Marked
from invae.codec.fields.exact_forms.narrow import Narrow
from invae.codec.fields.exact_forms.ordered import Ordered
from invae.codec.fields.exact_forms.plane import ExactPlane, WantedPlane
from invae.codec.fields.exact_forms.progression import Progression
from invae.codec.fields.exact_forms.raw import Raw, raw
from invae.codec.fields.exact_forms.shuffled import Shuffled
from invae.codec.fields.exact_forms.whole import Whole
from invae.codec.fields.forms import Table
from invae.codec.fields.plane_model import PlaneModel

__all__ = ["ESCAPES", "FORMS", "decode_exact", "encode_exact"]


def encode_exact(plane: np.ndarray, height: int = 0, model: PlaneModel | None = None) -> bytes:
    """Code a plane (rows, columns) of any native real dtype in the shortest form.

    ``height`` as for `invae.codec.fields.integers.encode_integers`; of ``model`` only what codes frames is
    used.
    """
    plane = np.ascontiguousarray(plane)
    if plane.size == 0:
        return raw(plane)
    model = None if model is None else model.without_curves()
    return FORMS.encode(ExactPlane(plane, model, height, sentinels(plane)))


def decode_exact(
    reader: Reader, dtype: np.dtype, n_rows: int, n_columns: int, model: PlaneModel | None = None
) -> np.ndarray:
    """Rebuild the plane of native ``dtype`` from the rest of ``reader``."""
    return FORMS.decode(reader, WantedPlane((n_rows, n_columns), dtype, model))


ESCAPES = Escapes(encode_exact, decode_exact)
FORMS: Table[ExactPlane, WantedPlane] = Table(
    "exact form",
    [
        Narrow(encode_exact, decode_exact),
        Raw(),
        Decimals(ESCAPES),
        Ordered(),
        BinaryPoint(),
        Dictionary(encode_exact, decode_exact),
        Progression(),
        Marked(ESCAPES),
        Whole(),
        Shuffled(),
    ],
)
