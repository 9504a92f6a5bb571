"""Numbers that were decimal text: each an integer times a power of ten, as the text reader rounded it.

Two integer forms, both monotone in x so that neighbours predict each other:

* fixed point, k decimals: x = n 10^-k, code n;
* d significant digits: x = +-m 10^(e - d + 1) with 10^(d-1) <= m < 10^d; code +-(1 + (e + 400) 9 10^(d-1) +
m - 10^(d-1)), and 0 for 0.

Decoding computes the correctly rounded double: one division or product when n < 2^53 and the power is at most
10^22 (both exact, so IEEE arithmetic rounds once), the text route otherwise. float32 data are rounded from
there; the encoder checks every bit.
"""

from __future__ import annotations

import numpy as np

__all__ = ["decimal_forms", "fixed_to_values", "scientific_to_values"]

E_SHIFT = 400


def decimal_forms(values: np.ndarray) -> list[tuple[str, int, np.ndarray]]:
    """Return the promising forms as (name, k or d, codes); empty when the values were no short decimals.

    ``values`` is 1-D, finite; codes of values that do not fit are those of a near number, which the caller
    escapes.
    """
    sample = values if values.size <= 512 else values[:: values.size // 512]
    digits, last = _digits(sample)
    if digits.size == 0:
        return []
    typical = np.quantile(digits, 0.98, method="higher")
    if typical > (15 if values.dtype.itemsize == 8 else 8):
        return []
    forms: list[tuple[str, int, np.ndarray]] = []
    k = int(-last.min()) if last.size else 0
    with np.errstate(over="ignore", invalid="ignore"):
        top = np.abs(values.astype(np.float64)).max(initial=0.0) * 10.0 ** min(k, 300)
    if 0 <= k <= 22 and top < 2.0**53:
        forms.append(("fixed", k, np.rint(values.astype(np.float64) * 10.0**k).astype(np.int64)))
    d = max(int(typical), 1)
    forms.append(("digits", d, _scientific_codes(values, d)))
    return forms


def fixed_to_values(codes: np.ndarray, k: int) -> np.ndarray:
    """n 10^-k as float64, for 0 <= k <= 22."""
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
    easy = (np.abs(power) <= 22) & (np.abs(mantissa) < 1 << 53)
    exact = _POWERS[np.clip(np.abs(power), 0, 22)]
    out = np.where(power < 0, m / exact, m * exact)
    hard = ~easy
    if hard.any():
        out[hard] = [float(f"{a}e{b}") for a, b in zip(mantissa[hard].tolist(), power[hard].tolist())]
    return out


_POWERS = np.array([float(f"1e{k}") for k in range(23)])


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
