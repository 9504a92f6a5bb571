"""Bounds that rival codecs do not know, translated into the one they do: an absolute bound on finite floats.

======================  ================================  =======================================
bound                   what the rival codes              tolerance there
======================  ================================  =======================================
``abs:X``               x                                 X
``rel:X`` of each value log10 x                           log10(1 + X)
``log:X``               log10 x                           X
``k sigma``, known      x / sigma                         k
``k sigma``, counts     2 sqrt(N + 3/8)   (Anscombe)      k, sigma = sqrt(max(N, 1)), then rounded
======================  ================================  =======================================

Values that the transform cannot take (masked, NaN, inf, not positive under a logarithm) are filled from their
left neighbour for the rival, and kept exactly beside it: bit mask and values through zstd, counted in bytes.
The bound is checked on the decoded values in the data's own units and dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from invae.errors import BoundError, InputError
from invae.evaluation.rates import Codec, Measurement, measure

__all__ = ["Domain", "bound_text", "domain_for"]


@dataclass(frozen=True)
class Domain:
    """What a rival codes for one array under one bound.

    Attributes
    ----------
    original : ndarray
        The data as they are.
    values : ndarray
        What the rival codes: finite floats, or the data themselves when lossless.
    tolerance : float or None
        Absolute bound on ``values``; None for lossless.
    back : callable
        Decoded values -> array in the data's units and dtype, exact values restored.
    error : callable
        Array in the data's units -> its largest error in units of the bound (inf where exact values changed).
    side_bytes : int
        What the exact values beside the rival cost.
    """

    original: np.ndarray
    values: np.ndarray
    tolerance: float | None
    back: Callable[[np.ndarray], np.ndarray]
    error: Callable[[np.ndarray], float]
    side_bytes: int

    def measure(self, codec: Codec, repeats: int = 1) -> Measurement:
        """Code the data through this domain; the bound is verified in the data's units."""
        return measure(codec, self.values, self.tolerance, repeats, check=(self.back, self.error))


def domain_for(
    array: np.ndarray,
    bound: str | float | None,
    sigma: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> Domain:
    """Domain in which a rival can be held to ``bound``.

    Parameters
    ----------
    array : ndarray
        Real numbers of any shape.
    bound : str, float or None
        As `invae.codec.bounds.Bound` reads it; a plain number is absolute, None lossless.
    sigma : ndarray, optional
        One standard deviation per value; without it ``sigma`` bounds take the data as counts (Poisson).
    mask : ndarray, optional
        Non-zero where values are special and must stay exact.
    """
    from invae.codec.bounds import Bound

    array = np.asarray(array)
    if array.dtype.kind not in "iuf":
        raise InputError(f"expected real numbers, got an array of dtype {array.dtype}")
    promised = Bound.parse(bound_text(bound))
    kind, value = promised.kind, promised.value

    def error(decoded: np.ndarray) -> float:
        return promised.max_ratio(array, decoded, sigma, mask)

    if kind == "lossless":
        return Domain(array, array, None, np.asarray, error, 0)
    wide = array.astype(np.float64)
    exact = ~np.isfinite(wide) if mask is None else ~np.isfinite(wide) | (np.asarray(mask) != 0)
    scale = np.ones(())
    tolerance = value
    inverse: Callable[[np.ndarray], np.ndarray] = np.positive
    if kind == "abs":
        forward = wide
    elif kind in ("rel", "log"):
        exact |= ~(wide > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            forward = np.log10(wide)
        tolerance = value if kind == "log" else np.log10(1 + value)
        inverse = _power10
    elif sigma is not None:
        scale = np.broadcast_to(np.asarray(sigma, np.float64), array.shape)
        exact |= ~(np.isfinite(scale) & (scale > 0))
        scale = np.where(exact, 1.0, scale)
        forward = wide / scale
    else:
        if array.dtype.kind == "f":
            raise BoundError("a sigma bound on floats needs their standard deviations: pass sigma")
        exact |= wide < 0
        forward = 2 * np.sqrt(np.where(exact, 0.0, wide) + 0.375)
        inverse = _inverse_anscombe
    is_float = array.dtype.kind == "f"
    coded = array.dtype if is_float else np.float32 if array.itemsize < 8 else np.float64
    values = _fill(forward, exact).astype(coded)

    def back(decoded: np.ndarray) -> np.ndarray:
        restored = inverse(decoded.astype(np.float64)) * scale
        if not is_float:
            limits = np.iinfo(array.dtype)
            restored = np.clip(np.rint(restored), limits.min, limits.max)
        with np.errstate(over="ignore"):
            return np.where(exact, array, restored.astype(array.dtype))

    return Domain(array, values, float(tolerance), back, error, _side_bytes(array, exact))


def bound_text(bound: str | float | None) -> str:
    """Text of a bound; a number is an absolute one, None is lossless.

    Examples
    --------
    >>> bound_text(0.5), bound_text(None), bound_text("0.25sigma")
    ('abs:0.5', 'lossless', '0.25sigma')
    """
    if bound is None:
        return "lossless"
    return f"abs:{bound!r}" if isinstance(bound, int | float) else bound


def _power10(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 10.0**values


def _inverse_anscombe(values: np.ndarray) -> np.ndarray:
    return np.maximum((values / 2) ** 2 - 0.375, 0)


def _fill(values: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Replace bad values by the last good one before them (C order), leading ones by the first good one."""
    if not bad.any():
        return values
    flat, wrong = values.ravel(), bad.ravel()
    if wrong.all():
        return np.zeros_like(values)
    place = np.where(wrong, 0, np.arange(flat.size))
    np.maximum.accumulate(place, out=place)
    first = int(np.argmin(wrong))
    place[:first] = first
    return flat[place].reshape(values.shape)


def _side_bytes(array: np.ndarray, exact: np.ndarray) -> int:
    if not exact.any():
        return 0
    import zstandard

    coder = zstandard.ZstdCompressor(level=19)
    return len(coder.compress(np.packbits(exact).tobytes())) + len(coder.compress(array[exact].tobytes()))
