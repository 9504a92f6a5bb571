"""Data made on a finer grid agree with the model, but not to rounding."""

from __future__ import annotations

import numpy as np
import pytest

from invae.data.simulation.grids import box_average
from invae.errors import InputError
from invae.operators import Blur, Heat, Masked, Radon, motion_kernel, simulate

COARSE = {
    "radon": Radon(24, 10, detector_offset=0.4),
    "radon-fan": Radon(24, 10, geometry="fan", source_distance=40, detector_distance=20),
    "radon-dead-bins": Masked(Radon(24, 10), np.arange(34) % 7 > 0),
    "blur-sigma": Blur((24, 24), 1.5),
    "blur-kernel": Blur((24, 24), kernel=motion_kernel(5, 0.5)),
    "heat": Heat((24, 24), 3.0),
    "heat-varying": Heat((24, 24), 3.0, np.random.default_rng(2).uniform(0.5, 1, (24, 24))),
    "heat-source": Heat((24, 24), 3.0, unknown="source"),
}


@pytest.fixture(params=COARSE.values(), ids=COARSE.keys())
def coarse(request):
    return request.param


def smooth(n):
    grid = (np.arange(n) + 0.5) / n - 0.5
    return np.exp(-20 * ((grid[:, None] - 0.1) ** 2 + (grid[None, :] + 0.15) ** 2))[None]


@pytest.mark.parametrize("factor", [2, 3])
def test_fine_data_agree_with_the_coarse_model_on_smooth_signals(coarse, factor):
    fine = smooth(24 * factor)
    expected = coarse.apply(box_average(fine, factor))
    difference = np.linalg.norm(simulate(coarse, fine, factor) - expected) / np.linalg.norm(expected)
    assert 1e-6 < difference < 0.02


def test_shape_and_dtype_follow_the_input(coarse):
    fine = smooth(48).astype(np.float32)
    shaped, flat = simulate(coarse, fine), simulate(coarse, fine.reshape(1, -1))
    assert shaped.shape == (1, *coarse.dimsd) and flat.shape == (1, coarse.shape[0])
    assert shaped.dtype == np.float32
    np.testing.assert_array_equal(shaped.reshape(1, -1), flat)


def test_one_dimensional_signals():
    fine = smooth(60)[:, 20]
    for F in (Blur(30, 2.0), Heat(30, 4.0)):
        expected = F.apply(box_average(fine, 2))
        assert np.linalg.norm(simulate(F, fine) - expected) < 0.02 * np.linalg.norm(expected)


def test_wrong_fine_shape_is_refused():
    with pytest.raises(InputError, match="48"):
        simulate(COARSE["radon"], np.zeros((1, 40, 40)))


@pytest.mark.parametrize("kernel", [np.ones((3, 3)), np.ones((1, 4)), np.ones((5, 1)), np.eye(3)])
@pytest.mark.parametrize("factor", [2, 3])
def test_a_kernel_that_ends_abruptly_keeps_its_width(kernel, factor):
    F = Blur((24, 24), kernel=kernel / kernel.sum())
    fine = smooth(24 * factor)
    expected = F.apply(box_average(fine, factor))
    difference = np.linalg.norm(simulate(F, fine, factor) - expected) / np.linalg.norm(expected)
    # An interpolated kernel is wider by (factor^2 - 1) / (6 factor^2) pixels squared, never narrower.
    wider = (factor**2 - 1) / (6 * factor**2)
    taps = np.array([wider / 2, 1 - wider, wider / 2])  # of just that variance
    blurred = Blur((24, 24), kernel=np.outer(taps, taps)).apply(expected)
    assert difference < 1.5 * np.linalg.norm(blurred - expected) / np.linalg.norm(expected)
