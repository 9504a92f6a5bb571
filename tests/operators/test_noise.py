"""Noise has the level it was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.operators import GaussianNoise, PoissonNoise


def test_absolute_noise_has_its_standard_deviation(rng):
    clean = rng.random((50, 400))
    noise = GaussianNoise(0.3).sample(clean, 1) - clean
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    assert GaussianNoise(0.3).std_for(clean) == 0.3


def test_relative_noise_follows_each_row(rng):
    clean = rng.random((3, 2, 20_000)) * np.array([1.0, 10.0, 100.0])[:, None, None]
    noise = GaussianNoise(relative=0.05).sample(clean, 1) - clean
    share = np.linalg.norm(noise, axis=(1, 2)) / np.linalg.norm(clean, axis=(1, 2))
    np.testing.assert_allclose(share, 0.05, rtol=0.02)


def test_one_level_for_a_set_is_the_rms_over_all_rows(rng):
    clean = rng.random((10, 30))
    assert GaussianNoise(relative=0.1).std_for(clean) == pytest.approx(0.1 * np.sqrt((clean**2).mean()))
    np.testing.assert_allclose(
        GaussianNoise(relative=0.1).covariance_diagonal(clean), np.full(30, 0.01 * (clean**2).mean())
    )


def test_poisson_noise_has_mean_and_variance_of_counts(rng):
    clean = rng.uniform(1, 5, (1, 50)).repeat(4000, axis=0)
    model = PoissonNoise(40.0)
    noisy = model.sample(clean, 3)
    np.testing.assert_allclose(noisy.mean(axis=0), clean[0], rtol=0.02)
    np.testing.assert_allclose(noisy.var(axis=0), model.covariance_diagonal(clean), rtol=0.15)
    assert model.std_for(clean) == pytest.approx(np.sqrt(clean.mean() / 40))


def test_float32_is_kept_and_seeds_repeat(rng):
    clean = rng.random((4, 30)).astype(np.float32)
    for model in (GaussianNoise(0.1), GaussianNoise(relative=0.1), PoissonNoise(10)):
        first = model.sample(clean, 5)
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, model.sample(clean, 5))
        assert type(model).from_state(model.to_state()) == model


def test_wrong_levels_are_refused():
    for wrong in ({}, {"std": 1.0, "relative": 0.1}, {"std": -1.0}, {"relative": np.nan}):
        with pytest.raises(InputError):
            GaussianNoise(**wrong)
    with pytest.raises(InputError):
        PoissonNoise(0)
    with pytest.raises(InputError, match="clean"):
        GaussianNoise(relative=0.1).std_for()
    with pytest.raises(InputError, match="finite"):
        PoissonNoise(1.0).sample(np.array([[np.nan, 2.0]]))
    with pytest.raises(InputError, match=">= 0"):
        PoissonNoise(1.0).sample(np.array([[-1.0, 2.0]]))
