"""Rays of tomographic geometries, as (x, y, dx, dy): a point on the ray and its direction.

The image lies centred at the origin, unit pixels, x to the right (columns), y upwards (against the row
index). At angle theta the detector axis is (cos theta, sin theta).
"""

from __future__ import annotations

import numpy as np

__all__ = ["detector_positions", "fan_rays", "parallel_rays"]


def detector_positions(n_detectors: int, spacing: float, offset: float) -> np.ndarray:
    """Centres of the detector's bins along its axis, (n_detectors,)."""
    return (np.arange(n_detectors) - (n_detectors - 1) / 2) * spacing + offset


def parallel_rays(angles: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Rays x cos theta + y sin theta = s as (n_angles * n_detectors, 4), view by view."""
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    one = np.ones_like(positions)
    return np.stack([c * positions, s * positions, s * one, -c * one], axis=-1).reshape(-1, 4)


def fan_rays(angles: np.ndarray, positions: np.ndarray, source: float, detector: float) -> np.ndarray:
    """Rays from a point at distance `source` to a flat detector at distance `detector` behind the centre.

    At theta = 0 the source lies at (0, source) and the detector on the line y = -detector; with both
    distances negative, on the other sides.
    """
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    from_x, from_y = -s * source, c * source
    to_x = s * detector + c * positions
    to_y = -c * detector + s * positions
    dx, dy = to_x - from_x, to_y - from_y
    one = np.ones_like(positions)
    return np.stack([from_x * one, from_y * one, dx, dy], axis=-1).reshape(-1, 4)
