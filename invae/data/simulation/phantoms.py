"""Families of training signals: objects drawn once, rendered on any grid.

A family is a function ``family(n, shape, rng, **options) -> ndarray (n, *shape)`` in float64. What is random
is drawn without looking at ``shape``, and a pixel holds (nearly) the mean of the object over its area. So the
same seed shows the same objects on every grid, and box-averaging a fine rendering gives the coarse one:
measurements can be simulated on a finer grid than the one that is reconstructed on, without inverse crime.
The first signals of a longer draw are those of a shorter one.

The defaults of the first three, on a round field of view (``disc=True`` where it is an option), were chosen
so that at 64 x 64 and 30 views with noise of .5 / 2 / 10 % the known errors of an earlier study return: on
ellipses CGLS .09 / .10 / .19, total variation .03 / .05 / .12, the linear map of least risk .07 / .09 /
.15; on Gaussian fields CGLS .06 / .09 / .19, total variation .03 / .05 / .14; on photographs CGLS .11 / .13
/ .23, total variation .06 / .09 / .22.

Coordinates: the shorter side of the image spans [-1, 1], pixels are square, the inscribed disc has radius 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from invae.data.arguments import generator
from invae.data.simulation.grids import (
    box_average,
    disc_share,
    image_grid,
    pixel_centres,
    signal_grid,
)
from invae.data.simulation.photographs import PHOTOGRAPHS, photograph_patches
from invae.errors import InputError

__all__ = [
    "FAMILIES",
    "PHOTOGRAPHS",
    "gaussian_fields",
    "grains",
    "photograph_patches",
    "piecewise_constant",
    "random_ellipses",
]

Rng = int | np.random.Generator | None


def random_ellipses(
    n: int,
    shape: tuple[int, int],
    rng: Rng = None,
    *,
    count: tuple[int, int] = (4, 9),
    value: tuple[float, float] = (0.2, 1.0),
    radius: tuple[float, float] = (0.08, 0.5),
    softness: tuple[float, float] = (0.0, 0.05),
) -> np.ndarray:
    """Sums of ellipses inside the inscribed disc; values are >= 0.

    Parameters
    ----------
    n : int
        Number of images.
    shape : (int, int)
        Grid.
    rng : int, Generator or None
    count : (int, int)
        Least and largest number of ellipses in an image.
    value : (float, float)
        Range of an ellipse's own value; values add up where ellipses overlap.
    radius : (float, float)
        Range of the semi-axes, in units of the disc's radius.
    softness : (float, float)
        Range of the width of an ellipse's edge, in the same units; 0 is a hard edge (anti-aliased over one
        pixel).

    Returns
    -------
    ndarray of shape (n, *shape)

    Examples
    --------
    >>> random_ellipses(3, (32, 32), rng=0).shape
    (3, 32, 32)
    """
    n, shape = image_grid(n, shape)
    rng = generator(rng)
    row, column, pixel = pixel_centres(shape)
    images = np.zeros((n, *shape))
    for image in images:
        for _ in range(rng.integers(count[0], count[1] + 1)):
            a, b = rng.uniform(*radius, size=2)
            # The whole ellipse stays inside the disc.
            distance = math.sqrt(rng.uniform()) * max(0.0, 0.95 - max(a, b))
            direction, tilt = rng.uniform(0, 2 * math.pi, size=2)
            amplitude = rng.uniform(*value)
            edge = max(pixel, rng.uniform(*softness))
            r0, c0 = distance * math.sin(direction), distance * math.cos(direction)
            reach = max(a, b) + edge
            rows = _span(row, r0 - reach, r0 + reach)
            columns = _span(column, c0 - reach, c0 + reach)
            u = row[rows, None] - r0
            v = column[None, columns] - c0
            p = (math.cos(tilt) * v + math.sin(tilt) * u) / a
            q = (math.cos(tilt) * u - math.sin(tilt) * v) / b
            level = np.sqrt(p * p + q * q)
            # Signed distance to the edge to first order: (level - 1) / |grad level|.
            slope = np.sqrt((p / a) ** 2 + (q / b) ** 2) / np.maximum(level, 1e-12)
            signed = (level - 1.0) / np.maximum(slope, 1e-12)
            image[rows, columns] += amplitude * np.clip(0.5 - signed / edge, 0.0, 1.0)
    return images


def gaussian_fields(
    n: int,
    shape: tuple[int, ...],
    rng: Rng = None,
    *,
    length_scale: float = 0.15,
    smoothness: float = math.inf,
    mean: float = 1.0,
    std: float = 0.25,
    disc: bool = False,
) -> np.ndarray:
    """Stationary Gaussian random fields in one or two dimensions: mean plus smooth fluctuation.

    Drawn from their spectrum on a torus of twice the side, cut at 32 waves per side, and integrated exactly
    over each pixel. With the default mean of four standard deviations negative values are as good as absent.

    Parameters
    ----------
    n : int
        Number of fields.
    shape : tuple of 1 or 2 int
        Grid.
    rng : int, Generator or None
    length_scale : float
        Correlation length; the shorter side is 2 long.
    smoothness : float
        Matern nu; ``inf`` is the squared exponential.
    mean, std : float
        Of each value (std before the average over a pixel).
    disc : bool
        Cut a 2-D field by the disc of radius 0.95, as a round sample in a scanner: zero outside.

    Returns
    -------
    ndarray of shape (n, *shape)

    Examples
    --------
    >>> gaussian_fields(2, (16, 16), rng=0).shape
    (2, 16, 16)
    """
    n, shape = signal_grid(n, shape, (1, 2))
    if not (length_scale > 0 and smoothness > 0 and std >= 0):
        raise InputError(
            f"length_scale={length_scale}, smoothness={smoothness}, std={std}: "
            "the first two must be > 0, the last >= 0"
        )
    rng = generator(rng)
    pixel = 2.0 / min(shape)
    k = [math.pi / (pixel * size) * np.arange(65) for size in shape]
    power = _spectral_density(k, length_scale, smoothness)
    # Waves that carry nothing are not drawn; what is kept depends on the image's extent, never on its pixels.
    kept = [1 + int(np.max(np.nonzero(power > 1e-16 * power.max())[axis])) for axis in range(power.ndim)]
    power = power[tuple(slice(size) for size in kept)]
    amplitude = std * np.sqrt(power / power.sum())
    bases = []
    for axis, size in enumerate(shape):
        wave = k[axis][: kept[axis]]
        phase = np.outer((np.arange(size) + 0.5) * pixel, wave)
        mean_over_pixel = np.sinc(wave * pixel / (2 * math.pi))
        bases.append(np.hstack([np.cos(phase) * mean_over_pixel, np.sin(phase) * mean_over_pixel]))
        amplitude = np.concatenate([amplitude, amplitude], axis)
    fields = np.empty((n, *shape))
    for start in range(0, n, 256):
        count = min(256, n - start)
        z = rng.standard_normal((count, *amplitude.shape)) * amplitude
        z = z @ bases[-1].T
        fields[start : start + count] = z if len(shape) == 1 else bases[0] @ z
    fields += mean
    return fields * disc_share(shape) if disc else fields


def grains(
    n: int,
    shape: tuple[int, int],
    rng: Rng = None,
    *,
    count: tuple[int, int] = (15, 40),
    value: tuple[float, float] = (0.2, 1.0),
    disc: bool = True,
) -> np.ndarray:
    """Polycrystals: Voronoi cells of random seeds, one value each, cut by the inscribed disc (radius 0.95).

    Parameters
    ----------
    n : int
        Number of images.
    shape : (int, int)
        Grid.
    rng : int, Generator or None
    count : (int, int)
        Least and largest number of seeds.
    value : (float, float)
        Range of a grain's value.
    disc : bool
        Whether the sample is round, with zero outside, or fills the image.

    Returns
    -------
    ndarray of shape (n, *shape)

    Examples
    --------
    >>> grains(2, (16, 16), rng=0).shape
    (2, 16, 16)
    """
    n, shape = image_grid(n, shape)
    rng = generator(rng)
    fine = (shape[0] * _OVERSAMPLING, shape[1] * _OVERSAMPLING)
    row, column, _ = pixel_centres(fine)
    points = np.stack(np.broadcast_arrays(row[:, None], column[None, :]), -1).reshape(-1, 2)
    inside = (points**2).sum(1) <= 0.95**2 if disc else np.ones(len(points), bool)
    points = points[inside]
    extent = np.array(shape) / min(shape)
    images = np.empty((n, *shape))
    for image in images:
        seeds = rng.uniform(-1.0, 1.0, size=(int(rng.integers(count[0], count[1] + 1)), 2)) * extent
        level = rng.uniform(*value, size=len(seeds))
        # |p - s|^2 = |p|^2 - 2 p.s + |s|^2, and |p|^2 does not change which seed is the nearest.
        nearest = np.argmin((seeds**2).sum(1) - 2 * points @ seeds.T, axis=1)
        values = np.zeros(len(inside))
        values[inside] = level[nearest]
        image[...] = box_average(values.reshape(1, *fine), _OVERSAMPLING)[0]
    return images


def piecewise_constant(
    n: int,
    shape: tuple[int] | int,
    rng: Rng = None,
    *,
    jumps: tuple[int, int] = (3, 10),
    value: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Step functions on a line: uniform jump positions, uniform levels, averaged exactly over each cell.

    Parameters
    ----------
    n : int
        Number of signals.
    shape : (int,)
        Grid.
    rng : int, Generator or None
    jumps : (int, int)
        Least and largest number of jumps.
    value : (float, float)
        Range of the levels.

    Returns
    -------
    ndarray of shape (n, *shape)

    Examples
    --------
    >>> piecewise_constant(2, (50,), rng=0).shape
    (2, 50)
    """
    n, (size,) = signal_grid(n, (shape,) if isinstance(shape, int | np.integer) else shape, (1,))
    rng = generator(rng)
    edges = np.arange(size + 1) / size
    signals = np.empty((n, size))
    for signal in signals:
        inner = np.sort(rng.uniform(size=int(rng.integers(jumps[0], jumps[1] + 1))))
        knots = np.concatenate([[0.0], inner, [1.0]])
        level = rng.uniform(*value, size=len(knots) - 1)
        integral = np.concatenate([[0.0], np.cumsum(level * np.diff(knots))])
        signal[...] = np.diff(np.interp(edges, knots, integral)) * size
    return signals


FAMILIES: dict[str, Callable[..., np.ndarray]] = {
    "ellipses": random_ellipses,
    "gaussian": gaussian_fields,
    "photographs": photograph_patches,
    "grains": grains,
    "piecewise": piecewise_constant,
}


_OVERSAMPLING = 3


def _span(axis: np.ndarray, low: float, high: float) -> slice:
    return slice(int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high)))


def _spectral_density(k: list[np.ndarray], length_scale: float, smoothness: float) -> np.ndarray:
    """Power of each non-negative wave (its cosine and its sine alike), up to a factor."""
    k2 = k[0] ** 2 if len(k) == 1 else k[0][:, None] ** 2 + k[1][None, :] ** 2
    if math.isinf(smoothness):
        power = np.exp(-0.5 * k2 * length_scale**2)
    else:
        power = (1.0 + k2 * length_scale**2 / (2 * smoothness)) ** -(smoothness + len(k) / 2)
    # A positive wave stands for itself and its negative; wave 0 stands for itself alone.
    for axis in range(len(k)):
        power[(slice(None),) * axis + (0,)] *= 0.5
    return power
