"""Trained step decoders: interlaced thresholds and one solve are exact, random thresholds stall."""

from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.steps.decoders import ReluDecoder, exact_step_decoder, step_signals
from invae.autoencoders.steps.training import (
    interlaced_decoder,
    random_thresholds,
    train_rmsprop,
    variable_projection,
)
from invae.errors import InputError


def mse(decoder, codes, signals):
    return np.mean((decoder(codes) - signals) ** 2)


@pytest.mark.parametrize("fraction", [0.5, 0.8, 1.0])
def test_interlaced_thresholds_and_one_solve_are_exact(fraction, rng):
    codes = np.arange(1.0, 52.0)
    assert mse(interlaced_decoder(codes, step_signals(50), fraction), codes, step_signals(50)) < 1e-25
    signals = rng.standard_normal((12, 5))
    codes = np.sort(rng.uniform(size=12))
    assert mse(interlaced_decoder(codes, signals), codes, signals) < 1e-20


def test_variable_projection_never_ends_above_its_start_and_keeps_an_exact_one():
    codes, signals = np.arange(1.0, 12.0), step_signals(10)
    random = variable_projection(codes, signals, random_thresholds(codes, 10, 0))
    assert random.losses[-1] <= random.losses[0]
    assert random.losses[-1] == pytest.approx(mse(random.decoder, codes, signals), rel=1e-9)
    assert random.losses[-1] > 1e-4
    assert variable_projection(codes, signals, codes[:-1] + 0.5).losses[0] < 1e-28


def test_rmsprop_descends_and_stalls_above_the_exact_solution():
    codes, signals = np.arange(1.0, 12.0), step_signals(10)
    run = train_rmsprop(codes, signals, random_thresholds(codes, 10, 1), 3000, rng=1)
    assert run.losses[-1] < 0.01 * run.losses[0]
    assert run.losses[-1] > 1e-5
    assert run.losses[-1] == pytest.approx(mse(run.decoder, codes, signals), rel=1e-9)


def test_rmsprop_stays_at_an_exact_decoder_and_does_not_change_it():
    codes, signals = np.arange(1.0, 7.0), step_signals(5)
    start = exact_step_decoder(codes)
    before = start.output.copy()
    run = train_rmsprop(codes, signals, start, 200)
    np.testing.assert_array_equal(start.output, before)
    assert run.losses.max() == 0.0


def test_one_rmsprop_step_follows_the_finite_difference_gradient(rng):
    """At its first step RMSProp moves every weight against the sign of its gradient."""
    codes, signals = rng.uniform(size=6), rng.standard_normal((6, 3))
    start = ReluDecoder(*(rng.standard_normal(s) for s in (4, 4, (3, 4), 3)))
    after = train_rmsprop(codes, signals, start, 1, learning_rate=1e-4).decoder
    for name in ("weights", "biases", "output", "offset"):
        value, moved = getattr(start, name), getattr(after, name) - getattr(start, name)
        for index in np.ndindex(value.shape):
            bumped = {key: getattr(start, key).copy() for key in ("weights", "biases", "output", "offset")}
            bumped[name][index] += 1e-6
            slope = mse(ReluDecoder(**bumped), codes, signals) - mse(start, codes, signals)
            if abs(slope) > 1e-10:
                assert np.sign(moved[index]) == -np.sign(slope)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interlaced_decoder([2.0, 1.0], np.ones((2, 1))), "increase"),
        (lambda: interlaced_decoder([1.0, 2.0], np.ones((2, 1)), 0.3), "fraction"),
        (lambda: train_rmsprop([1.0, 2.0], np.ones((3, 1)), [1.0]), "do not pair"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
