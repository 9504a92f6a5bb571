from __future__ import annotations

import numpy as np

from invae.linalg.casts import Casts


def test_casts_are_contiguous_and_made_once_for_each_precision(rng):
    matrix = rng.standard_normal((3, 4)).T
    casts = Casts(matrix)
    for dtype in (np.float32, np.float64):
        (cast,) = casts(dtype)
        assert cast.flags.c_contiguous and cast.dtype == dtype and casts(dtype)[0] is cast
        np.testing.assert_array_equal(cast, matrix.astype(dtype))
