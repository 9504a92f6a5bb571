"""Scans of any set of views and any detector give a disc its value."""

from __future__ import annotations

import numpy as np
import pytest

from invae.classical import FilteredBackprojection
from invae.classical.fbp.views import angular_shares, covers, redundancy
from invae.errors import InputError
from invae.operators.radon import Radon

SIZE = 48
Y, X = ((SIZE - 1) / 2 - np.mgrid[:SIZE, :SIZE][0], np.mgrid[:SIZE, :SIZE][1] - (SIZE - 1) / 2)
CENTRE, RADIUS = (5.0, -3.0), 11.0


def disc_value(F):
    """Mean over the inner part of a disc of value 1, reconstructed from its exact line integrals."""
    x, y = CENTRE
    if F.geometry == "parallel":
        distance = F.detector_positions - (x * np.cos(F.angles) + y * np.sin(F.angles))[:, None]
        lines = 2 * np.sqrt(np.maximum(RADIUS**2 - distance**2, 0))[None]
    else:
        lines = F.apply((np.hypot(X - x, Y - y) < RADIUS).astype(float)[None])
    image = FilteredBackprojection(F).fit().predict(lines)[0]
    return image[np.hypot(X - x, Y - y) < 0.7 * RADIUS].mean()


rng = np.random.default_rng(4)
SCANS = {
    "random": rng.uniform(0, np.pi, 200),
    "a dense and a coarse part": np.concatenate([np.arange(0, 1, 0.01), np.arange(1, np.pi, 0.04)]),
    "turns that drift": np.concatenate([np.arange(120) * np.pi / 120 + 1e-4 * k for k in range(4)]),
    "repeated with jitter": np.repeat(np.arange(90) * np.pi / 90, 4) + rng.normal(0, 2e-5, 360),
    "golden section": np.arange(150) * np.pi * (np.sqrt(5) - 1) / 2,
    "one part repeated": np.concatenate([np.arange(100) * np.pi / 100, np.arange(30) * np.pi / 100]),
    "a full turn, unevenly": np.sort(rng.uniform(0, 2 * np.pi, 300)),
}


@pytest.mark.parametrize("angles", SCANS.values(), ids=SCANS.keys())
def test_views_that_cover_the_half_turn_give_a_disc_its_value(angles):
    assert disc_value(Radon(SIZE, angles=angles)) == pytest.approx(1.0, abs=0.01)
    assert angular_shares(angles, np.pi).sum() == pytest.approx(np.pi)


def test_a_missing_wedge_is_not_filled():
    tilts = np.deg2rad(np.arange(-60, 61, 2.0))
    assert np.degrees(covers(tilts, np.pi)) == pytest.approx(60)
    assert np.degrees(angular_shares(tilts, np.pi).sum()) == pytest.approx(122)
    pillars = np.deg2rad(np.concatenate([np.arange(0, 75), np.arange(90, 160)]))
    assert np.degrees(angular_shares(pillars, np.pi).sum()) == pytest.approx(145)


def test_repetitions_share_alike():
    shares = angular_shares(np.array([0.0, 1e-5, 2e-5, 0.5, 1.0, 1.5, 2.0, 2.6]), np.pi)
    np.testing.assert_allclose(shares[:3], shares[0])


@pytest.mark.parametrize("offset", [14.0, -14.0, 14.3, 20.0])
def test_a_displaced_detector_over_a_full_turn_is_a_whole_scan(offset):
    F = Radon(SIZE, angles=np.arange(240) * np.pi / 120, n_detectors=40, detector_offset=offset)
    assert disc_value(F) == pytest.approx(1.0, abs=0.01)
    w = redundancy(F)
    mirrored = np.interp(-F.detector_positions, F.detector_positions, w)
    both = np.abs(F.detector_positions) < 20 - abs(offset)
    np.testing.assert_allclose((w + mirrored)[both], 1, atol=0.03)  # read between bins


@pytest.mark.parametrize("side", ["above", "below"])
def test_a_fan_with_uneven_views_or_a_displaced_detector(side):
    fan = {"geometry": "fan", "source_distance": 90.0, "detector_distance": 40.0, "source_side": side}
    uneven = np.concatenate([np.arange(0, 3, 0.02), np.arange(3, 2 * np.pi, 0.05)])
    assert disc_value(Radon(SIZE, angles=uneven, **fan)) == pytest.approx(1.0, abs=0.01)
    turn = np.arange(240) * np.pi / 120
    half = Radon(SIZE, angles=turn, n_detectors=66, detector_offset=22.0, **fan)
    assert disc_value(half) == pytest.approx(1.0, abs=0.01)


def test_a_fan_with_a_gap_is_refused():
    with pytest.raises(InputError, match="leave a gap"):
        turn = np.arange(90) * np.pi / 60
        FilteredBackprojection(Radon(SIZE, angles=turn, geometry="fan", source_distance=90.0)).fit()


@pytest.mark.parametrize("radius, offset", [(40.0, 0.0), (30.0, 6.0)])
def test_an_object_wider_than_the_detector_has_no_bright_rim(radius, offset):
    F = Radon(SIZE, 180, n_detectors=SIZE)
    distance = F.detector_positions - offset * np.cos(F.angles)[:, None]
    lines = 2 * np.sqrt(np.maximum(radius**2 - distance**2, 0))[None]
    image = FilteredBackprojection(F).fit().predict(lines)[0]
    middle, rim = image[np.hypot(X, Y) < 8], image[np.abs(np.hypot(X, Y) - 21) < 1]
    assert middle.mean() == pytest.approx(1.0, abs=0.06) and rim.mean() == pytest.approx(1.0, abs=0.12)


def test_a_detector_as_wide_as_the_image_sees_its_object_whole():
    F = Radon(SIZE, 120, n_detectors=SIZE)
    assert disc_value(F) == pytest.approx(1.0, abs=0.01)
    wide = Radon(SIZE, 120)
    x = (np.hypot(X - 4, Y) < 15).astype(float)[None]
    images = [FilteredBackprojection(G).fit().predict(G.apply(x)) for G in (F, wide)]
    np.testing.assert_allclose(images[0], images[1], atol=0.02)
