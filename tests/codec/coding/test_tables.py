"""Fixed-point logistic tables."""

from __future__ import annotations

import numpy as np

from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH, mixing_tables


def test_squash_and_stretch_are_monotone_and_inverse():
    assert np.all(np.diff(SQUASH) >= 0) and np.all(np.diff(STRETCH) >= 0)
    assert SQUASH[S_MAX] == 32768 and SQUASH.min() == 1 and SQUASH.max() == 65535
    s = np.arange(-S_MAX, S_MAX + 1)
    assert np.abs(SQUASH - 65536 / (1 + np.exp(-s / 256))).max() <= 1.0
    middle = np.abs(s) < 1500
    assert np.abs(STRETCH[SQUASH[middle] >> 4] - s[middle]).max() <= 20


def test_functions_of_learned_coding_are_monotone():
    functions = mixing_tables()
    assert np.all(np.diff(functions.softplus) >= 0)
    assert all(np.all(np.diff(f) <= 0) for f in (functions.odds, functions.inverse, functions.weight))
    assert functions.weight.min() >= 1 and np.abs(functions.odds).max() == 2047
