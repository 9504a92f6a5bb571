"""The codec's network: integer layers as written, training that sees what the coder computes."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec.coding.network import (
    CONSTANT,
    MOST_WEIGHTS,
    N_LOGITS,
    Network,
    new_activations,
    respond,
)
from invae.codec.coding.tables import S_MAX, SQUASH
from invae.codec.curves.memory import MEMORY, N_SEEN, SIGNED, Recurrence, new_memory, remember
from invae.codec.curves.model import CurveModel, shipped_curve_model
from invae.codec.learning.memory import _statement, start_recurrent, train_recurrent
from invae.codec.learning.network import count_decisions, logits, start_weights, train_network
from invae.errors import ModelError

INPUTS, HIDDEN = 30, (40, 16)


def kernel_logits(seen, weights):
    network = Network(*weights)
    activations = new_activations(network)
    logits = np.zeros((len(seen), N_LOGITS), np.int64)
    for row, out in zip(seen, logits):
        respond(row.astype(np.int32), network, activations, out)
    return logits


def drawn(rng, n=200):
    seen = rng.integers(-127, 128, (n, INPUTS)).astype(np.int8)
    seen[rng.random(seen.shape) < 0.5] = 0
    seen[:, -1] = 64
    return seen, [w * 3 for w in start_weights((INPUTS, *HIDDEN), rng)]


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
    trained = logits(layers, torch.from_numpy(seen.astype(np.float32)) / 64).numpy()
    inside = np.abs(trained) < 7.9
    assert inside.mean() > 0.9
    assert np.abs(kernel_logits(seen, weights) / 256 - trained)[inside].max() <= 1 / 256 + 1e-6


def rows_seen(rng, n_rows=3, n=40):
    """What is seen and the sign, as a coder that watches hands it out."""
    seen = rng.integers(-127, 128, (n_rows, n, N_SEEN[1] + 1)).astype(np.int8)
    seen[..., -2] = CONSTANT
    seen[..., -1] = np.where(rng.random((n_rows, n)) < 0.5, -CONSTANT, CONSTANT)
    return seen


def kernel_rows(seen, weights):
    """Logits of rows, (rows, n, N_LOGITS), and the memory behind each value."""
    recurrence, network = Recurrence(*weights[:2]), Network(*weights[2:])
    out = np.zeros((*seen.shape[:2], N_LOGITS), np.int64)
    kept = np.zeros((*seen.shape[:2], MEMORY), np.int64)
    activations = new_activations(network)
    for i, row in enumerate(seen):
        memory = new_memory(recurrence)
        for j, entry in enumerate(row):
            look = np.zeros(len(network.first), np.int32)
            look[: N_SEEN[1]] = entry[:-1]
            remember(look, np.sign(int(entry[-1])), recurrence, memory)
            kept[i, j] = memory.kept
            respond(look, network, activations, out[i, j])
    return out, kept


def test_the_memory_is_a_gated_recurrent_unit_in_whole_numbers(rng):
    seen, (M1, M2, *network) = rows_seen(rng, 1, 12), start_recurrent(rng)
    _, kept = kernel_rows(seen, (M1, M2, *network))
    h = np.zeros(MEMORY, np.int64)
    for j, entry in enumerate(seen[0].astype(np.int64)):
        sign = np.sign(entry[-1])
        upright = np.append(np.where(SIGNED, sign, 1) * entry[:-1], CONSTANT * sign)
        i = np.clip(upright @ M1 >> 6, 0, 127)
        a, b = np.split(np.concatenate([i, np.clip((h + 256) >> 9, -127, 127), [CONSTANT]]) @ M2, 2)
        keep = SQUASH[np.clip(a >> 4, -S_MAX, S_MAX) + S_MAX]
        fresh = 2 * SQUASH[np.clip(b >> 3, -S_MAX, S_MAX) + S_MAX] - 65536
        h = fresh + (keep * (h - fresh) >> 16)
        assert np.array_equal(kept[0, j], h)
    assert np.abs(h).max() > 10_000


def test_training_sees_the_statement_of_a_coder_with_memory(rng):
    import torch

    seen = rows_seen(rng)
    weights = [4 * np.rint(w / 2).astype(np.int16).clip(-31, 31) for w in start_recurrent(rng)]
    layers = [torch.tensor(w / 64, dtype=torch.float32) for w in weights]
    trained = 256 * _statement(layers, torch.from_numpy(seen.astype(np.float32)) / 64).numpy()
    missed = np.abs(kernel_rows(seen, weights)[0] - trained.clip(-2047, 2047))
    assert np.abs(trained).mean() > 100 and missed.mean() < 20 and missed.max() < 120


def test_a_memory_learns_what_a_network_cannot_see(rng):
    """The answer is the sign of what was seen one value ago."""

    def drawn_rows(n_rows):
        seen = rows_seen(rng, n_rows, 30) // 4
        seen[..., -2:] = CONSTANT
        return seen, np.roll(seen[..., 3] > 0, 1, axis=1)

    seen, answer = drawn_rows(256)
    counts = np.zeros((256, 30, N_LOGITS, 2), np.int8)
    counts[np.arange(256)[:, None], np.arange(30), 0, answer.astype(int)] = 1
    weights = train_recurrent([seen], [counts], start_recurrent(rng), 60, rng, 1e-2)
    assert all((w % 4 == 0).all() for w in weights)
    seen, answer = drawn_rows(20)
    right = (kernel_rows(seen, weights)[0][..., 0] > 0) == answer
    assert right[:, 1:].mean() > 0.85


def test_training_lowers_the_cost_and_stays_in_range(rng):
    seen, weights = drawn(rng, 2000)
    counts = np.zeros((2000, N_LOGITS, 2), np.int8)
    counts[np.arange(2000), 0, (seen[:, 3] > 0).astype(int)] = 1
    trained = train_network(seen, counts, weights, 150, rng)
    assert all(np.abs(w).max() <= most for w, most in zip(trained, MOST_WEIGHTS))
    right = (kernel_logits(seen, trained)[:, 0] > 0) == (seen[:, 3] > 0)
    assert right.mean() > 0.9


def test_decisions_of_small_and_large_distances_are_counted():
    targets = np.array([[0, 0], [1, 0], [-2, 0], [5, 2]])
    counts = count_decisions(targets)
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
    layer = model.network[1]
    layer[0, 0] = 128
    model.set_arrays(M2=layer)
    with pytest.raises(ModelError, match="beyond 127"):
        CurveModel.from_bytes(model.to_bytes())
