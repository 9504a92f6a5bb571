"""Grids of signals: their check, and from a fine one to a coarse one by means over its cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from invae.data.arguments import whole_number
from invae.errors import InputError

__all__ = ["box_average", "disc_share", "image_grid", "pixel_centres", "signal_grid"]


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


def signal_grid(n: int, shape: Sequence[int], dimensions: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Number and shape of signals, checked; ``dimensions`` are the numbers of axes that a family draws.

    Raises
    ------
    InputError
        Another number of axes, a side of one cell, or no signal.
    """
    n = whole_number(n, "n")
    if not isinstance(shape, Iterable):
        raise InputError(f"shape={shape!r}; expected a tuple of whole numbers")
    shape = tuple(whole_number(size, "a side of shape") for size in shape)
    if len(shape) not in dimensions or any(size < 2 for size in shape):
        wanted = " or ".join(f"{d}-D" for d in dimensions)
        raise InputError(f"shape={shape}; this family draws {wanted} signals with at least 2 cells per side")
    if n < 1:
        raise InputError(f"n={n}; ask for at least one signal")
    return n, shape


def image_grid(n: int, shape: Sequence[int]) -> tuple[int, tuple[int, int]]:
    """As `signal_grid`, for images."""
    n, (rows, columns) = signal_grid(n, shape, (2,))
    return n, (rows, columns)


def pixel_centres(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, float]:
    """Centres of rows and columns, the shorter side spanning [-1, 1], and the side of a pixel."""
    pixel = 2.0 / min(shape)
    row, column = ((np.arange(size) - (size - 1) / 2) * pixel for size in shape)
    return row, column, pixel


def disc_share(shape: tuple[int, ...]) -> np.ndarray:
    """Share of each pixel that the disc of radius 0.95 covers."""
    if len(shape) != 2:
        raise InputError(f"disc=True needs an image, got shape={shape}")
    row, column, _ = pixel_centres((8 * shape[0], 8 * shape[1]))
    inside = row[:, None] ** 2 + column[None, :] ** 2 <= 0.95**2
    return box_average(inside[None].astype(np.float64), 8)[0]
