from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.refine.gate import Gate
from invae.autoencoders.refine.layer import PatchAffineLayer, PatchMoments
from invae.autoencoders.refine.patches import PatchGrid

GRID = PatchGrid((8, 8), (3, 3), (1, 1), (1, 1))


@pytest.fixture
def planted(rng):
    """Images with an affine correction: each pixel minus the mean of its window, times 0.7, plus 0.2."""
    images = rng.standard_normal((40, 1, 8, 8))
    mirrored = GRID.mirror(images)[:, 0]
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, (3, 3), (1, 2))
    return images, 0.7 * (images[:, 0] - windows.mean(axis=(3, 4))) + 0.2


def moments(images, corrections, rng, n_folds=2):
    gate = Gate.fit(images, GRID, 4, 3, 10_000, rng)
    sums = PatchMoments(gate, GRID, 1, n_folds)
    for f in range(n_folds):
        sums.add(images[f::n_folds], corrections[f::n_folds], f)
    return sums


def test_least_squares_recover_an_affine_correction_in_every_gate(planted, rng):
    images, corrections = planted
    layer = moments(images, corrections, rng).solve(1e-12)
    np.testing.assert_allclose(layer.correct(images), corrections, atol=1e-5)
    again = PatchAffineLayer.from_state(layer.to_state(), GRID)
    np.testing.assert_array_equal(again.correct(images), layer.correct(images))


def test_a_strong_ridge_leaves_the_offset_only(planted, rng):
    images, corrections = planted
    layer = moments(images, corrections, rng).solve(1e9, borrow=0.0)
    assert np.abs(layer.maps).max() < 1e-6
    np.testing.assert_allclose(layer.correct(images).mean(), corrections.mean(), atol=1e-4)


def test_without_a_fold_is_the_fit_to_the_others(planted, rng):
    images, corrections = planted
    sums = moments(images, corrections, rng)
    alone = PatchMoments(sums.gate, GRID, 1, 1)
    alone.add(images[1::2], corrections[1::2], 0)
    np.testing.assert_allclose(sums.solve(1e-3, without=0).maps, alone.solve(1e-3).maps, atol=1e-6)
