"""Convolution against direct sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from invae.errors import InputError
from invae.operators import Blur, gaussian_kernel, motion_kernel

MODES = {"reflective": "reflect", "periodic": "wrap", "zero": "constant"}


@pytest.mark.parametrize("boundary", MODES)
@pytest.mark.parametrize("kernel_shape", [(5, 5), (3, 7), (4, 5)])
def test_any_kernel_agrees_with_direct_convolution(boundary, kernel_shape, rng):
    kernel, image = rng.random(kernel_shape), rng.random((11, 14))
    # Padded to odd sizes at the far end, so that ndimage's centre is index size // 2 of the kernel too.
    padded = np.pad(kernel, [(0, 1 - size % 2) for size in kernel_shape])
    expected = ndimage.convolve(image, padded, mode=MODES[boundary])
    np.testing.assert_allclose(Blur((11, 14), kernel=kernel, boundary=boundary) @ image, expected, atol=1e-12)


@pytest.mark.parametrize("boundary", MODES)
def test_gaussian_agrees_with_ndimage(boundary, rng):
    image = rng.random((20, 24))
    expected = ndimage.gaussian_filter(image, 1.5, mode=MODES[boundary], truncate=4.0)
    np.testing.assert_allclose(Blur((20, 24), 1.5, boundary=boundary) @ image, expected, atol=1e-12)


def test_a_constant_is_kept_by_a_unit_kernel_except_under_the_zero_boundary():
    ones = np.ones((9, 12))
    for kernel in (gaussian_kernel((1.0, 2.0), angle=0.3), motion_kernel(4, 1.0)):
        for boundary in ("reflective", "periodic"):
            np.testing.assert_allclose(
                Blur((9, 12), kernel=kernel, boundary=boundary) @ ones, ones, atol=1e-12
            )
        assert (Blur((9, 12), kernel=kernel, boundary="zero") @ ones).min() < 0.9


def test_spectrum_exists_exactly_where_the_transform_is_known():
    lopsided = np.array([[0.0, 0.1, 0.3], [0.2, 0.4, 0.0], [0.0, 0.0, 0.0]])
    assert Blur((8, 8), 1.0).spectrum.transform == "dct"
    assert Blur((8, 8), 1.0, boundary="periodic").spectrum.transform == "fft"
    assert Blur((8, 8), kernel=lopsided, boundary="periodic").spectrum.transform == "fft"
    assert Blur((8, 8), kernel=lopsided).spectrum is None
    assert Blur((8, 8), 1.0, boundary="zero").spectrum is None


def test_gaussian_kernel_has_unit_sum_and_the_asked_widths():
    kernel = gaussian_kernel((1.5, 3.0), truncate=6)
    down, right = (np.arange(size) - size // 2 for size in kernel.shape)
    assert kernel.sum() == pytest.approx(1)
    assert (kernel.sum(1) @ down**2) ** 0.5 == pytest.approx(1.5, rel=1e-3)
    assert (kernel.sum(0) @ right**2) ** 0.5 == pytest.approx(3.0, rel=1e-3)


def test_kernel_angle_turns_anticlockwise_on_the_display():
    kernel = gaussian_kernel((1.0, 3.0), angle=np.pi / 4)
    centre = len(kernel) // 2
    assert kernel[centre - 3, centre + 3] > 10 * kernel[centre + 3, centre + 3]
    motion = motion_kernel(9, np.pi / 4)
    assert motion[0, -1] + motion[1, -2] > 10 * (motion[-1, -1] + motion[-2, -2])


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, 2.5])
def test_motion_kernel_has_unit_sum_and_the_variance_of_its_path(angle):
    kernel = motion_kernel(9.0, angle)
    down, right = np.meshgrid(*(np.arange(size) - size // 2 for size in kernel.shape), indexing="ij")
    assert kernel.sum() == pytest.approx(1)
    assert abs((kernel * down).sum()) < 1e-9 and abs((kernel * right).sum()) < 1e-9
    along = right * np.cos(angle) - down * np.sin(angle)
    assert (kernel * along**2).sum() == pytest.approx(81 / 12, rel=0.06)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "exactly one"),
        ({"sigma": 1.0, "kernel": np.ones((3, 3))}, "exactly one"),
        ({"sigma": -1.0}, "positive"),
        ({"sigma": (1.0, 1.0, 1.0)}, "entries"),
        ({"kernel": np.ones(3)}, "axes"),
        ({"sigma": 1.0, "boundary": "nearest"}, "reflective"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Blur((8, 8), **arguments)
