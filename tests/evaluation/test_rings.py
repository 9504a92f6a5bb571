from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.evaluation.rings import radial_average, ring_scores

CENTRE = (20.3, 33.8)


def rings_of(shape):
    rows, columns = np.indices(shape)
    return np.hypot(rows - CENTRE[0], columns - CENTRE[1])


def test_average_of_a_radial_frame_is_its_profile():
    radius = rings_of((50, 70))
    average = radial_average(3 * radius, CENTRE, variance=np.ones((50, 70)))
    inner = average.radius > 3
    np.testing.assert_allclose(average.mean[inner], 3 * average.radius[inner], rtol=0.05)
    np.testing.assert_allclose(average.sem, 1 / np.sqrt(average.n_pixels))
    assert average.n_pixels.sum() == 50 * 70


def test_scores_of_independent_noise_are_standard_normal(rng):
    frame = rng.poisson(50, (200, 200))
    decoded = frame + rng.standard_normal((200, 200)) * np.sqrt(frame)
    scores = ring_scores(frame, decoded, (99.5, 99.5))
    assert 0.8 < scores.rms < 1.2 and scores.max_abs < 4


def test_a_tiny_bias_everywhere_is_a_large_score():
    frame = np.full((200, 200), 4)
    scores = ring_scores(frame, frame + 0.5, (99.5, 99.5))
    assert scores.max_abs == pytest.approx(0.25 * np.sqrt(scores.n_pixels.max()))


def test_unchanged_frame_scores_zero_and_sentinels_are_left_out():
    frame = np.full((40, 40), 9, np.int32)
    frame[3:6] = -1
    decoded = frame.astype(float)
    decoded[4] = 1e9
    assert ring_scores(frame, decoded, CENTRE).max_abs == 0
    unsigned = np.full((40, 40), 9, np.uint32)
    unsigned[3:6] = 2**32 - 1
    assert radial_average(unsigned, CENTRE).mean.max() == 9


def test_mask_is_obeyed():
    frame = np.ones((30, 30))
    frame[10, 10] = np.nan
    mask = np.zeros((30, 30))
    mask[20] = 1
    frame[20] = 1e6
    average = radial_average(frame, (15.0, 15.0), mask)
    assert average.mean.max() == 1 and average.n_pixels.sum() == 900 - 31


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="one frame"):
        radial_average(np.ones(5), (0.0, 0.0))
    with pytest.raises(InputError, match="no pixel"):
        radial_average(np.full((4, 4), -1), (0.0, 0.0))
    with pytest.raises(InputError, match="differ in shape"):
        ring_scores(np.ones((4, 4)), np.ones((4, 5)), (0.0, 0.0))
    with pytest.raises(InputError, match="width"):
        radial_average(np.ones((4, 4)), (0.0, 0.0), width=0.0)
