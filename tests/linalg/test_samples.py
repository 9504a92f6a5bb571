from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.linalg.samples import as_float, as_rows, from_rows


def test_shaped_rows_come_back_shaped_and_flat_ones_flat(rng):
    X = rng.standard_normal((3, 2, 4))
    rows, shaped = as_rows(X, (2, 4), "signals")
    assert rows.shape == (3, 8) and shaped
    np.testing.assert_array_equal(from_rows(rows, (2, 4), shaped), X)
    assert as_rows(rows, (2, 4), "signals")[1] is False
    for wrong in (X[0], X[:0], X * np.nan, X.astype(complex)):
        with pytest.raises(InputError):
            as_rows(wrong, (2, 4), "signals")


def test_precision_is_kept_and_integers_become_float64():
    for dtype, kept in ((np.float32, np.float32), (np.float64, np.float64), (np.int16, np.float64)):
        assert as_float(np.ones(2, dtype)).dtype == kept
