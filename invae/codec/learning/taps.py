"""Taps of learned experts: linear weights of least absolute deviation.

Errors are coded at a cost that grows like their logarithm, so squares would spend the fit on the few large
ones.
"""

from __future__ import annotations

import numpy as np

__all__ = ["TAP_BITS", "least_absolute", "whole_taps"]

TAP_BITS = 14
MOST_TAP = 1 << 17


def least_absolute(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights w that make sum |y - x w| small, by least squares reweighted with 1 / (|error| + 1/2)."""
    weight, taps = np.ones(len(y)), np.zeros(x.shape[1])
    for _ in range(8):
        gram = (x * weight[:, None]).T @ x
        gram[np.diag_indices_from(gram)] += 1e-5 * len(y) + 1e-6 * np.trace(gram) / len(gram)
        taps = np.linalg.solve(gram, (x * weight[:, None]).T @ y)
        weight = 1.0 / (np.abs(y - x @ taps) + 0.5)
    return taps


def whole_taps(taps: np.ndarray) -> np.ndarray:
    """Taps in units of 2^-14."""
    return np.clip(np.rint(taps * 2**TAP_BITS), -MOST_TAP, MOST_TAP).astype(np.int64)
