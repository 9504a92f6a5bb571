"""Grids whose step follows each point's own standard deviation, moved at random from point to point.

The value with deviation s has the step w = 2 K s (1 - 2^-20) and the known offset u w, u uniform in (-1/2,
1/2) from `invae.codec.sigma.counts.dither` (subtractive dither):

    n = rint((x - u w) / w),     x' = n w + u w.

So |x' - x| <= K s, and the error is uniform, independent of the value and of the errors of other values.
Integer data have the odd steps w = 2 floor(K s (1 - 2^-20)) + 1 and offsets rounded to whole numbers.

The numbers n are coded by `invae.codec.sigma.mixture`, which knows steps and dither.

References
----------
[1] Lipshitz, Wannamaker, Vanderkooy (1992), Quantization and dither: a theoretical survey (theorem on
subtractive dither).
"""

from __future__ import annotations

import numpy as np

from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.transforms import rounded
from invae.codec.sigma.counts import T_BITS, dither
from invae.codec.sigma.mixture import FARTHEST, decode_numbers, encode_numbers

__all__ = ["DitheredSteps"]

MARGIN = 1.0 - 2.0**-20
FINEST = 1e-290  # a finer step is none
RANGE = 300  # powers of two around the middle step within which steps are told apart by the filters


class DitheredSteps:
    """Steps and offsets of a plane of values.

    Parameters
    ----------
    k : float
        K of ``Ksigma``.
    sigma : ndarray of shape (rows, columns)
        Standard deviations as the decoder has them.
    dtype : dtype
        Of the values: real numbers of at most 8 bytes.
    seed : int
        Of the dither.

    Attributes
    ----------
    usable : ndarray of bool
        False where sigma gives no step: such values must be kept exactly.

    Examples
    --------
    >>> steps = DitheredSteps(0.5, np.full((1, 4), 0.2), np.dtype(float), 0)
    >>> x = np.array([[1.0, 1.1, 1.2, 1.3]])
    >>> n, outside = steps.numbers(x)
    >>> bool((np.abs(steps.values(n) - x) <= 0.1).all()), bool(outside.any())
    (True, False)
    """

    def __init__(self, k: float, sigma: np.ndarray, dtype: np.dtype, seed: int) -> None:
        self.dtype = dtype
        with np.errstate(all="ignore"):
            half = k * sigma.astype(np.float64) * MARGIN
            step = 2.0 * np.floor(half) + 1.0 if dtype.kind in "iu" else 2.0 * half
            self.usable = np.isfinite(step) & (sigma > 0) & (step >= FINEST)
        step = fill_gaps(np.where(self.usable, step, 1.0), ~self.usable)
        self._step = np.where(step > 0, step, 1.0)  # where nothing is usable
        u = ((dither(sigma.size, seed) + 0.5) / (1 << T_BITS) - 0.5).reshape(sigma.shape)
        offset = u * self._step
        self._offset = np.rint(offset) if dtype.kind in "iu" else offset
        self._u = self._offset / self._step if dtype.kind in "iu" else u
        fraction, exponent = np.frexp(self._step)
        middle = np.sort(exponent, axis=None)[exponent.size // 2]
        self._t = np.ldexp(fraction, np.clip(exponent - middle, -RANGE, RANGE))

    def numbers(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of values, and where a value has none (0 there)."""
        with np.errstate(all="ignore"):
            place = (x.astype(np.float64) - self._offset) / self._step
            outside = ~(np.abs(place) < FARTHEST)
        return np.rint(np.where(outside, 0.0, place)).astype(np.int64), outside

    def values(self, n: np.ndarray) -> np.ndarray:
        """Values of numbers."""
        with np.errstate(over="ignore", under="ignore"):
            values = n * self._step + self._offset
            return values.astype(self.dtype) if self.dtype.kind == "f" else rounded(values, self.dtype)

    def encode(self, n: np.ndarray, skip: np.ndarray) -> bytes:
        """Code numbers but those to ``skip``."""
        return encode_numbers(n, self._u, self._t, skip)

    def decode(self, data: bytes, skip: np.ndarray) -> np.ndarray:
        """Inverse of `encode`."""
        return decode_numbers(data, self._u, self._t, skip)
