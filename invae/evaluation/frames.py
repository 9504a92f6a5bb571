"""One detector image out of a frame, array or stack: what is masked in it, where the beam is, its rings."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.errors import InputError, InvaeError
from invae.evaluation.rings import RingScores, ring_scores

__all__ = ["bad_pixels", "beam_centre", "centre_source", "first_image", "ring_shifts"]


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
    stated = _stated_centre(item)
    if stated is not None:
        return stated
    image = first_image(item)
    if image is None:
        raise InputError("no 2-D image in this item; a beam centre needs an image of at least 2 x 2 pixels")
    rows, columns = image.shape
    return (rows - 1) / 2, (columns - 1) / 2


def centre_source(item: Any) -> str:
    """What `beam_centre` gives: "the beam" or, where nothing tells where that is, "the middle"."""
    return "the middle" if _stated_centre(item) is None else "the beam"


def _stated_centre(item: Any) -> tuple[float, float] | None:
    if isinstance(item, np.ndarray):
        return None
    geometry = item.metadata.get("geometry")
    if isinstance(geometry, dict) and len(geometry.get("centre") or ()) == 2:
        return float(geometry["centre"][0]), float(geometry["centre"][1])
    image = first_image(item)
    if item.qx is None or item.qy is None or image is None or np.shape(item.qx) != image.shape:
        return None
    q = np.hypot(np.asarray(item.qx, float), np.asarray(item.qy, float))
    if not np.isfinite(q).any():
        return None
    place = np.unravel_index(np.nanargmin(q), q.shape)
    return float(place[0]), float(place[1])


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
