"""Filling the gaps of a masked scan, for methods that work on whole views."""

from __future__ import annotations

import numpy as np

__all__ = ["GapFiller"]


class GapFiller:
    """Linear interpolation along the detector over dead bins, constant beyond the last live one.

    Parameters
    ----------
    keep : ndarray of bool, shape (views, detectors)
        What was measured; the rows to fill hold these entries in order.

    Attributes
    ----------
    seen : ndarray of bool, shape (views,)
        False for views of which nothing was measured; they are filled with zeros.
    """

    def __init__(self, keep: np.ndarray) -> None:
        self.seen = keep.any(axis=1)
        self._left = np.zeros(keep.shape, int)
        self._right = np.zeros(keep.shape, int)
        self._part = np.zeros(keep.shape)
        number = np.cumsum(keep.ravel()).reshape(keep.shape) - 1
        for view in np.flatnonzero(self.seen):
            live = np.flatnonzero(keep[view])
            bins = np.arange(keep.shape[1])
            right = np.minimum(np.searchsorted(live, bins), len(live) - 1)
            left = np.maximum(np.searchsorted(live, bins, side="right") - 1, 0)
            gap = live[right] - live[left]
            self._part[view] = np.where(gap > 0, (bins - live[left]) / np.maximum(gap, 1), 0.0)
            self._left[view], self._right[view] = number[view, live[left]], number[view, live[right]]

    def fill(self, rows: np.ndarray) -> np.ndarray:
        """Kept entries (N, k) -> (N, views, detectors)."""
        part = self._part.astype(rows.dtype)
        full = rows[:, self._left] * (1 - part) + rows[:, self._right] * part
        full[:, ~self.seen] = 0
        return full
