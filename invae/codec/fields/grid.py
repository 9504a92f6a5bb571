"""Values to grid integers and back, for bounds that are uniform in some domain.

===== ============================================ ======================================
kind  grid                                         decoded value
===== ============================================ ======================================
abs   n = rint(x / w), w a little below 2 X        n w, one IEEE product
abs   integer types: n = floor((x + h) / (2h + 1)) n (2h + 1), kept inside the type; h = floor(X)
log   n = rint(log10 x / w), w a little below 2 X  exp10(n w)
rel   as log, for log10(1 + X); signs apart         +-exp10(n w)
===== ============================================ ======================================

The result is cast to the stored dtype (integers: rounded first). Nothing here promises the bound: the encoder
compares decoded values with the originals, bit for bit as the reader will see them, and stores those that
miss as exact escapes.
"""

from __future__ import annotations

import math

import numpy as np

from invae.codec.bounds import Bound
from invae.codec.coding.transforms import exp10, rounded

__all__ = ["LARGEST", "grid_codes", "grid_values"]

LARGEST = 1 << 52
LOG10_E = 0.4342944819032518
SHRINK = 1.0 - 2.0**-20


def grid_codes(plane: np.ndarray, bound: Bound) -> tuple[np.ndarray, np.ndarray]:
    """Return grid integers and a boolean plane of what has none (those integers are 0)."""
    if bound.kind == "abs" and plane.dtype.kind in "iu":
        half = _half(bound)
        small = np.abs(plane.astype(np.float64)) < LARGEST
        codes = (np.where(small, plane, 0).astype(np.int64) + half) // (2 * half + 1)
        return codes, ~small
    step = _step(bound)
    x = plane.astype(np.float64)
    with np.errstate(all="ignore"):
        if bound.kind == "abs":
            place = x / step
        else:
            place = np.log10(np.abs(x) if bound.kind == "rel" else x) / step
        outside = ~(np.abs(place) < LARGEST)
    codes = np.rint(np.where(outside, 0, place)).astype(np.int64)
    return codes, outside


def grid_values(
    codes: np.ndarray, bound: Bound, dtype: np.dtype, negative: np.ndarray | None = None
) -> np.ndarray:
    """Return the values of grid integers in the native ``dtype``; ``negative`` marks those below zero."""
    if bound.kind == "abs" and dtype.kind in "iu":
        info = np.iinfo(dtype)
        low, high = max(info.min, -(1 << 62)), min(info.max, 1 << 62)
        return np.clip(codes * (2 * _half(bound) + 1), low, high).astype(dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a step of 2 X may be infinite
        y = codes.astype(np.float64) * _step(bound)
        values = y if bound.kind == "abs" else exp10(y)
        if negative is not None:
            values = np.where(negative, -values, values)
        return rounded(values, dtype) if dtype.kind in "iu" else values.astype(dtype)


def _step(bound: Bound) -> float:
    width = bound.value
    if bound.kind == "rel":  # 2 X / (2 + X) <= ln(1 + X), in IEEE operations only
        width = 2.0 * width / (2.0 + width) * LOG10_E
    return 2.0 * width * SHRINK


def _half(bound: Bound) -> int:
    return int(min(math.floor(bound.value), LARGEST))
