"""The first grid whose step follows each point's own standard deviation, in closed loop and in integers.

It is read, no longer written: `invae.codec.sigma.dithered` took its place.

With a base unit u, values are X_i = rint(x_i / u) and steps m_i = floor(2 K s_i / u) - 1 >= 1. The predictor
sees decoded values only:

    r_i = floor((X_i - P_i + floor(m_i / 2)) / m_i),     X'_i = P_i + r_i m_i,     x'_i = X'_i u,

so |X'_i - X_i| <= m_i / 2 whatever P_i is. Predictions are integer polynomials fitted by least squares to the
last values (``TAPS``).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numba import njit

from invae.codec.bounds import Bound

__all__ = [
    "N_PREDICTORS",
    "decode_scaled",
    "polynomial_taps",
    "widths",
]

LARGEST = 1 << 44
TAP_BITS = 12
MAX_WINDOW = 12


def polynomial_taps(degree: int, window: int, bits: int) -> list[int]:
    """Weights (2^-bits) on the last ``window`` values, newest first: what their polynomial says is next."""
    rows = [[Fraction((-(k + 1)) ** p) for p in range(degree + 1)] for k in range(window)]
    n = degree + 1
    gram = [[sum((r[a] * r[b] for r in rows), Fraction(0)) for b in range(n)] for a in range(n)]
    # Solve gram c = e_0 by elimination: the prediction at 0 is c . (A^T values).
    system = [gram[a] + [Fraction(int(a == 0))] for a in range(n)]
    for a in range(n):
        system[a] = [value / system[a][a] for value in system[a]]
        for b in range(n):
            if b != a:
                system[b] = [x - system[b][a] * y for x, y in zip(system[b], system[a])]
    weights = [sum((system[p][n] * row[p] for p in range(n)), Fraction(0)) for row in rows]
    taps = [round(weight * (1 << bits)) for weight in weights]
    taps[0] += (1 << bits) - sum(taps)
    return taps


_SHAPES = ((0, 1), (1, 2), (0, 4), (1, 4), (1, 8), (2, 6), (2, 12), (3, 12))
TAPS = np.zeros((len(_SHAPES), MAX_WINDOW), dtype=np.int64)
for _k, (_degree, _window) in enumerate(_SHAPES):
    TAPS[_k, :_window] = polynomial_taps(_degree, _window, TAP_BITS)
WINDOWS = np.array([window for _, window in _SHAPES], dtype=np.int64)
N_PREDICTORS = len(_SHAPES) + 2  # then: above, mean of left and above


def widths(sigma: np.ndarray, bound: Bound, unit: float) -> np.ndarray:
    """Integer steps m; 1 where sigma is no positive finite number or the step would be below one unit."""
    with np.errstate(all="ignore"):
        m = np.floor(2.0 * bound.value * sigma / unit) - 1.0
    return np.where(m >= 1, np.minimum(m, LARGEST), 1).astype(np.int64)


def decode_scaled(r: np.ndarray, m: np.ndarray, kind: int) -> np.ndarray:
    """Return X' of the integers r."""
    decoded = np.empty(r.shape, dtype=np.int64)
    _decode(r, m, kind, TAPS, WINDOWS, decoded)
    return decoded


@njit(cache=True, nogil=True)
def _predict(X, i, j, kind, taps, windows):
    if j == 0:
        return X[i - 1, 0] if i > 0 else 0
    if kind >= taps.shape[0] and i > 0:
        return X[i - 1, j] if kind == taps.shape[0] else (X[i, j - 1] + X[i - 1, j]) >> 1
    if kind >= taps.shape[0] or j < windows[kind]:
        return X[i, j - 1]
    total = 0
    for k in range(windows[kind]):
        total += taps[kind, k] * X[i, j - 1 - k]
    return (total + (1 << (TAP_BITS - 1))) >> TAP_BITS


@njit(cache=True, nogil=True)
def _decode(r, m, kind, taps, windows, decoded):
    for i in range(r.shape[0]):
        for j in range(r.shape[1]):
            P = min(max(_predict(decoded, i, j, kind, taps, windows), -LARGEST), LARGEST)
            decoded[i, j] = min(max(P + r[i, j] * m[i, j], -2 * LARGEST), 2 * LARGEST)
