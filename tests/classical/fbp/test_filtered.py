from __future__ import annotations

import numpy as np
import pylops
import pytest

from invae.classical import FilteredBackprojection
from invae.classical.fbp import WINDOWS
from invae.classical.fbp.gaps import GapFiller
from invae.classical.fbp.views import angular_shares
from invae.errors import InputError
from invae.operators.masked import Masked
from invae.operators.radon import Radon


def disc(size, radius):
    grid = np.arange(4 * size) / 4 - size / 2 + 0.125
    inside = (grid[:, None] ** 2 + grid[None, :] ** 2 <= radius**2).astype(float)
    return inside.reshape(size, 4, size, 4).mean((1, 3))


@pytest.fixture(scope="module")
def scan():
    F = Radon((64, 64), 120)
    x = 3.0 * disc(64, 20)
    return F, x, F.apply(x.reshape(1, -1))


@pytest.mark.parametrize("window", WINDOWS)
def test_a_disc_has_its_value_inside_and_nothing_outside(scan, window):
    F, x, y = scan
    estimate = FilteredBackprojection(F, window=window).fit().predict(y).reshape(64, 64)
    assert estimate[disc(64, 16) == 1].mean() == pytest.approx(3.0, rel=0.01)
    assert abs(estimate[disc(64, 24) == 0].mean()) < 0.03
    assert np.linalg.norm(estimate - x) < 0.15 * np.linalg.norm(x)


@pytest.mark.parametrize("spacing", [0.5, 2.0])
def test_the_detector_spacing_does_not_change_the_value(spacing):
    F = Radon((64, 64), 120, detector_spacing=spacing)
    y = F.apply(3.0 * disc(64, 20).reshape(1, -1))
    estimate = FilteredBackprojection(F).fit().predict(y).reshape(64, 64)
    assert estimate[disc(64, 14) == 1].mean() == pytest.approx(3.0, rel=0.02)


def test_views_over_a_full_turn_or_in_any_order_give_the_same_image(scan):
    _, x, _ = scan
    images = []
    for angles in (
        np.arange(60) * np.pi / 60,
        np.random.default_rng(0).permutation(60) * np.pi / 60,
        np.arange(120) * 2 * np.pi / 120,
    ):
        F = Radon((64, 64), angles=angles)
        images.append(FilteredBackprojection(F).fit().predict(F.apply(x.reshape(1, -1))))
    np.testing.assert_allclose(images[1], images[0], atol=1e-9)
    np.testing.assert_allclose(images[2], images[0], atol=2e-2)


def test_shares_add_up_to_what_is_seen():
    assert angular_shares(np.arange(7) * 0.1, np.pi).sum() == pytest.approx(0.7)
    assert angular_shares(np.arange(30) * np.pi / 30, np.pi).sum() == pytest.approx(np.pi)
    assert angular_shares(np.arange(60) * np.pi / 30, np.pi).sum() == pytest.approx(np.pi)
    assert angular_shares(np.array([0.3]), np.pi).sum() == pytest.approx(np.pi)


def test_reconstruction_is_linear_and_batched(scan):
    F, _, y = scan
    rng = np.random.default_rng(0)
    other = rng.standard_normal(y.shape)
    method = FilteredBackprojection(F, parameter=0.7).fit()
    both = method.predict(np.concatenate([y, other, 2 * y - other]))
    np.testing.assert_allclose(both[2], 2 * both[0] - both[1], atol=1e-9)
    np.testing.assert_allclose(method.predict(other)[0], both[1], atol=1e-9)
    assert method.predict(y.astype(np.float32)).dtype == np.float32
    assert method.predict(y.reshape(1, *F.dimsd)).shape == (1, 64, 64)


def test_noise_asks_for_a_lower_cut_off():
    F = Radon((32, 32), 40)
    x = np.stack([v * disc(32, r).ravel() for v, r in ((1, 6), (2, 9), (1.5, 12))])
    clean = F.apply(x)
    rng = np.random.default_rng(0)
    chosen = []
    for level in (0.001, 0.3):
        y = clean + level * clean.std() * rng.standard_normal(clean.shape)
        chosen.append(FilteredBackprojection(F, parameter="validation").fit(x, y).parameter_)
    assert 0.1 <= chosen[1] < chosen[0] <= 4.0


@pytest.mark.parametrize("spacing, offset", [(1.0, 0.0), (1.5, 0.0), (0.8, 3.0)])
def test_fan_beams_give_the_same_image(spacing, offset):
    x = np.zeros((48, 48))
    x[10:22, 8:18] = 1.0
    x[28:40, 25:35] = 2.0
    x += 0.5 * disc(48, 22)
    F = Radon(
        (48, 48),
        200,
        geometry="fan",
        source_distance=100.0,
        detector_distance=60.0,
        detector_spacing=spacing,
        detector_offset=offset,
        n_detectors=round(150 / spacing),
    )
    estimate = FilteredBackprojection(F).fit().predict(F.apply(x.reshape(1, -1))).reshape(48, 48)
    assert estimate[12:20, 10:16].mean() == pytest.approx(1.5, rel=0.02)
    assert estimate[30:38, 27:33].mean() == pytest.approx(2.5, rel=0.02)
    assert np.linalg.norm(estimate - x) < 0.2 * np.linalg.norm(x)


def test_oblong_images_and_shifted_detectors_are_placed_rightly():
    x = np.zeros((20, 40))
    x[4:12, 22:36] = 1.0
    F = Radon((20, 40), 90, detector_offset=2.5, n_detectors=56)
    estimate = FilteredBackprojection(F).fit().predict(F.apply(x.reshape(1, -1))).reshape(20, 40)
    assert estimate[6:10, 24:34].mean() == pytest.approx(1.0, rel=0.03)
    assert np.linalg.norm(estimate - x) < 0.3 * np.linalg.norm(x)


def test_a_cut_off_far_beyond_nyquist_is_the_bare_ramp(scan):
    F, _, y = scan
    bare = FilteredBackprojection(F, window="ramp").fit().predict(y)
    np.testing.assert_allclose(FilteredBackprojection(F, parameter=1e4).fit().predict(y), bare, atol=1e-5)


def test_dead_bins_and_lost_views_cost_little(scan):
    F, x, y = scan
    keep = np.ones(F.dimsd, bool)
    keep[:, [20, 45, 46]] = False
    keep[[3, 4, 70]] = False
    M = Masked(F, keep)
    whole = np.linalg.norm(FilteredBackprojection(F).fit().predict(y) - x.ravel())
    gappy = np.linalg.norm(FilteredBackprojection(M).fit().predict(M.take(y)) - x.ravel())
    assert gappy < 1.25 * whole
    # Zeros in place of the gaps are no way to do it.
    zeros = np.linalg.norm(
        FilteredBackprojection(F).fit().predict(M.fill(M.take(y)).reshape(1, -1)) - x.ravel()
    )
    assert zeros > 2 * gappy


def test_gaps_are_filled_along_straight_lines():
    keep = np.array([[1, 0, 0, 1, 1], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
    filler = GapFiller(keep)
    full = filler.fill(np.array([[1.0, 4.0, 5.0, 7.0, 8.0]]))
    np.testing.assert_allclose(full[0], [[1, 2, 3, 4, 5], [7, 7, 8, 8, 8], [0, 0, 0, 0, 0]])
    assert filler.seen.tolist() == [True, True, False]


def test_what_it_cannot_do_is_said():
    with pytest.raises(InputError, match="no Radon operator"):
        FilteredBackprojection(pylops.Identity(4)).fit()
    with pytest.raises(InputError, match="use one of ramp"):
        FilteredBackprojection(Radon((8, 8), 4), window="box").fit()
    with pytest.raises(InputError, match="in units of Nyquist"):
        FilteredBackprojection(Radon((8, 8), 4), parameter=0.0).fit()
    with pytest.raises(InputError, match="needs a full turn"):
        angles = np.arange(20) * 0.1
        F = Radon((8, 8), angles=angles, geometry="fan", source_distance=30.0, detector_distance=10.0)
        FilteredBackprojection(F).fit()
