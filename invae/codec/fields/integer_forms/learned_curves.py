"""By the archive's model for curves: a byte 255 and the code of `invae.codec.curves.kernel`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader
from invae.codec.fields.integer_forms.plane import IntegerPlane, WantedIntegers

__all__ = ["LearnedCurves"]

NUMBER = 255


class LearnedCurves:
    """Rows as curves, by a learned model that the archive names once."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: IntegerPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where there is a model for curves and it applies."""
        if task.model is None or task.model.curves is None:
            return
        code = task.model.curves.encode(task.plane)
        if code is not None:
            yield bytes([NUMBER]) + code

    def decode(self, number: int, reader: Reader, wanted: WantedIntegers) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.model is None or wanted.model.curves is None:
            raise reader.fail("these integers were coded by a model, but the archive names none")
        return wanted.model.curves.decode(reader.rest(), *wanted.shape)
