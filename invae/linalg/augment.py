"""Symmetry groups of a signal's grid: where the prior has the symmetry, a sample stands for its orbit."""

from __future__ import annotations

import numpy as np

from invae.errors import InputError

__all__ = ["AUGMENTATIONS", "augment", "order"]

AUGMENTATIONS = ("flips", "d4")


def augment(rows: np.ndarray, shape: tuple[int, ...], group: str | None) -> np.ndarray:
    """All images of the samples under a group.

    Parameters
    ----------
    rows : ndarray of shape (N, n)
    shape : tuple of int
    group : {None, "flips", "d4"}
        "flips" mirrors every axis (order 2 in 1-D, 4 in 2-D); "d4" adds the quarter turns of a square
        (order 8).

    Returns
    -------
    ndarray of shape (N * order, n)

    Examples
    --------
    >>> augment(np.arange(4.0)[None], (2, 2), "d4").shape
    (8, 4)
    """
    if group is None:
        return rows
    if group not in AUGMENTATIONS:
        raise InputError(f"augment={group!r} is unknown; choose None, {' or '.join(AUGMENTATIONS)}")
    if group == "d4" and (len(shape) != 2 or shape[0] != shape[1]):
        raise InputError(f"augment='d4' needs square images, the signals have shape {shape}; use 'flips'")
    orbit = [rows.reshape(len(rows), *shape)]
    for axis in range(1, 1 + len(shape)):
        orbit += [np.flip(images, axis) for images in orbit]
    if group == "d4":
        orbit += [images.swapaxes(1, 2) for images in orbit]
    return np.concatenate([images.reshape(len(rows), -1) for images in orbit])


def order(group: str | None, shape: tuple[int, ...]) -> int:
    """Images of one sample under a group, itself counted."""
    return 1 if group is None else 2 ** (len(shape) + (group == "d4"))
