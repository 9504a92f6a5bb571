"""Fixed-point logistic tables, computed in integers so that every machine has the same ones.

``SQUASH[s + S_MAX]`` = 2^16 / (1 + exp(-s / 256)), kept inside [1, 2^16 - 1]; ``STRETCH[p >> 4]`` = 256 ln(p
/ (2^16 - p)) for the middle of each of 4096 cells of p.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import lru_cache
from math import isqrt
from typing import NamedTuple

import numpy as np

__all__ = ["SQUASH", "STRETCH", "S_MAX", "MixingTables", "mixing_tables"]

S_MAX = 2815  # 11 * 256 - 1: the probability 2^-16 lies at -11.09
_ONE = 1 << 96


def _exp_256th() -> int:
    """Return exp(1/256) in units of 2^-96 by its series, every term cut to an integer."""
    total, term, k = _ONE, _ONE, 0
    while term:
        k += 1
        term //= 256 * k
        total += term
    return total


def _squash() -> np.ndarray:
    factor, power, upper = _exp_256th(), _ONE, []
    for _ in range(S_MAX + 1):
        upper.append(min(65535, ((power << 17) // (power + _ONE) + 1) >> 1))
        power = power * factor >> 96
    lower = [65536 - p for p in upper[:0:-1]]
    return np.clip(np.array(lower + upper, dtype=np.int64), 1, 65535)


def _stretch(squash: np.ndarray) -> np.ndarray:
    middles = np.arange(4096, dtype=np.int64) * 16 + 8
    right = np.searchsorted(squash, middles)
    right = np.clip(right, 1, squash.size - 1)
    nearer_left = middles - squash[right - 1] < squash[right] - middles
    return (right - nearer_left - S_MAX).astype(np.int64)


SQUASH = _squash()
STRETCH = _stretch(SQUASH)


class MixingTables(NamedTuple):
    """Functions of learned coding, all int64.

    softplus[t + S_MAX] = 256 ln(1 + exp(t / 256)); odds[d] = -256 ln(exp(d / 256) - 1), kept inside +-2047;
    for R = 4 k + 2 in 1/256 of a step: inverse[k] = 2^20 / (R / 2 + 12), weight[k] = 2^24 (1 + (R / 256)^2 /
    .02)^-3/2.
    """

    softplus: np.ndarray
    odds: np.ndarray
    inverse: np.ndarray
    weight: np.ndarray


@lru_cache(maxsize=1)
def mixing_tables() -> MixingTables:
    """Return the tables; decimal arithmetic rounds correctly everywhere, so every machine has the same."""
    context = Context(prec=30)
    upper = []
    for t in range(S_MAX + 1):  # ln(1 + exp(t)) = t + ln(1 + exp(-t))
        power = context.exp(context.divide(Decimal(-t), Decimal(256)))
        upper.append(context.multiply(Decimal(256), context.ln(context.add(Decimal(1), power))))
    softplus = [int(v.to_integral_value()) for v in upper[:0:-1]]
    softplus += [t + int(v.to_integral_value()) for t, v in enumerate(upper)]
    odds = [2047]
    for d in range(1, 4096):
        power = context.exp(context.divide(Decimal(d), Decimal(256)))
        value = context.multiply(Decimal(-256), context.ln(context.subtract(power, Decimal(1))))
        odds.append(max(-2047, min(2047, int(value.to_integral_value()))))
    inverse, weight = [], []
    for k in range(4096):
        R = 4 * k + 2
        inverse.append((1 << 21) // (R + 24))
        square = 65536 + 50 * R * R  # (1 + (R / 256)^2 / .02) 2^16
        weight.append(max(1, (1 << 48) // (square * isqrt(square))))
    return MixingTables(*(np.array(values, dtype=np.int64) for values in (softplus, odds, inverse, weight)))
