"""Causal predictors: exact inverses, and residuals of nothing where the data are what they suit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from invae.codec.coding import predictors

PLANES = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9))


@pytest.mark.parametrize("name", predictors.PREDICTORS)
@settings(deadline=None, max_examples=30)
@given(plane=PLANES)
def test_predictors_are_inverted_exactly_even_where_sums_wrap(name, plane):
    assert np.array_equal(predictors.restore(predictors.residuals(plane, name), name), plane)


@pytest.mark.parametrize(
    "name, plane",
    [
        ("none", np.zeros((4, 9))),
        ("left", np.full((1, 9), 7)),
        ("line", 3 * np.arange(9)[None] + 5),
        ("bend", np.arange(9)[None] ** 2),
        ("above", np.tile(np.arange(9) ** 3, (4, 1))),
        ("plane", np.add.outer(np.arange(4) ** 2, np.arange(9) ** 3)),
        ("median", np.repeat(np.arange(4)[:, None] ** 2, 9, axis=1)),
    ],
)
def test_nothing_is_left_of_the_planes_that_a_predictor_suits(name, plane):
    residual = predictors.residuals(plane.astype(np.int64), name)
    assert not residual[min(len(plane) - 1, 1) :, 3:].any()


def test_the_cost_ranks_residuals_by_size(rng):
    sizes = [np.rint(rng.laplace(0, scale, (20, 50))).astype(np.int64) for scale in (0.5, 5, 500)]
    costs = [predictors.cost(plane) for plane in sizes]
    assert costs[0] < costs[1] < costs[2]
