"""Steps of each point's own sigma with a known dither: a byte 7, K as a short real, seed, escapes, numbers.

Steps, dither and the code of the numbers: `invae.codec.sigma.dithered`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact import ESCAPES
from invae.codec.fields.field_forms.plane import BoundedPlane, WantedField, read_bound, to_plane
from invae.codec.sigma.dithered import DitheredSteps

__all__ = ["Steps"]

NUMBER = 7
N_SEEDS = 128  # the largest seed fits one byte
MOST_SEED = 1 << 16  # seed x number of values stays within 64 bits


class Steps:
    """Values with standard deviations that the decoder has, too."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: BoundedPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid under a bound in units of given standard deviations."""
        plane, bound, sigma = task.plane, task.bound, task.sigma
        if not task.is_bounded or bound.kind != "sigma" or sigma is None:
            return
        # Another dither for other data, so that errors of like curves are independent, too.
        seed = zlib.crc32(plane.astype(plane.dtype.newbyteorder("<"), copy=False).tobytes()) % N_SEEDS
        steps = DitheredSteps(bound.value, sigma, plane.dtype, seed)
        if not steps.usable.any():
            return
        n, outside = steps.numbers(np.where(task.exact, np.zeros((), plane.dtype), plane))
        escaped = task.exact | outside | ~steps.usable | ~bound.check(plane, steps.values(n), sigma)
        out = Writer().byte(NUMBER).short(bound.value).number(seed).raw(ESCAPES.encode(escaped, plane))
        yield bytes(out.raw(steps.encode(n, escaped)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedField) -> np.ndarray:
        """Inverse of `bids`."""
        k = read_bound(reader, number, wanted)
        if wanted.sigma is None or wanted.sigma.size == 0:
            raise reader.fail("the standard deviations that this field needs are missing")
        seed = reader.number()
        if seed > MOST_SEED:
            raise reader.fail(f"seed {seed} is too large")
        escaped = ESCAPES.decode(reader, wanted.dtype, wanted.shape)
        steps = DitheredSteps(k, to_plane(np.asarray(wanted.sigma)), wanted.dtype, seed)
        skip = np.zeros(wanted.shape, dtype=bool) if escaped.positions is None else escaped.positions
        return escaped.put(steps.values(steps.decode(reader.rest(), skip)))
