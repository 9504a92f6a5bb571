"""Rows are samples: one rule for flat and shaped arrays, used by every estimator.

Flat in, flat out: ``(N, n)`` stays ``(N, n)``. Shaped in, shaped out: ``(N, *shape)``
is worked on as ``(N, n)`` and given back as ``(N, *shape)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from invae.errors import InputError

__all__ = [
    "as_float",
    "as_reals",
    "as_rows",
    "error_scale",
    "from_rows",
    "is_number",
    "relative_error",
    "shown",
]


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


def relative_error(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """||x_hat - x|| / ||x|| of each row; rows that are zero count with their absolute error."""
    return np.linalg.norm(estimate - truth, axis=-1) / error_scale(truth)


def error_scale(truth: np.ndarray) -> np.ndarray:
    """What errors of each row are relative to: its norm, 1 for a row of zeros."""
    size = np.linalg.norm(truth, axis=-1)
    return np.where(size > 0, size, 1.0)


def is_number(value: Any, least: float = -math.inf) -> bool:
    """Whether ``value`` is one finite real number >= ``least``; arrays, texts and booleans are not."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return math.isfinite(value) and bool(value >= least)


def as_reals(value: Any, name: str) -> np.ndarray:
    """An argument as a new float64 array.

    Raises
    ------
    InputError
        It is no number and no array of numbers.
    """
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name}={shown(value)}; pass real numbers") from None


def shown(value: Any) -> str:
    """A wrong argument as it may stand in a message: arrays by their shape, long texts cut."""
    if isinstance(value, (list, tuple)) and len(value) > 4:
        return f"a {type(value).__name__} of {len(value)}"
    if hasattr(value, "shape") and np.ndim(value) > 0:
        return f"an array of shape {tuple(value.shape)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
