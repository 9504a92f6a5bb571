from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.bayes_risk.checkpoint import Checkpoint
from invae.errors import FileError
from invae.linalg.moments import PairMoments


def test_sums_held_pairs_and_random_numbers_go_on_where_they_were(rng, tmp_path):
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    moments = PairMoments().update(X, Y)
    first = Checkpoint(tmp_path / "sums", {"data": "a"}, seconds=0)
    first.keep(20, moments, [X[:2]], [Y[:2]], rng)
    following = rng.standard_normal(3)
    again, other = Checkpoint(tmp_path / "sums", {"data": "a"}), np.random.default_rng(99)
    restored, held_x, held_y = again.restore(other)
    assert again.n_rows == 20 and restored.n_samples == 20
    np.testing.assert_array_equal(restored.covariance_xy, moments.covariance_xy)
    np.testing.assert_array_equal(held_x[0], X[:2])
    np.testing.assert_array_equal(held_y[0], Y[:2])
    np.testing.assert_array_equal(other.standard_normal(3), following)


def test_sums_of_another_job_are_refused_unless_overwriting_is_allowed(rng, tmp_path):
    path = tmp_path / "sums"
    moments = PairMoments().update(np.ones((2, 1)), np.ones((2, 1)))
    Checkpoint(path, {"data": "a"}, seconds=0).keep(2, moments, [np.ones((1, 1))], [np.ones((1, 1))], rng)
    with pytest.raises(FileError, match="another unfinished fit"):
        Checkpoint(path, {"data": "b"})
    assert Checkpoint(path, {"data": "b"}, overwrite=True).n_rows == 0
    path.write_bytes(b"not sums")
    with pytest.raises(FileError, match="no sums"):
        Checkpoint(path, {"data": "a"})
