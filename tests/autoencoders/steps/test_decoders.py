"""Step functions: the handcrafted decoders meet their bounds; that of integer codes makes no rounding."""

from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.steps.decoders import (
    encode_steps,
    exact_step_decoder,
    interpolating_decoder,
    minimal_width,
    sigmoid_step_decoder,
    step_signals,
)
from invae.errors import InputError

SIZES = (1, 5, 20, 100, 500)


def test_the_linear_encoder_numbers_the_steps():
    np.testing.assert_array_equal(encode_steps(step_signals(7, 3.0), 3.0), np.arange(1, 9))


@pytest.mark.parametrize("n", SIZES)
def test_the_sigmoid_decoder_stays_below_its_bound_and_the_tolerance(n):
    x = step_signals(n)
    decoder = sigmoid_step_decoder(n, 1e-5)
    error = np.mean((decoder(encode_steps(x)) - x) ** 2)
    assert 9e-6 < error <= decoder.error_bound <= 1e-5 * (1 + 1e-12)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("height", [1.0, -2.0])
def test_the_relu_decoder_of_integer_codes_is_exact_to_the_last_bit(n, height):
    x = step_signals(n, height)
    codes = encode_steps(x, height)
    np.testing.assert_array_equal(exact_step_decoder(codes, height)(codes), x)


@pytest.mark.parametrize("n", [2, 10, 100])
@pytest.mark.parametrize("falling", [False, True])
def test_random_codes_decode_to_1e_8(n, falling):
    for seed in range(20):
        codes = np.sort(np.random.default_rng(seed).uniform(size=n + 1))
        codes = codes[::-1] if falling else codes
        assert np.abs(exact_step_decoder(codes)(codes) - step_signals(n)).max() <= 1e-8


def test_any_data_set_is_decoded_from_a_scalar_code(rng):
    codes, x = rng.standard_normal(500), rng.standard_normal((500, 256))
    decoder = interpolating_decoder(codes, x)
    assert decoder.weights.shape == (499,)
    assert np.abs(decoder(codes) - x).max() < 1e-8


def test_the_interpolating_decoder_is_linear_between_codes_and_constant_beyond():
    x = np.array([[0.0], [2.0], [1.0]])
    decoder = interpolating_decoder(np.array([0.0, 1.0, 3.0]), x)
    np.testing.assert_allclose(decoder([0.5, 2.0, 3.0, 9.0])[:, 0], [1.0, 1.5, 1.0, 1.0], atol=1e-14)


def test_the_minimal_width_of_all_steps_is_n_whatever_the_offset():
    for n in (1, 4, 30):
        assert minimal_width(step_signals(n)) == minimal_width(step_signals(n), offset=True) == n


def test_no_narrower_last_layer_holds_the_steps(rng):
    """Eckart-Young: with n - 1 columns some step stays wrong by the smallest singular value at least."""
    x = step_signals(8)
    smallest = np.linalg.svd(x, compute_uv=False)[-1]
    for _ in range(20):
        W3 = rng.standard_normal((8, 7))
        residual = x.T - W3 @ np.linalg.lstsq(W3, x.T, rcond=None)[0]
        assert np.linalg.norm(residual) >= smallest * (1 - 1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step_signals(0), "n >= 1"),
        (lambda: step_signals(3, 0.0), "height"),
        (lambda: sigmoid_step_decoder(3, 0.0), "positive"),
        (lambda: exact_step_decoder([1.0, 3.0, 2.0]), "sort"),
        (lambda: exact_step_decoder([1.0]), "two scalars"),
        (lambda: exact_step_decoder([1.0, np.nan]), "finite"),
        (lambda: interpolating_decoder([1.0, 1.0], np.ones((2, 3))), "share a code"),
        (lambda: interpolating_decoder([1.0, 2.0], np.ones((3, 3))), "expected"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
