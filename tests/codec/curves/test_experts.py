"""Experts of curves: polynomials are continued exactly, and classes stand once for coding and training."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec.curves.experts import (
    CLIP,
    LENGTH_A,
    LENGTH_B,
    N_A,
    N_B,
    PAD,
    SHAPES,
    Taps,
    classes,
    new_row,
    predict,
)
from invae.codec.learning.curves import _samples


def predictions(values, taps):
    row, n = new_row(len(values) + 1), len(values) + 1
    row.values[:PAD] = values[0]
    row.values[PAD : PAD + len(values)] = values
    predict(row, taps, len(values), n)
    return row.predictions / 256


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_polynomial_experts_continue_polynomials_of_their_degree(degree):
    values = np.arange(30) ** degree * (-1) ** degree
    truth = 30**degree * (-1) ** degree - values[-1]
    taps = Taps(np.zeros((N_A, LENGTH_A), np.int32), np.zeros((N_B, LENGTH_B), np.int32))
    found = predictions(values, taps)
    for k, (of, _) in enumerate(SHAPES):
        if of >= degree:
            assert abs(found[k] - truth) <= 0.02 * max(1, abs(truth))


def test_training_sorts_rows_into_the_classes_of_the_coder(rng):
    plane = np.cumsum(np.cumsum(rng.integers(-2, 3, (4, 60)), axis=1), axis=1)
    (short, x, y), (long, _, _) = _samples(plane)
    columns = np.tile(np.arange(6, 60), 4)
    assert np.array_equal(y, (plane[:, 6:] - plane[:, 5:-1]).ravel())
    assert [classes(d, int(j), 60) for d, j in zip(x, columns)] == list(zip(short, long))
    assert 0 <= short.min() and short.max() < N_A and long.max() < N_B
    assert classes(np.full(LENGTH_B + 2, CLIP), 59, 60) < (N_A, N_B)
