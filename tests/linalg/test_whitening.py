from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.linalg.whitening import Whitening


def test_whitened_noise_has_equal_independent_entries(rng):
    A = rng.standard_normal((4, 4))
    for R in (np.array([1.0, 2.0, 3.0, 4.0]), A @ A.T, np.array(2.0)):
        full = R if R.ndim == 2 else np.diag(np.broadcast_to(R, 4))
        w = Whitening(R)
        assert np.allclose(w.apply(w.apply(full).T), w.scale * np.eye(4))
        assert w.scale == pytest.approx(np.trace(full) / 4)


def test_directions_without_variance_are_dropped(rng):
    b = rng.standard_normal(3)
    w = Whitening(np.outer(b, b))
    assert np.linalg.matrix_rank(w.apply(np.eye(3))) == 1


def test_no_noise_changes_nothing():
    w = Whitening(0.0)
    assert w.scale == 0 and np.array_equal(w.apply(np.eye(3)), np.eye(3))


@pytest.mark.parametrize("R", [-1.0, np.array([1.0, 0.0]), np.array([1.0, np.nan])])
def test_what_is_no_covariance_is_refused(R):
    with pytest.raises(InputError):
        Whitening(R)
