"""Missing measurements are rows left out."""

from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.operators import Masked, Radon

COMPLETE = Radon(12, 6)
M = COMPLETE.dimsd[1]


@pytest.mark.parametrize(
    "keep", [np.arange(M) % 4 > 0, np.arange(6)[:, None] > 1, np.arange(6 * M).reshape(6, M) % 7 > 2]
)
def test_matrix_is_the_kept_rows_of_the_complete_one(keep):
    rows = np.broadcast_to(keep, COMPLETE.dimsd).ravel()
    np.testing.assert_allclose(Masked(COMPLETE, keep).todense(), COMPLETE.todense()[rows])


def test_fill_and_take_are_inverse_on_the_kept_entries(rng):
    F = Masked(COMPLETE, rng.random(COMPLETE.dimsd) > 0.4)
    rows = rng.random((3, F.shape[0])).astype(np.float32)
    full = F.fill(rows, np.nan)
    assert full.shape == (3, 6, M) and full.dtype == np.float32
    assert np.isnan(full).sum() == 3 * (6 * M - F.shape[0])
    np.testing.assert_array_equal(F.take(full), rows)


@pytest.mark.parametrize(
    "keep, message",
    [
        (np.ones(M + 1, bool), "broadcast"),
        (np.zeros(M, bool), "no measurement"),
        (np.full(M, 0.5), "True and False"),
    ],
)
def test_wrong_masks_are_refused(keep, message):
    with pytest.raises(InputError, match=message):
        Masked(COMPLETE, keep)
