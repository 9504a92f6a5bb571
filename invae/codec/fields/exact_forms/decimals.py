"""Floats that were decimal text: each an integer times a power of ten, as the text reader rounded it.

Two forms, both monotone in x so that neighbours predict each other:

* a byte 4, byte k, escapes, integers n: fixed point, k decimals, x = n 10^-k;
* a byte 5, byte d, escapes, integers c: d significant digits, x = +-m 10^(e - d + 1), 10^(d-1) <= m < 10^d,
  c = +-(1 + (e + 400) 9 10^(d-1) + m - 10^(d-1)), and 0 for 0.

Decoding computes the correctly rounded double: one division or product when n < 2^53 and the power is at most
10^22 (both exact, so IEEE arithmetic rounds once), the text route otherwise. float32 data are rounded from
there; the encoder checks every bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.bounds import same_bits
from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.escapes import Escapes
from invae.codec.fields.exact_forms.plane import ExactPlane, WantedPlane, unfit
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["DIGITS", "FIXED", "Decimals", "decimal_codes", "fixed_to_values", "scientific_to_values"]

FIXED, DIGITS = 4, 5
MOST_POWER = 22  # 10^22 is the largest power of ten that a double holds exactly
MOST_DIGITS = 15  # any double of 15 digits comes back from its text
MOST_DIGITS_SINGLE = 8
MOST_ESCAPED = 0.25  # of the values; with more of them the plane was no decimal text
SAMPLE = 512  # values whose digits are counted
TYPICAL = 0.98  # of the values must be so short: the others become escapes
E_SHIFT = 400  # makes every exponent of a double positive


class Decimals:
    """Floats of at most eight bytes as decimal numbers."""

    numbers = (FIXED, DIGITS)
    settles = False

    def __init__(self, escapes: Escapes) -> None:
        self._escapes = escapes

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where most values are short decimals."""
        plane = task.plane
        if plane.dtype.kind != "f" or plane.dtype.itemsize > 8:
            return
        for form, digits, codes in decimal_codes(np.where(np.isfinite(plane), plane, 0).ravel()):
            codes = codes.reshape(plane.shape)
            wrong = ~same_bits(_values(form, digits, codes, plane.dtype), plane)
            if np.count_nonzero(wrong) > MOST_ESCAPED * plane.size:
                continue
            out = Writer().byte(form).byte(digits).raw(self._escapes.encode(wrong, plane))
            yield bytes(out.raw(encode_integers(fill_gaps(codes, wrong))).data)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if wanted.dtype.kind != "f" or wanted.dtype.itemsize > 8:
            raise unfit(reader, number, wanted.dtype)
        digits = reader.byte()
        if digits > MOST_POWER or (number == DIGITS and not 1 <= digits <= MOST_DIGITS):
            raise reader.fail(f"{digits} decimal digits are not possible")
        escaped = self._escapes.decode(reader, wanted.dtype, wanted.shape)
        codes = decode_integers(reader, *wanted.shape)
        return escaped.put(_values(number, digits, codes, wanted.dtype))


def _values(form: int, digits: int, codes: np.ndarray, dtype: np.dtype) -> np.ndarray:
    to_values = fixed_to_values if form == FIXED else scientific_to_values
    with np.errstate(over="ignore"):
        return to_values(codes, digits).astype(dtype)


def decimal_codes(values: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Return the promising forms as (number, k or d, codes); empty when the values were no short decimals.

    ``values`` is 1-D, finite; codes of values that do not fit are those of a near number, which the caller
    escapes.
    """
    sample = values if values.size <= SAMPLE else values[:: values.size // SAMPLE]
    digits, last = _digits(sample)
    if digits.size == 0:
        return []
    typical = np.quantile(digits, TYPICAL, method="higher")
    if typical > (MOST_DIGITS if values.dtype.itemsize == 8 else MOST_DIGITS_SINGLE):
        return []
    codes: list[tuple[int, int, np.ndarray]] = []
    k = int(-last.min()) if last.size else 0
    with np.errstate(over="ignore", invalid="ignore"):
        top = np.abs(values.astype(np.float64)).max(initial=0.0) * 10.0 ** min(k, 300)
    if 0 <= k <= MOST_POWER and top < 2.0**53:
        codes.append((FIXED, k, np.rint(values.astype(np.float64) * 10.0**k).astype(np.int64)))
    d = max(int(typical), 1)
    codes.append((DIGITS, d, _scientific_codes(values, d)))
    return codes


def fixed_to_values(codes: np.ndarray, k: int) -> np.ndarray:
    """n 10^-k as float64, for 0 <= k <= MOST_POWER."""
    return codes.astype(np.float64) / _POWERS[k]


def scientific_to_values(codes: np.ndarray, d: int) -> np.ndarray:
    """Values of the d-digit codes as float64."""
    span = 9 * 10 ** (d - 1)
    magnitude = np.abs(codes) - 1
    mantissa = magnitude % span + 10 ** (d - 1)
    power = magnitude // span - E_SHIFT - d + 1
    mantissa[codes == 0] = 0
    power[codes == 0] = 0
    return _times_power(np.where(codes < 0, -mantissa, mantissa), power)


def _times_power(mantissa: np.ndarray, power: np.ndarray) -> np.ndarray:
    m = mantissa.astype(np.float64)
    easy = (np.abs(power) <= MOST_POWER) & (np.abs(mantissa) < 1 << 53)
    exact = _POWERS[np.clip(np.abs(power), 0, MOST_POWER)]
    out = np.where(power < 0, m / exact, m * exact)
    hard = ~easy
    if hard.any():
        out[hard] = [float(f"{a}e{b}") for a, b in zip(mantissa[hard].tolist(), power[hard].tolist())]
    return out


_POWERS = np.array([float(f"1e{k}") for k in range(MOST_POWER + 1)])


def _digits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Significant digits of each non-zero value's shortest text, and the power of ten of the last one."""
    counts, lasts = [], []
    for value in values[values != 0]:
        mantissa, _, exponent = np.format_float_scientific(value, unique=True, trim="-").partition("e")
        n = len(mantissa.lstrip("-").replace(".", ""))
        counts.append(n)
        lasts.append(int(exponent) - n + 1)
    return np.array(counts, dtype=np.int64), np.array(lasts, dtype=np.int64)


def _scientific_codes(values: np.ndarray, d: int) -> np.ndarray:
    x = np.abs(values.astype(np.float64))
    with np.errstate(divide="ignore"):
        e = np.where(x > 0, np.floor(np.log10(x)), 0).astype(np.int64)
    m = _scaled(x, d - 1 - e)
    e += m >= 10**d
    e -= (m < 10 ** (d - 1)) & (x > 0)
    m = np.clip(_scaled(x, d - 1 - e), 10 ** (d - 1), 10**d - 1)
    codes = 1 + (e + E_SHIFT) * (9 * 10 ** (d - 1)) + m - 10 ** (d - 1)
    codes[x == 0] = 0
    return np.where(values < 0, -codes, codes)


def _scaled(x: np.ndarray, power: np.ndarray) -> np.ndarray:
    """rint(x 10^power), good enough to propose codes (the caller verifies them)."""
    with np.errstate(over="ignore"):
        half = np.clip(power, -300, 300)
        rest = power - half
        out = np.where(
            half < 0, x / 10.0 ** np.abs(half).astype(float), x * 10.0 ** np.abs(half).astype(float)
        )
        return np.rint(np.clip(out * 10.0 ** rest.astype(float), 0, 9e18)).astype(np.int64)
