"""Rows are samples: one rule for flat and shaped arrays, used by every estimator.

Flat in, flat out: ``(N, n)`` stays ``(N, n)``. Shaped in, shaped out: ``(N, *shape)``
is worked on as ``(N, n)`` and given back as ``(N, *shape)``.
"""

from __future__ import annotations

import math

import numpy as np

from invae.errors import InputError

__all__ = ["as_float", "as_rows", "from_rows"]


def as_float(array: np.ndarray) -> np.ndarray:
    """float32 and float64 are kept, integers and booleans become float64; anything else is refused."""
    array = np.asarray(array)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    raise InputError(f"expected real numbers, got an array of dtype {array.dtype}; pass float32 or float64")


def as_rows(array: np.ndarray, shape: tuple[int, ...], what: str) -> tuple[np.ndarray, bool]:
    """View ``(N, *shape)`` or ``(N, n)`` as finite float rows ``(N, n)``; also say whether it came shaped.

    Raises
    ------
    InputError
        Wrong shape, no sample, or a value that is not finite; ``what`` names the argument in the message.
    """
    array = as_float(array)
    size = math.prod(shape)
    shaped = len(shape) > 1 and array.shape[1:] == tuple(shape)
    if not shaped and (array.ndim != 2 or array.shape[1] != size):
        wanted = f"(N, {size})" + (f" or (N, {', '.join(map(str, shape))})" if len(shape) > 1 else "")
        raise InputError(f"{what} has shape {array.shape}, expected {wanted} with one sample per row")
    if array.shape[0] == 0:
        raise InputError(f"{what} holds no sample; pass at least one row")
    rows = array.reshape(array.shape[0], size)
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        first = int(np.argmax(bad))
        raise InputError(
            f"{what} has NaN or infinite values in {int(bad.sum())} of {len(rows)} rows "
            f"(first: row {first}); remove or repair those rows"
        )
    return rows, shaped


def from_rows(rows: np.ndarray, shape: tuple[int, ...], shaped: bool) -> np.ndarray:
    """Give rows ``(N, n)`` back as ``(N, *shape)`` when the matching input came shaped."""
    return rows.reshape(len(rows), *shape) if shaped else rows
