from __future__ import annotations

import numpy as np
import pytest

from invae.data.simulation.grids import box_average
from invae.data.simulation.phantoms import (
    FAMILIES,
    PHOTOGRAPHS,
    gaussian_fields,
    grains,
    photograph_patches,
    piecewise_constant,
    random_ellipses,
)
from invae.errors import InputError

PLANE = [name for name in FAMILIES if name != "piecewise"]


def shape_for(name, size):
    return (size,) if name == "piecewise" else (size, size)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_seed_gives_the_same_signals_again(name):
    first = FAMILIES[name](3, shape_for(name, 24), rng=5)
    again = FAMILIES[name](3, shape_for(name, 24), rng=np.random.default_rng(5))
    other = FAMILIES[name](3, shape_for(name, 24), rng=6)
    assert first.dtype == np.float64 and first.shape == (3, *shape_for(name, 24))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.05


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("factor", [2, 3])
def test_a_finer_grid_shows_the_same_objects(name, factor):
    coarse = FAMILIES[name](6, shape_for(name, 32), rng=1)
    fine = FAMILIES[name](6, shape_for(name, 32 * factor), rng=1)
    exact = name in ("gaussian", "photographs", "piecewise")
    error = np.linalg.norm(box_average(fine, factor) - coarse) / np.linalg.norm(coarse)
    assert error < (1e-10 if exact else 0.05)


@pytest.mark.parametrize("name", PLANE)
def test_oblong_grids_have_square_pixels(name):
    oblong = FAMILIES[name](4, (16, 32), rng=2)
    assert oblong.shape == (4, 16, 32)
    if name in ("ellipses", "grains"):
        # The inscribed disc sits in the middle, so the outer quarters are empty.
        assert np.abs(oblong[:, :, :8]).max() == 0 == np.abs(oblong[:, :, 24:]).max()
        assert oblong[:, :, 8:24].max() > 0.1


@pytest.mark.parametrize("name", ["ellipses", "grains", "photographs", "piecewise"])
def test_values_are_not_negative(name):
    assert FAMILIES[name](20, shape_for(name, 32), rng=3).min() >= -1e-12


def test_round_samples_stay_inside_the_disc():
    centre = np.arange(48) - 23.5
    outside = centre[:, None] ** 2 + centre[None, :] ** 2 > 25.0**2
    assert np.abs(random_ellipses(30, (48, 48), rng=4)[:, outside]).max() == 0
    assert np.abs(grains(30, (48, 48), rng=4)[:, outside]).max() == 0
    for family in (gaussian_fields, photograph_patches):
        whole, cut = family(2, (48, 48), rng=4), family(2, (48, 48), rng=4, disc=True)
        assert np.abs(cut[:, outside]).max() == 0
        np.testing.assert_array_equal(whole[:, 12:36, 12:36], cut[:, 12:36, 12:36])


def test_soft_ellipses_have_gentler_edges():
    hard = random_ellipses(10, (64, 64), rng=0, softness=(0.0, 0.0))
    soft = random_ellipses(10, (64, 64), rng=0, softness=(0.3, 0.3))
    assert np.abs(np.diff(soft)).max() < 0.5 * np.abs(np.diff(hard)).max()


@pytest.mark.parametrize("smoothness", [1.5, np.inf])
def test_gaussian_fields_have_the_stated_mean_std_and_correlation(smoothness):
    length = 0.4
    fields = gaussian_fields(
        4000, (64,), rng=0, length_scale=length, smoothness=smoothness, mean=2.0, std=0.5
    )
    assert abs(fields.mean() - 2.0) < 0.02
    assert abs(fields.std() - 0.5) < 0.01
    lag = 13  # 13 * 2/64 = 0.406
    d = lag * 2 / 64 / length
    wanted = np.exp(-(d**2) / 2) if np.isinf(smoothness) else (1 + np.sqrt(3) * d) * np.exp(-np.sqrt(3) * d)
    got = np.mean((fields[:, 0] - 2) * (fields[:, lag] - 2)) / 0.25
    assert abs(got - wanted) < 0.06


def test_gaussian_fields_are_isotropic_in_the_plane():
    fields = gaussian_fields(3000, (24, 24), rng=0, length_scale=0.3, mean=0.0, std=1.0)
    along = np.mean(fields[:, 4, 4] * fields[:, 4, 10])
    across = np.mean(fields[:, 4, 4] * fields[:, 10, 4])
    d = 6 * 2 / 24 / 0.3
    assert abs(along - np.exp(-(d**2) / 2)) < 0.06
    assert abs(across - along) < 0.06


def test_training_and_test_patches_come_from_different_photographs():
    assert not set(PHOTOGRAPHS["train"]) & set(PHOTOGRAPHS["test"])
    train = photograph_patches(4, (16, 16), rng=0, split="train")
    test = photograph_patches(4, (16, 16), rng=0, split="test")
    assert np.abs(train - test).max() > 0.05
    assert train.max() <= 1.0 + 1e-12


def test_a_step_function_takes_few_values():
    signals = piecewise_constant(5, 400, rng=0, jumps=(3, 3))
    for signal in signals:
        assert np.count_nonzero(np.abs(np.diff(signal)) > 1e-12) <= 6


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: random_ellipses(2, (8,), rng=0), "2-D signals"),
        (lambda: piecewise_constant(2, (8, 8), rng=0), "1-D signals"),
        (lambda: gaussian_fields(0, (8, 8), rng=0), "at least one signal"),
        (lambda: gaussian_fields(1, (8, 8), rng=0, length_scale=0), "must be > 0"),
        (lambda: photograph_patches(1, (8, 8), rng=0, split="dev"), "train, test"),
        (lambda: box_average(np.zeros((1, 9, 9)), 2), "not multiples"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()
