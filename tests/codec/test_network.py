"""The codec's network: integer layers as written, training that sees what the coder computes."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec.curves.model import CurveModel, shipped_curve_model
from invae.codec.learning.network import _logits, count_decisions, start_weights, train_network
from invae.codec.network import HIDDEN, MOST_WEIGHTS, N_LOGITS, N_SEEN, respond
from invae.errors import ModelError


def kernel_logits(seen, weights):
    a, b = (np.zeros(n + 1, np.int32) for n in HIDDEN)
    logits = np.zeros((len(seen), N_LOGITS), np.int64)
    for row, out in zip(seen, logits):
        respond(row.astype(np.int32), *weights, a, b, np.zeros(N_SEEN + HIDDEN[0], np.int64), out)
    return logits


def drawn(rng, n=200):
    seen = rng.integers(-127, 128, (n, N_SEEN)).astype(np.int8)
    seen[rng.random(seen.shape) < 0.5] = 0
    seen[:, -1] = 64
    return seen, [w * 3 for w in start_weights((N_SEEN, *HIDDEN), rng)]


def test_the_layers_are_integer_products_shifts_and_clips(rng):
    seen, (first, second, last) = drawn(rng)
    hidden = np.clip(seen.astype(np.int64) @ first >> 7, 0, 127)
    hidden = np.clip(np.c_[hidden, np.full(len(seen), 64)] @ second.astype(np.int64) >> 6, 0, 127)
    expected = np.clip(np.c_[hidden, np.full(len(seen), 64)] @ last.astype(np.int64) >> 3, -2047, 2047)
    assert np.array_equal(kernel_logits(seen, (first, second, last)), expected)
    assert np.abs(expected).max() > 100


def test_training_sees_the_logits_of_the_coder(rng):
    import torch

    seen, weights = drawn(rng)
    layers = [torch.tensor(w / 64, dtype=torch.float32) for w in weights]
    trained = _logits(layers, torch.from_numpy(seen.astype(np.float32)) / 64).numpy()
    inside = np.abs(trained) < 7.9
    assert inside.mean() > 0.9
    assert np.abs(kernel_logits(seen, weights) / 256 - trained)[inside].max() <= 1 / 256 + 1e-6


def test_training_lowers_the_cost_and_stays_in_range(rng):
    seen, weights = drawn(rng, 2000)
    counts = np.zeros((2000, N_LOGITS, 2), np.int8)
    counts[np.arange(2000), 0, (seen[:, 3] > 0).astype(int)] = 1
    trained = train_network(seen, counts, weights, 150, rng)
    assert all(np.abs(w).max() <= most for w, most in zip(trained, MOST_WEIGHTS))
    right = (kernel_logits(seen, trained)[:, 0] > 0) == (seen[:, 3] > 0)
    assert right.mean() > 0.9


def test_decisions_of_small_and_large_distances_are_counted():
    met = np.array([[0, 0], [1, 0], [-2, 0], [5, 2]])
    counts = count_decisions(met)
    assert counts[0].tolist() == [[0, 1]] + [[0, 0]] * 7
    assert counts[1, :3].tolist() == [[1, 0], [0, 1], [1, 0]] and counts[1, 3:].sum() == 0
    assert counts[2, 0].tolist() == [1, 0] and counts[2, 1].tolist() == [1, 0]
    assert counts[2, 3].tolist() == [0, 1] and counts[2, 5].tolist() == [1, 0]
    assert counts[3, 0].tolist() == [1, 0] and counts[3, 2].tolist() == [1, 0]  # cells of four values


def test_a_series_of_like_curves_takes_far_fewer_bytes_than_the_curves_apart(rng):
    q = np.geomspace(1e-3, 1, 200)
    radius = 40 + np.linspace(0, 0.1, 40)[:, None]
    rows = np.log10(1 / (1 + (q * radius) ** 4) + 1e-4 * (2 + np.cos(3 * q * radius)))
    plane = np.rint(rows / 2e-4).astype(np.int64)
    together = len(shipped_curve_model().encode(plane))
    apart = sum(len(shipped_curve_model().encode(row[None])) for row in plane)
    assert together < 0.5 * apart
    assert np.array_equal(
        shipped_curve_model().decode(shipped_curve_model().encode(plane), *plane.shape), plane
    )


def test_a_model_with_weights_beyond_their_range_is_refused():
    model = CurveModel.untrained()
    first = model.network[0]
    first[0, 0] = 128
    model.set_arrays(N1=first)
    with pytest.raises(ModelError, match="beyond 127"):
        CurveModel.from_bytes(model.to_bytes())
