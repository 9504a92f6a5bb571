"""One detector image out of a frame, array or stack: what is masked in it, where the beam is, its rings."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.errors import InvaeError
from invae.evaluation.rings import RingScores, ring_scores

__all__ = ["bad_pixels", "beam_centre", "first_image", "ring_shifts"]


def first_image(item: Any) -> np.ndarray | None:
    """The first 2-D image of an array or record; None where there is none."""
    values = item if isinstance(item, np.ndarray) else np.asarray(item.values)
    if values.ndim < 2 or values.size == 0 or min(values.shape[-2:]) < 2:
        return None
    return values.reshape(-1, *values.shape[-2:])[0]


def bad_pixels(item: Any) -> np.ndarray | None:
    """True where the first image is masked, not finite, or holds a sentinel of an integer detector."""
    image = first_image(item)
    if image is None:
        return None
    if image.dtype.kind == "i":
        bad = image < 0
    elif image.dtype.kind == "u":
        bad = image == np.iinfo(image.dtype).max
    else:
        bad = ~np.isfinite(image)
    mask = None if isinstance(item, np.ndarray) else item.mask
    return bad if mask is None else bad | (np.asarray(mask).reshape(-1, *image.shape)[0] != 0)


def beam_centre(item: Any) -> tuple[float, float]:
    """Row and column of the beam: as the metadata state, or where q is least, or the middle of the image."""
    image = first_image(item)
    rows, columns = image.shape
    if not isinstance(item, np.ndarray):
        stated = (item.metadata.get("geometry") or {}) if hasattr(item.metadata, "get") else {}
        if isinstance(stated, dict) and len(stated.get("centre") or ()) == 2:
            return float(stated["centre"][0]), float(stated["centre"][1])
        if item.qx is not None and item.qy is not None and np.shape(item.qx) == image.shape:
            q = np.hypot(np.asarray(item.qx, float), np.asarray(item.qy, float))
            if np.isfinite(q).any():
                place = np.unravel_index(np.nanargmin(q), q.shape)
                return float(place[0]), float(place[1])
    return (rows - 1) / 2, (columns - 1) / 2


def ring_shifts(original: Any, decoded: Any) -> RingScores | None:
    """Shift of ring sums of the first image; None where there is no image or no usable pixel.

    Without a sigma the pixels are taken as counts.
    """
    a, b = first_image(original), first_image(decoded)
    if a is None or b is None:
        return None
    sigma = None if isinstance(original, np.ndarray) else original.sigma
    if sigma is None and a.dtype.kind == "f":
        return None
    bad = bad_pixels(original)
    variance = None
    if sigma is not None:
        variance = np.asarray(sigma, np.float64).reshape(-1, *a.shape)[0] ** 2
        bad = bad | ~(variance > 0)
    try:
        return ring_scores(a, b, beam_centre(original), bad, variance)
    except InvaeError:
        return None
