from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.autoencoders.refine.affine import AffineMap, noise_sampler
from invae.operators import GaussianNoise


@pytest.mark.parametrize("rank", [2, 5])
def test_the_linear_part_is_the_difference_of_two_estimates(rng, rank):
    X, F = rng.standard_normal((100, 6)) + 3.0, rng.standard_normal((5, 6))
    affine = AffineMap(BayesRiskReconstructor(F, noise=0.2, shrinkage=None, rank=rank).fit(X))
    y, r = X[:4] @ F.T, rng.standard_normal((4, 5))
    np.testing.assert_allclose(affine.linear(r), affine.predict(y + r) - affine.predict(y), atol=1e-10)
    assert affine.linear(r.astype(np.float32)).dtype == np.float32


def test_a_sharper_map_is_the_one_for_less_noise_and_is_made_once(rng):
    X, F = rng.standard_normal((100, 6)), rng.standard_normal((5, 6))
    affine = AffineMap(BayesRiskReconstructor(F, noise=0.4, shrinkage=None, rank="full").fit(X))
    assert affine.can_sharpen and affine.sharper(1) is affine
    half = affine.sharper(0.5)
    assert half is affine.sharper(0.5) and half.model.noise_std_ == pytest.approx(0.2)


def test_noise_of_every_kind_is_sampled_at_its_level(rng):
    clean = np.full((4000, 3), 5.0)
    assert noise_sampler(None) is None
    for noise, std in ((0.3, 0.3), (np.array([0.1, 0.2, 0.3]), [0.1, 0.2, 0.3]), (GaussianNoise(0.5), 0.5)):
        np.testing.assert_allclose((noise_sampler(noise)(clean, rng) - clean).std(axis=0), std, rtol=0.05)
