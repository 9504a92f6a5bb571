"""From a fine grid to a coarse one: a coarse cell holds the mean of its fine cells."""

from __future__ import annotations

import numpy as np

from invae.errors import InputError

__all__ = ["box_average"]


def box_average(images: np.ndarray, factor: int) -> np.ndarray:
    """Mean over blocks of ``factor`` pixels per axis: (n, f*a, f*b) -> (n, a, b), in any number of axes.

    Raises
    ------
    InputError
        A side is not a multiple of ``factor``.
    """
    images = np.asarray(images)
    if factor < 1 or any(size % factor for size in images.shape[1:]):
        raise InputError(
            f"sides {images.shape[1:]} are not multiples of factor={factor}; render a finer multiple"
        )
    split = [images.shape[0]]
    for size in images.shape[1:]:
        split += [size // factor, factor]
    return images.reshape(split).mean(axis=tuple(range(2, len(split), 2)))
