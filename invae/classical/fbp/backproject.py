"""Back-projection by linear interpolation: every pixel reads each view where its own ray meets the detector.

Smoother than the projector's adjoint, which a filtered back-projection need not use.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

__all__ = ["back_project"]

BATCH = 16


def back_project(lines: np.ndarray, operator: Any, added: int = 0) -> np.ndarray:
    """Sum over views of ``lines`` (N, views, bins) at each pixel -> (N, n).

    The lines begin ``added`` bins before the operator's detector.

    Parallel geometry: sum_v q_v(x cos + y sin). Fan geometry: each view is weighted by (R / (R - y'))^2,
    with R the source's distance (negative below the image) and y' the pixel's coordinate upwards, turned with
    the scan.
    """
    N, dtype = len(lines), lines.dtype
    rows, columns = operator.dims
    centre = operator.detector_offset / operator.detector_spacing - (operator.n_detectors - 1) / 2 - added
    source, magnified = math.inf, 1.0
    if operator.geometry == "fan":
        side = 1 if operator.source_side == "above" else -1
        source = side * operator.source_distance
        magnified = side * (operator.source_distance + operator.detector_distance)
    out = np.empty((N, rows * columns), dtype)
    for first in range(0, N, BATCH):
        batch = np.ascontiguousarray(np.moveaxis(lines[first : first + BATCH], 0, 2))
        image = np.zeros((rows * columns, batch.shape[2]), dtype)
        _accumulate(
            batch,
            image,
            columns,
            np.cos(operator.angles),
            np.sin(operator.angles),
            1.0 / operator.detector_spacing,
            centre,
            source,
            magnified,
        )
        out[first : first + BATCH] = image.T
    return out


@numba.njit(cache=True, nogil=True)
def _accumulate(lines, image, columns, cos, sin, density, centre, source, magnified):  # pragma: no cover
    views, detectors, N = lines.shape
    rows = image.shape[0] // columns
    for v in range(views):
        for pixel in range(image.shape[0]):
            x = pixel % columns - (columns - 1) / 2
            y = (rows - 1) / 2 - pixel // columns
            s = x * cos[v] + y * sin[v]
            weight = 1.0
            if source < np.inf:
                near = 1.0 / (source - (y * cos[v] - x * sin[v]))
                s *= magnified * near
                weight = (source * near) ** 2
            place = s * density - centre
            left = int(np.floor(place))
            part = place - left
            if left < -1 or left >= detectors:
                continue
            a = weight * (1.0 - part) if left >= 0 else 0.0
            b = weight * part if left + 1 < detectors else 0.0
            i, j = max(left, 0), min(left + 1, detectors - 1)
            for n in range(N):
                image[pixel, n] += a * lines[v, i, n] + b * lines[v, j, n]
