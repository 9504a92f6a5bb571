"""Patches of photographs: random windows, averaged exactly over the cells of any grid."""

from __future__ import annotations

import numpy as np

from invae.data.arguments import generator
from invae.data.simulation.grids import disc_share, image_grid
from invae.errors import InputError
from invae.extras import optional_imports

__all__ = ["PHOTOGRAPHS", "photograph_patches"]

Rng = int | np.random.Generator | None

# Those that scikit-image installs with its code; regular textures and pages of text are left out.
PHOTOGRAPHS = {
    "train": ("astronaut", "cell", "chelsea", "coffee", "hubble_deep_field", "immunohistochemistry", "moon"),
    "test": ("camera", "coins", "retina", "rocket"),
}


def photograph_patches(
    n: int,
    shape: tuple[int, int],
    rng: Rng = None,
    *,
    split: str = "train",
    side: tuple[float, float] = (64.0, 160.0),
    disc: bool = False,
) -> np.ndarray:
    """Random windows of the photographs that scikit-image brings along, grey values in [0, 1].

    Every window has a random place, size and orientation (flips and quarter turns), and is averaged exactly
    over the pixels of the grid. Training and test windows come from different photographs (`PHOTOGRAPHS`).

    Parameters
    ----------
    n : int
        Number of patches.
    shape : (int, int)
        Grid.
    rng : int, Generator or None
    split : {"train", "test"}
    side : (float, float)
        Range of the window's shorter side, in pixels of the photograph.
    disc : bool
        Cut by the disc of radius 0.95, zero outside.

    Returns
    -------
    ndarray of shape (n, *shape)

    Examples
    --------
    >>> photograph_patches(2, (16, 16), rng=0, split="test").shape
    (2, 16, 16)
    """
    n, shape = image_grid(n, shape)
    if split not in PHOTOGRAPHS:
        raise InputError(f"split={split!r}; use one of {', '.join(PHOTOGRAPHS)}")
    rng = generator(rng)
    integrals = [_integral(name) for name in PHOTOGRAPHS[split]]
    patches = np.empty((n, *shape))
    aspect = np.array(shape) / min(shape)
    for patch in patches:
        integral = integrals[rng.integers(len(integrals))]
        place, turns, flip = rng.uniform(size=3), int(rng.integers(4)), rng.integers(2)
        extent = aspect if turns % 2 == 0 else aspect[::-1]
        room = np.array(integral.shape) - 1.0
        window = extent * min(side[0] + place[2] * (side[1] - side[0]), *(room / extent))
        corner = place[:2] * (room - window)
        grid = shape if turns % 2 == 0 else shape[::-1]
        values = _mean_over_cells(integral, corner, window, grid)
        values = np.rot90(values, turns)
        patch[...] = values[:, ::-1] if flip else values
    return patches * disc_share(shape) if disc else patches


def _integral(name: str) -> np.ndarray:
    """Summed-area table of a photograph's grey values, one row and column of zeros in front."""
    with optional_imports():
        import skimage.data

    pixels = np.asarray(getattr(skimage.data, name)(), np.float64) / 255.0
    if pixels.ndim == 3:
        pixels = pixels[..., :3] @ np.array([0.2125, 0.7154, 0.0721])
    return np.pad(pixels.cumsum(0).cumsum(1), ((1, 0), (1, 0)))


def _mean_over_cells(
    integral: np.ndarray, corner: np.ndarray, window: np.ndarray, grid: tuple[int, ...]
) -> np.ndarray:
    """Exact means over the cells of a grid laid on a window: the table is bilinear between its nodes."""
    values = integral
    for axis in range(2):
        edges = corner[axis] + window[axis] * np.arange(grid[axis] + 1) / grid[axis]
        low = np.clip(np.floor(edges).astype(int), 0, integral.shape[axis] - 2)
        weight = edges - low
        weight = weight[:, None] if axis == 0 else weight
        values = np.take(values, low, axis) * (1 - weight) + np.take(values, low + 1, axis) * weight
        values = np.diff(values, axis=axis)
    # The table's differences carry rounding errors of 1e-12; the means themselves lie in [0, 1].
    return np.clip(values / (window[0] * window[1]) * (grid[0] * grid[1]), 0.0, 1.0)
