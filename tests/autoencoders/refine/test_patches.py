from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.refine.patches import PatchGrid, padded

GRIDS = [
    PatchGrid((9, 12), (5, 5), (3, 3), (2, 2), True),
    PatchGrid((1, 11), (1, 7), (1, 5), (1, 2), True),
    PatchGrid((8, 8), (3, 3), (3, 3), (3, 3)),
]


@pytest.mark.parametrize("grid", GRIDS)
def test_cores_cover_every_pixel_as_often_as_counted(grid):
    count = np.zeros(grid.dims, int)
    up, left = (side // 2 for side in grid.core)
    for row in grid.centres[0]:
        for column in grid.centres[1]:
            count[max(0, row - up) : row + up + 1, max(0, column - left) : column + left + 1] += 1
    np.testing.assert_array_equal(grid.counts, count)
    assert count.min() >= 1 and grid.n_patches == len(grid.centres[0]) * len(grid.centres[1])


def test_turns_of_a_square_are_its_eight_symmetries():
    turns = GRIDS[0].turns((3, 3))
    assert len(turns) == 8 and len({tuple(turn) for turn in turns}) == 8
    group = {tuple(turn) for turn in turns}
    assert all(tuple(a[b]) in group for a in turns for b in turns)
    assert len(GRIDS[1].turns((1, 5))) == 4 and len(GRIDS[2].turns((3, 3))) == 1


def test_slopes_are_the_gradient_of_a_ramp_and_zero_on_a_constant():
    grid = GRIDS[0]
    rows, columns = np.indices(grid.window)
    down, right = grid.slopes @ (2.0 * rows - 3.0 * columns).ravel()
    assert right / down == pytest.approx(-1.5)
    np.testing.assert_allclose(grid.slopes @ np.ones(25), 0.0, atol=1e-12)


def test_padding_adds_zeros_up_to_whole_blocks(rng):
    matrix = rng.standard_normal((2, 5, 17))
    out = padded(matrix, np.dtype(np.float64))
    assert out.shape == (2, 8, 32) and out.sum() == pytest.approx(matrix.sum())
    np.testing.assert_array_equal(out[:, :5, :17], matrix)
