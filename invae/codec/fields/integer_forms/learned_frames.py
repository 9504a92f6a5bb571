"""By a model for frames: a byte 252, the first bytes of the model's SHA-256, the code of its kernel.

The code is that of `invae.codec.frames.kernel`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader
from invae.codec.fields.integer_forms.plane import IntegerPlane, WantedIntegers

__all__ = ["LearnedFrames"]

NUMBER = 252
REFERENCE = 4  # bytes of a frame model's SHA-256: one in four thousand million meets another model's
FEWEST_ROWS = 8  # in smaller frames the model has learned nothing before it ends


class LearnedFrames:
    """Stacked frames, by a learned model that each plane names."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: IntegerPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where the plane is one of frames."""
        if task.model is None or task.height < FEWEST_ROWS:
            return
        code = task.model.frames.encode(task.plane, task.height, task.offsets)
        if code is not None:
            yield bytes([NUMBER]) + task.model.frames.digest[:REFERENCE] + code

    def decode(self, number: int, reader: Reader, wanted: WantedIntegers) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.model is None:
            raise reader.fail("these frames were coded by a model, but none is given")
        frames = wanted.model.frame_model(reader.raw(REFERENCE))
        return frames.decode(reader.rest(), *wanted.shape, wanted.offsets)
