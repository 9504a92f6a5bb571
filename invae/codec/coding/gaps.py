"""Integers of values that are kept elsewhere."""

from __future__ import annotations

import numpy as np

__all__ = ["fill_gaps"]


def fill_gaps(codes: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return ``codes`` with each gap holding the last code before it, so that it costs next to nothing."""
    if not gaps.any():
        return codes
    flat, hole = codes.ravel().copy(), gaps.ravel()
    index = np.where(hole, -1, np.arange(flat.size))
    index = np.maximum.accumulate(index)
    first = int(np.argmin(hole))  # leading gaps take the first code there is
    out = flat[np.where(index < 0, first, index)]
    if hole.all():
        out[:] = 0
    return out.reshape(codes.shape)
