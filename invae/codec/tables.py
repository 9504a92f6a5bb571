"""Fixed-point logistic tables, computed in integers so that every machine has the same ones.

``SQUASH[s + S_MAX]`` = 2^16 / (1 + exp(-s / 256)), kept inside [1, 2^16 - 1]; ``STRETCH[p >> 4]`` = 256 ln(p
/ (2^16 - p)) for the middle of each of 4096 cells of p.
"""

from __future__ import annotations

import numpy as np

__all__ = ["SQUASH", "STRETCH", "S_MAX"]

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
