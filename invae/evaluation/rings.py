"""Rings of a detector frame: radial averages, and whether a lossy copy moved a ring.

A pointwise bound does not protect ring sums: a bias far below one count a pixel, over thousands of pixels,
is many sigma of the sum. z of a ring = (sum of decoded - sum of original) / sqrt(sum of variances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from invae.errors import InputError

__all__ = ["RadialAverage", "RingScores", "radial_average", "ring_scores"]


@dataclass(frozen=True)
class RadialAverage:
    """``radius`` [pixels], ``mean``, its standard error ``sem``, and ``n_pixels``, each (n_rings,)."""

    radius: np.ndarray
    mean: np.ndarray
    sem: np.ndarray
    n_pixels: np.ndarray


@dataclass(frozen=True)
class RingScores:
    """``radius`` [pixels], ``z`` and ``n_pixels`` of shape (n_rings,); ``max_abs`` and ``rms`` of z."""

    radius: np.ndarray
    z: np.ndarray
    n_pixels: np.ndarray

    @property
    def max_abs(self) -> float:
        return float(np.abs(self.z).max())

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(self.z**2)))


def radial_average(
    frame: np.ndarray,
    centre: tuple[float, float],
    mask: np.ndarray | None = None,
    variance: np.ndarray | None = None,
    width: float = 1.0,
) -> RadialAverage:
    """Mean over rings around the beam.

    Parameters
    ----------
    frame : ndarray of shape (n_rows, n_columns)
        Negative values of integer frames are sentinels and left out, as are values that are not finite.
    centre : (float, float)
        Row and column of the beam.
    mask : ndarray, optional
        Non-zero where a pixel is not to be used.
    variance : ndarray, optional
        Of each pixel; by default that of counts, max(frame, 1).
    width : float
        Width of a ring in pixels.

    Examples
    --------
    >>> average = radial_average(np.full((9, 9), 4), (4.0, 4.0))
    >>> average.mean[:2].tolist(), average.sem[0].item(), average.n_pixels[:2].tolist()
    ([4.0, 4.0], 2.0, [1, 8])
    """
    frame, good = _good_pixels(frame, mask)
    ring, n_rings = _ring_of_pixel(frame.shape, centre, width)
    variance = np.maximum(frame, 1.0) if variance is None else np.asarray(variance, np.float64)
    total, spread, count = _sums(ring[good], n_rings, frame[good], variance[good])
    held = count > 0
    return RadialAverage(
        (np.arange(n_rings)[held]) * width,
        total[held] / count[held],
        np.sqrt(spread[held]) / count[held],
        count[held],
    )


def ring_scores(
    original: np.ndarray,
    decoded: np.ndarray,
    centre: tuple[float, float],
    mask: np.ndarray | None = None,
    variance: np.ndarray | None = None,
    width: float = 1.0,
) -> RingScores:
    """Shift of every ring sum in units of its own standard deviation; parameters as for `radial_average`.

    Raises
    ------
    InputError
        Shapes differ, or no pixel is usable.
    """
    original, good = _good_pixels(original, mask)
    decoded = np.asarray(decoded, np.float64)
    if decoded.shape != original.shape:
        raise InputError(f"decoded {decoded.shape} and original {original.shape} differ in shape")
    ring, n_rings = _ring_of_pixel(original.shape, centre, width)
    variance = np.maximum(original, 1.0) if variance is None else np.asarray(variance, np.float64)
    shift, spread, count = _sums(ring[good], n_rings, (decoded - original)[good], variance[good])
    held = (count > 0) & (spread > 0)
    return RingScores(np.arange(n_rings)[held] * width, shift[held] / np.sqrt(spread[held]), count[held])


def _good_pixels(frame, mask) -> tuple[np.ndarray, np.ndarray]:
    frame = np.asarray(frame)
    if frame.ndim != 2:
        raise InputError(f"frame has shape {frame.shape}; pass one frame (n_rows, n_columns)")
    good = np.isfinite(frame)
    if frame.dtype.kind == "i":
        good &= frame >= 0
    elif frame.dtype.kind == "u":
        good &= frame < np.iinfo(frame.dtype).max
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != frame.shape:
            raise InputError(f"mask {mask.shape} and frame {frame.shape} differ in shape")
        good &= mask == 0
    if not good.any():
        raise InputError("no pixel of the frame is usable: all are masked, sentinels or not finite")
    return frame.astype(np.float64), good


def _ring_of_pixel(shape, centre, width) -> tuple[np.ndarray, int]:
    if not width > 0:
        raise InputError(f"width={width!r} of a ring must be positive")
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    ring = np.rint(np.hypot(rows - centre[0], columns - centre[1]) / width).astype(np.int64)
    return ring, int(ring.max()) + 1


def _sums(ring, n_rings, values, variances) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.bincount(ring, values, n_rings),
        np.bincount(ring, variances, n_rings),
        np.bincount(ring, minlength=n_rings),
    )
