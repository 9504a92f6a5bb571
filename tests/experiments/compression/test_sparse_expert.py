from __future__ import annotations

import numpy as np

from experiments.compression import sparse_expert
from invae.codec.curves.memory import N_SCALED
from invae.codec.curves.model import fast_curve_model


def curves():
    models = ["sphere", "vesicle", "lamellar", "guinier_porod"]
    return np.stack(sparse_expert._logs(30, models, 3))


def test_what_the_network_saw_of_the_base_is_found_again():
    """The mirror is undone rightly: the base, shown as an expert, looks as the coder showed it."""
    for bound in (1e-1, 1e-3):
        part = sparse_expert.watch(np.rint(curves() / (2 * bound)).astype(np.int64))
        again = sparse_expert.look(part, part.base)
        late = np.tile(np.arange(part.truth.shape[1]) > 20, len(part.truth))
        for column, place in ((0, 2), (1, N_SCALED + 2)):
            close = np.abs(again[late, column].astype(int) - part.seen[late, place]) <= 2
            assert close.mean() > 0.98


def test_cost_of_the_network_is_near_the_bits_of_the_coder():
    plane = np.rint(curves() / 2e-2).astype(np.int64)
    part = sparse_expert.watch(plane)
    bits = sparse_expert.cost(fast_curve_model().network, part.seen, part.counts)
    coded = 8 * len(fast_curve_model().encode(plane)) / part.truth.size
    assert 0.5 * coded < bits < 1.1 * coded


def test_without_training_further_inputs_change_little_and_the_study_names_every_expert():
    config = {
        **sparse_expert.QUICK,
        "n_train": 20,
        "n_validation": 10,
        "dictionaries": [[16, 1]],
        "bounds": [1e-2],
        "n_steps": 5,
    }
    results = sparse_expert.run(config, np.random.default_rng(0))
    none, expert = results.tables[0].rows
    assert (none["expert"], expert["expert"]) == ("none", "16 atoms, 1 used")
    assert none["gain, % of the file"] == 0 and abs(expert["gain, % of the file"]) < 5
