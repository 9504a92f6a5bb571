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
from invae.evaluation.errors import max_error_over_bound
from invae.evaluation.rates import Codec, Measurement, measure

__all__ = ["Domain", "domain_for", "parse_bound"]


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


def parse_bound(bound: str | float | None) -> tuple[str, float]:
    """Kind and number of a bound: ``abs:1e-3``, ``rel:.01``, ``log:.01``, ``0.25sigma`` or ``lossless``.

    Examples
    --------
    >>> parse_bound("abs:1e-3"), parse_bound(0.5), parse_bound("0.25sigma"), parse_bound("lossless")
    (('abs', 0.001), ('abs', 0.5), ('sigma', 0.25), ('lossless', 0.0))
    """
    if bound is None or bound == "lossless":
        return "lossless", 0.0
    text = f"abs:{bound!r}" if isinstance(bound, int | float) else str(bound).strip()
    kind, _, number = text.partition(":") if ":" in text else ("sigma", "", text.removesuffix("sigma"))
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if kind not in ("abs", "rel", "log", "sigma") or not 0 < value < float("inf"):
        raise BoundError(
            f"cannot read the bound {bound!r}; use abs:X, rel:X, log:X, Ksigma (e.g. 0.25sigma) or lossless"
        )
    return kind, value


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
        See `parse_bound`; a plain number is absolute.
    sigma : ndarray, optional
        One standard deviation per value; without it ``sigma`` bounds take the data as counts (Poisson).
    mask : ndarray of bool, optional
        True where values are special and must stay exact.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "iuf":
        raise InputError(f"expected real numbers, got an array of dtype {array.dtype}")
    kind, value = parse_bound(bound)
    if kind == "lossless":
        return Domain(array, array, None, np.asarray, lambda y: max_error_over_bound(array, y, 0.0), 0)
    wide = array.astype(np.float64)
    exact = ~np.isfinite(wide) if mask is None else ~np.isfinite(wide) | np.asarray(mask, bool)
    scale = np.float64(1)
    inverse = np.positive
    if kind == "abs":
        forward, tolerance, pointwise = wide, value, np.full(array.shape, value)
    elif kind in ("rel", "log"):
        exact |= ~(wide > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            forward = np.log10(wide)
        tolerance = value if kind == "log" else np.log10(1 + value)
        pointwise, inverse = value * np.abs(wide), _power10
    elif sigma is not None:
        scale = np.broadcast_to(np.asarray(sigma, np.float64), array.shape)
        exact |= ~(np.isfinite(scale) & (scale > 0))
        scale = np.where(exact, 1.0, scale)
        forward, tolerance, pointwise = wide / scale, value, value * scale
    else:
        exact |= wide < 0
        forward = 2 * np.sqrt(np.where(exact, 0.0, wide) + 0.375)
        tolerance, pointwise, inverse = value, value * np.sqrt(np.maximum(wide, 1)), _inverse_anscombe
    pointwise = np.where(exact, 0.0, pointwise)
    is_float = array.dtype.kind == "f"
    values = _fill(forward, exact).astype(
        array.dtype if is_float else np.float32 if array.itemsize < 8 else np.float64
    )

    def back(decoded: np.ndarray) -> np.ndarray:
        restored = inverse(decoded.astype(np.float64)) * scale
        if not is_float:
            limits = np.iinfo(array.dtype)
            restored = np.clip(np.rint(restored), limits.min, limits.max)
        return np.where(exact, array, restored.astype(array.dtype))

    def error(decoded: np.ndarray) -> float:
        if kind != "log":
            return max_error_over_bound(array, decoded, pointwise)
        unequal = max_error_over_bound(array[exact], decoded[exact], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log10(decoded[~exact].astype(np.float64))
        return max(unequal, max_error_over_bound(forward[~exact], logs, value))

    return Domain(array, values, float(tolerance), back, error, _side_bytes(array, exact))


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
