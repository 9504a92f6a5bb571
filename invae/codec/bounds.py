"""Error bounds: what a decoded value may differ by, as an object with a check.

========== =================================================================================
text       promise for every value x and decoded x'
========== =================================================================================
abs:X      |x' - x| <= X, in the units of the data
rel:X      |x' - x| <= X |x|
log:X      |log10 x' - log10 x| <= X for x > 0; values <= 0 are exact
Ksigma     |x' - x| <= K s, s the point's own standard deviation (or sqrt(max(x, 1)) for counts)
l2:X       ||v' - v|| <= X ||v - mean(v)|| over what is not exact in an array or record as a whole. Of
           floats that are all positive v = log10 x: X is then a part of the spread of log10 x, not of x, and
           a value may move by more than the part X of itself. Of integers, and where a value is zero or
           negative, v = x
lossless   x' = x, bit for bit
========== =================================================================================

NaN (payload included), infinities, masked points, sentinels of integer data, points whose s is not positive
and finite, and zeros under ``rel`` are exact under every bound. Sentinels are what detectors write into dead
pixels: the largest value of a type of two bytes or more, 2^16 - 1, 2^31 - 1, 2^32 - 1, and negative integers
of at most four different values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from invae.codec.coding.transforms import in_pieces
from invae.errors import BoundError

__all__ = ["KINDS", "Bound", "live_values", "poisson_sigma", "same_bits", "sentinels"]

KINDS = ("lossless", "abs", "rel", "log", "sigma", "l2")
SENTINELS = (2**16 - 1, 2**31 - 1, 2**32 - 1)
FEW = 4  # different negative values that are taken for marks of dead pixels; more of them are data
SAMPLE = 1 << 16  # negative values among which more than `FEW` are looked for first
_SYNTAX = "lossless, abs:X, rel:X, log:X, l2:X or Ksigma (for example 0.25sigma), with X, K > 0"


@dataclass(frozen=True)
class Bound:
    """One promise about every decoded value.

    Parameters
    ----------
    kind : {"lossless", "abs", "rel", "log", "sigma", "l2"}
    value : float
        X or K of the table above; 0 for ``lossless``. Values below 1 for ``rel`` and ``l2``.

    Examples
    --------
    >>> Bound.parse("0.25sigma")
    Bound('0.25sigma')
    >>> Bound.parse("abs:1e-3").check([1.0, 2.0], [1.0005, 2.002])
    array([ True, False])
    """

    kind: str
    value: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BoundError(f"bound kind {self.kind!r} is unknown; expected {_SYNTAX}")
        if self.kind != "lossless" and not (np.isfinite(self.value) and self.value > 0):
            raise BoundError(f"bound {self.kind} needs a positive finite number, got {self.value}")
        if self.kind in ("rel", "l2") and self.value >= 1:
            raise BoundError(f"{self.kind}:{self.value} would allow any value; use a number below 1")

    @classmethod
    def parse(cls, text: str | Bound) -> Bound:
        """Read a bound from its text.

        Raises
        ------
        BoundError
            The text is not a bound.
        """
        if isinstance(text, Bound):
            return text
        if not isinstance(text, str):
            raise BoundError(f"a bound is a text, got {type(text).__name__}; expected {_SYNTAX}")
        word = text.strip().lower()
        if word == "lossless":
            return cls("lossless")
        match = re.fullmatch(r"(abs|rel|log|l2):(.+)|(.+?)\s*sigma", word)
        if match is None:
            raise BoundError(f"bound {text!r} is not understood; expected {_SYNTAX}")
        kind, number = (match[1], match[2]) if match[1] else ("sigma", match[3])
        try:
            value = float(number)
        except ValueError:
            raise BoundError(f"bound {text!r}: {number!r} is not a number; expected {_SYNTAX}") from None
        return cls(kind, value)

    @property
    def text(self) -> str:
        """The text that `parse` reads."""
        if self.kind == "lossless":
            return self.kind
        return f"{self.value!r}sigma" if self.kind == "sigma" else f"{self.kind}:{self.value!r}"

    def __repr__(self) -> str:
        return f"Bound({self.text!r})"

    def ratio(self, original: Any, decoded: Any, sigma: Any = None, mask: Any = None) -> np.ndarray:
        """Error of each value in units of what is allowed: 0 if bit-identical, inf if it had to be.

        Under ``l2`` the error of the whole, the same for every value.

        Parameters
        ----------
        original, decoded : array_like of one shape and dtype
        sigma : array_like of the same shape, optional
            Standard deviations for ``Ksigma``; counts (integer dtype) do without.
        mask : array_like of the same shape, optional
            Non-zero where a point is masked out and therefore exact.
        """
        x, y = np.broadcast_arrays(np.asarray(original), np.asarray(decoded))
        if self.kind == "l2":
            return self._ratio(x, y, mask=None if mask is None else np.broadcast_to(mask, x.shape))
        given = {"sigma": sigma, "mask": mask}
        beside = {key: np.broadcast_to(np.asarray(a), x.shape) for key, a in given.items() if a is not None}
        return in_pieces(
            lambda x, y, *rest: self._ratio(x, y, **dict(zip(beside, rest))), x, y, *beside.values()
        )

    def _ratio(
        self, x: np.ndarray, y: np.ndarray, sigma: np.ndarray | None = None, mask: np.ndarray | None = None
    ) -> np.ndarray:
        same = same_bits(x, y)
        out = np.asarray(np.where(same, 0.0, np.inf))
        if self.kind == "lossless" or same.all():
            return out
        xf, yf = _wide(x), _wide(y)
        free = ~same & np.isfinite(xf) & np.isfinite(yf)
        if x.dtype.kind == "b":
            return out
        if mask is not None:
            free &= mask == 0
        if self.kind == "l2":
            live = live_values(x, mask)
            return np.where(same | (free & live), self._whole_ratio(xf[live], yf[live], x.dtype), np.inf)
        with np.errstate(all="ignore"):
            if self.kind == "log":
                free &= (xf > 0) & (yf > 0)
                lx, ly = np.log10(np.where(free, xf, 1)), np.log10(np.where(free, yf, 1))
                error, allowed = np.abs(ly - lx), np.full(x.shape, np.asarray(self.value, dtype=lx.dtype))
            else:
                error = np.abs(np.where(free, yf, 0) - np.where(free, xf, 0))
                if self.kind == "abs":
                    allowed = np.full(x.shape, self.value)
                elif self.kind == "rel":
                    allowed = self.value * np.abs(np.where(free, xf, 1))
                else:
                    s = poisson_sigma(x) if sigma is None else _wide(sigma)
                    free &= np.isfinite(s) & (s > 0)
                    allowed = self.value * np.where(free, s, 1)
            out[free] = np.asarray(
                error / np.where(allowed > 0, allowed, 1) + np.where(allowed > 0, 0, np.inf), float
            )[free]
        return out

    def _whole_ratio(self, v: np.ndarray, w: np.ndarray, dtype: np.dtype) -> float:
        """||v' - v|| / (X ||v - mean(v)||)."""
        with np.errstate(all="ignore"):
            if dtype.kind == "f" and (v > 0).all():
                v, w = np.log10(v), np.log10(w)
            error, size = np.linalg.norm(w - v), np.linalg.norm(v - v.mean()) if v.size else 0.0
        return float(error / (self.value * size)) if size > 0 and np.isfinite(error) else np.inf

    def check(self, original: Any, decoded: Any, sigma: Any = None, mask: Any = None) -> np.ndarray:
        """True for every value whose promise is kept; parameters as for `ratio`."""
        return self.ratio(original, decoded, sigma, mask) <= 1.0

    def max_ratio(self, original: Any, decoded: Any, sigma: Any = None, mask: Any = None) -> float:
        """Largest error in units of what is allowed (0 for no values)."""
        return float(np.max(self.ratio(original, decoded, sigma, mask), initial=0.0))


def poisson_sigma(counts: np.ndarray) -> np.ndarray:
    """sqrt(max(N, 1)) of non-negative counts, NaN for negative ones.

    Raises
    ------
    BoundError
        The dtype is not an integer one.
    """
    counts = np.asarray(counts)
    if counts.dtype.kind not in "iu":
        raise BoundError(
            f"a sigma bound needs a standard deviation for each value: these {counts.dtype} data "
            "have none and are not integer counts; give sigma, or use abs:X, rel:X, log:X"
        )
    return np.where(counts < 0, np.nan, np.sqrt(np.maximum(counts, 1).astype(np.float64)))


def same_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """True where two arrays of one dtype hold the same bits (so NaN equals itself, and 0 differs from -0)."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind != "f":
        return a == b
    if a.dtype.itemsize <= 8 and a.dtype == b.dtype:
        word = f"u{a.dtype.itemsize}"
        return np.asarray(np.array(a, order="C").view(word) == np.array(b, order="C").view(word))
    # long doubles have padding: compare by value, every NaN equal
    return np.asarray(((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b)))


def live_values(values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Where values are neither masked nor sentinels nor NaN nor infinite: what a bound leaves free."""
    live = ~sentinels(values) if values.dtype.kind in "iu" else np.isfinite(values)
    return live if mask is None else live & (mask == 0)


def sentinels(values: np.ndarray) -> np.ndarray:
    """Where an array of integers holds marks of dead pixels instead of values."""
    marks = np.zeros(values.shape, dtype=bool)
    if values.dtype.kind not in "iu":
        return marks
    largest = np.iinfo(values.dtype).max
    for value in (*SENTINELS, largest):
        if values.dtype.itemsize > 1 and value <= largest:
            marks |= values == value
    below = values < 0
    if below.any() and np.unique(values[below][:SAMPLE]).size <= FEW and np.unique(values[below]).size <= FEW:
        marks |= below
    return marks


def _wide(values: np.ndarray) -> np.ndarray:
    """The values in a type that holds them and their differences well enough to judge a bound."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        return values.astype(np.longdouble if values.dtype.itemsize >= 8 else np.float64)
