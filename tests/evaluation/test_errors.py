import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from invae.errors import InputError
from invae.evaluation.errors import max_error_over_bound, mean_with_spread, psnr, relative_error, ssim


def test_relative_error_is_scale_free_and_per_sample(rng):
    x = rng.normal(size=(5, 4, 4))
    e = rng.normal(size=(5, 4, 4))
    np.testing.assert_allclose(relative_error(7 * (x + e), 7 * x), relative_error(x + e, x))
    np.testing.assert_allclose(relative_error(1.1 * x, x), 0.1)


def test_relative_error_of_zero_signals():
    assert relative_error(np.zeros((1, 3)), np.zeros((1, 3)))[0] == 0
    assert relative_error(np.ones((1, 3)), np.zeros((1, 3)))[0] == np.inf


def test_psnr_and_ssim_agree_with_skimage(rng):
    x = rng.random((3, 16, 16))
    y = x + 0.1 * rng.normal(size=x.shape)
    for i in range(3):
        extent = np.ptp(x[i])
        assert psnr(y, x)[i] == pytest.approx(peak_signal_noise_ratio(x[i], y[i], data_range=extent))
        assert ssim(y, x)[i] == pytest.approx(structural_similarity(x[i], y[i], data_range=extent))
    assert np.all(psnr(x, x) == np.inf)
    np.testing.assert_allclose(ssim(x, x), 1)
    np.testing.assert_allclose(ssim(x[:, :4], x[:, :4]), 1)
    np.testing.assert_allclose(ssim(np.ones((2, 9)), np.ones((2, 9))), 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(1e-6, 1e6), st.floats(0, 1))
def test_error_in_units_of_the_bound(values, bound, fraction):
    x = np.array(values)
    y = x + fraction * bound
    ratio = max_error_over_bound(x, y, bound)
    expected = np.max(np.abs(y.astype(np.longdouble) - x)) / bound
    assert ratio == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_changed_special_values_break_any_bound(bad):
    x = np.array([1.0, np.nan, np.inf, -np.inf])
    assert max_error_over_bound(x, x, 0.0) == 0
    for i in range(1, 4):
        y = x.copy()
        y[i] = bad
        expected = 0 if np.array_equal(x, y, equal_nan=True) else np.inf
        assert max_error_over_bound(x, y, 1e300) == expected


def test_zero_bound_means_exact_and_bounds_broadcast():
    x = np.array([1.0, 2.0])
    assert max_error_over_bound(x, x + [0, 1e-12], np.array([1.0, 0.0])) == np.inf
    assert max_error_over_bound(x, x + [0.5, 0], np.array([1.0, 0.0])) == 0.5
    assert max_error_over_bound(x[:0], x[:0], 1.0) == 0


def test_64_bit_integers_are_compared_exactly():
    x = np.array([2**63 - 1, -(2**63)])
    assert max_error_over_bound(x, x - np.array([1, -1]), 1.0) == 1
    u = np.array([2**64 - 1], np.uint64)
    assert max_error_over_bound(u, u - np.uint64(3), 1.0) == 3
    small = np.array([0], np.uint8)
    assert max_error_over_bound(small, np.array([255], np.uint8), 1.0) == 255


def test_shapes_must_agree():
    with pytest.raises(InputError, match="shape"):
        relative_error(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(InputError, match="shape"):
        max_error_over_bound(np.zeros(2), np.zeros(3), 1)
    with pytest.raises(InputError, match="at least 3"):
        ssim(np.zeros((1, 2, 9)), np.zeros((1, 2, 9)))


def test_mean_with_spread():
    assert mean_with_spread(np.array([1.0, 3.0])) == (2.0, 1.0)
    assert mean_with_spread(np.array([4.0])) == (4.0, 0.0)
