"""Patches of images: where they lie, and how they are turned.

A patch is a window around a centre, over all channels of an image; its core is the smaller block that a map
writes. Channel 0 is centred by its mean over the window before anything else. Where signals and operator
have the symmetry of the square (on a line: of the flip), a patch is turned before it is looked at, by flips
and the transpose, so that the gradient (a, b) of channel 0 has a >= b >= 0, and what is written for it is
turned back: eight times fewer kinds of patches, each seen eight times as often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["PatchGrid", "padded"]


@dataclass(frozen=True)
class PatchGrid:
    """Patches of a (rows, cols) image; window and core are odd, all in pixels along each axis."""

    dims: tuple[int, int]
    window: tuple[int, int]
    core: tuple[int, int]
    stride: tuple[int, int]
    symmetric: bool = False

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the patch centres, such that the cores cover the image."""
        along = []
        for size, step in zip(self.dims, self.stride):
            places = np.arange(0, size, step)
            along.append(places if places[-1] == size - 1 else np.append(places, size - 1))
        return along[0], along[1]

    @property
    def n_patches(self) -> int:
        rows, columns = self.centres
        return len(rows) * len(columns)

    @property
    def counts(self) -> np.ndarray:
        """How many cores cover each pixel, (rows, cols)."""
        cover = []
        for places, core, size in zip(self.centres, self.core, self.dims):
            near = np.abs(np.arange(size)[:, None] - places[None, :]) <= core // 2
            cover.append(near.sum(axis=1))
        return np.outer(*cover)

    def mirror(self, images: np.ndarray) -> np.ndarray:
        """Images (B, C, rows, cols) with half a window mirrored onto each side."""
        (a, b) = (w // 2 for w in self.window)
        return np.pad(images, ((0, 0), (0, 0), (a, a), (b, b)), mode="symmetric")

    def turns(self, shape: tuple[int, int]) -> np.ndarray:
        """Where the entries of a turned window or core come from, (turns, size).

        Bit 0 of the turn's number flips the rows, bit 1 the columns, bit 2 transposes after that.
        """
        places = np.arange(math.prod(shape)).reshape(shape)
        n_turns = 1 if not self.symmetric else 8 if shape[0] == shape[1] else 4
        table = []
        for turn in range(n_turns):
            turned = places[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]
            table.append((turned.T if turn & 4 else turned).ravel())
        return np.array(table)

    @property
    def slopes(self) -> np.ndarray:
        """Weights (2, window size) that give a patch's gradient along rows and columns."""
        along = [np.arange(size) - size // 2 for size in self.window]
        bell = np.outer(*(np.exp(-0.5 * (3 * x / len(x)) ** 2) for x in along))
        return np.array([(bell * along[0][:, None]).ravel(), (bell * along[1][None, :]).ravel()])


def padded(matrix: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Copy with as many rows and columns as the kernels unroll: multiples of 4 and of 16."""
    rows, columns = (-(-size // block) * block for size, block in zip(matrix.shape[-2:], (4, 16)))
    out = np.zeros((*matrix.shape[:-2], rows, columns), dtype)
    out[..., : matrix.shape[-2], : matrix.shape[-1]] = matrix
    return out
