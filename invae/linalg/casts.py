"""Arrays in the precision of what they meet, cast once."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["Casts"]


class Casts:
    """Contiguous casts of arrays, made once for each dtype.

    Examples
    --------
    >>> casts = Casts(np.ones(3), np.zeros((2, 2)))
    >>> [array.dtype.name for array in casts(np.float32)], casts(np.float32)[0] is casts(np.float32)[0]
    (['float32', 'float32'], True)
    """

    def __init__(self, *arrays: np.ndarray) -> None:
        self._arrays = arrays
        self._made: dict[str, tuple[np.ndarray, ...]] = {}

    def __call__(self, dtype: DTypeLike) -> tuple[np.ndarray, ...]:
        key = np.dtype(dtype).str
        if key not in self._made:
            self._made[key] = tuple(np.ascontiguousarray(array, dtype) for array in self._arrays)
        return self._made[key]
