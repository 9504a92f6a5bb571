from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from invae.linalg.power import largest_eigenvalue


def test_the_largest_eigenvalue_is_approached_from_below(rng):
    A = rng.standard_normal((20, 30))
    top = np.linalg.eigvalsh(A @ A.T)[-1]
    values = [largest_eigenvalue(lambda v: A @ (A.T @ v), np.ones(20), n) for n in (2, 5, 20, 500)]
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(values))
    assert values[-1] == pytest.approx(top, rel=1e-9) and values[-1] <= top * (1 + 1e-12)


def test_a_map_to_zero_has_none():
    assert largest_eigenvalue(lambda v: 0 * v, np.ones(3), 10) == 0.0
