"""What lies beyond the detector's ends, for scans whose object or image is wider than the detector.

A line that ends abruptly is filtered into a bright rim. Beyond an end that does not reach the image's shadow
it is carried on as the shadow of a round object would be, p(s) = p(a) sqrt((R^2 - s^2) / (R^2 - a^2)) from
the end a to R; R follows from the slope of p^2 against s^2 next to the ends, all views together (Hsieh et al.
2004, Med. Phys. 31). An object inside the field of view has level 0 there and is left as it is. Filtered
lines are wanted out there too: pixels of the image's corners lie there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.classical.fbp.views import shadow

__all__ = ["Border"]

LEVEL_BINS = 4  # whose mean is the level at an end
FIT_SHARE = 0.1  # of the detector, next to each end, that tells R
FURTHEST = 3.0  # R in units of a


class Border:
    """Lines (N, views, n_detectors) continued beyond the detector.

    Parameters
    ----------
    F : Radon
    redundant : ndarray of shape (n_detectors,) or None
        Weights of a detector that is longer on one side; they end in 0 on the other, which needs nothing.

    Attributes
    ----------
    left : int
        Bins added before the first one.
    size : int
        Bins of a continued line.
    """

    def __init__(self, F: Any, redundant: np.ndarray | None) -> None:
        self.n_detectors, spacing = F.n_detectors, F.detector_spacing
        s = np.abs(F.detector_positions)
        self._ends = np.array([s[0], s[-1]])
        short = shadow(F) - self._ends - spacing / 2
        self._open = (short > spacing) & (F.n_detectors >= 4 * LEVEL_BINS)
        if redundant is not None:
            self._open &= redundant[[0, -1]] > 0.5
        width = max(LEVEL_BINS, round(FIT_SHARE * F.n_detectors))
        self._near = (slice(width), slice(F.n_detectors - width, None))
        self._power = s**2
        further = np.where(self._open, (FURTHEST - 1) * self._ends, 0.0)
        added = np.ceil(np.maximum(np.maximum(short, 0), further) / spacing).astype(int)
        self.left, right = int(added[0]), int(added[1])
        self.size = self.left + F.n_detectors + right
        self._outside = (
            s[0] + spacing * np.arange(self.left, 0, -1),
            s[-1] + spacing * np.arange(1, right + 1),
        )

    def extend(self, lines: np.ndarray) -> np.ndarray:
        """Lines (N, views, n_detectors) -> (N, views, size)."""
        if self.size == self.n_detectors:
            return lines
        out = np.zeros((*lines.shape[:-1], self.size), lines.dtype)
        end = self.left + self.n_detectors
        out[..., self.left : end] = lines
        for side, place in enumerate((slice(self.left), slice(end, None))):
            if self._open[side]:
                ends = lines[..., :LEVEL_BINS] if side == 0 else lines[..., -LEVEL_BINS:]
                tail = self._tail(lines, side).astype(lines.dtype)
                out[..., place] = ends.mean(axis=-1, keepdims=True) * tail[:, None]
        return out

    def _tail(self, lines: np.ndarray, side: int) -> np.ndarray:
        """Fall (N, bins) from 1 at the end to 0 at R, of each scan."""
        near, a = self._near[side], self._ends[side]
        power = np.mean(np.square(lines[..., near], dtype=np.float64), axis=1)
        x = self._power[near] - self._power[near].mean()
        slope = (power - power.mean(axis=1, keepdims=True)) @ x / (x @ x)
        level = power.mean(axis=1) + slope * (a**2 - self._power[near].mean())
        steep = np.maximum(-slope, 1e-12 * np.abs(power).max(axis=1) / max(a**2, 1e-12) + 1e-300)
        R2 = a**2 + np.clip(level / steep, 0, (FURTHEST**2 - 1) * a**2)
        room = np.maximum(R2 - a**2, 1e-12 * a**2 + 1e-300)[:, None]
        return np.sqrt(np.maximum(R2[:, None] - self._outside[side] ** 2, 0) / room)
