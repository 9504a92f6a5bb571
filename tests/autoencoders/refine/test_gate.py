from __future__ import annotations

import numpy as np

from invae.autoencoders.refine.gate import Gate
from invae.autoencoders.refine.kernels import gather_patches, sort_labels, turn_rows
from invae.autoencoders.refine.patches import PatchGrid

GRID = PatchGrid((10, 10), (5, 5), (3, 3), (2, 2), True)


def test_every_patch_goes_to_the_nearest_leaf_of_the_nearest_root(rng):
    images = np.cumsum(rng.standard_normal((30, 1, 10, 10)), axis=3)
    gate = Gate.fit(images, GRID, 9, 4, 10_000, rng)
    patches = np.empty((30 * GRID.n_patches, 25))
    _, labels = gate.assign(GRID.mirror(images), GRID, patches)
    spread = patches.std(axis=1) + gate.floor
    codes = np.column_stack([patches @ gate.basis / spread[:, None], gate.weight * np.log(spread)])
    root = np.linalg.norm(codes[:, None] - gate.roots, axis=2).argmin(axis=1)
    distance = np.linalg.norm(codes[:, None] - gate.leaves[root], axis=2)
    np.testing.assert_array_equal(labels, root * gate.leaves.shape[1] + np.nanargmin(distance, axis=1))
    assert gate.size == gate.leaves.shape[0] * gate.leaves.shape[1]
    again = Gate(**gate.to_state())
    np.testing.assert_array_equal(again.assign(GRID.mirror(images), GRID, patches)[1], labels)


def test_patches_are_turned_so_that_their_gradient_points_one_way_and_turned_back(rng):
    images = rng.standard_normal((5, 1, 10, 10))
    patches, flipped = np.empty((5 * GRID.n_patches, 25)), np.empty((5 * GRID.n_patches, 25))
    turns, spread = gather_patches(GRID.mirror(images), GRID, patches)
    down, right = GRID.slopes @ patches.T
    assert (down >= -1e-12).all() and (right >= -1e-12).all() and (down >= right - 1e-12).all()
    np.testing.assert_allclose(spread, patches.std(axis=1), rtol=1e-6)
    raw = PatchGrid(GRID.dims, GRID.window, GRID.core, GRID.stride)
    gather_patches(raw.mirror(images), raw, flipped)
    turn_rows(flipped, turns, GRID.turns(GRID.window))
    np.testing.assert_allclose(flipped, patches)


def test_labels_are_sorted_with_equal_ones_in_place(rng):
    labels = rng.integers(0, 6, 50)
    order, ends = sort_labels(labels, 6)
    np.testing.assert_array_equal(order, np.argsort(labels, kind="stable"))
    np.testing.assert_array_equal(np.diff(ends), np.bincount(labels, minlength=6))
