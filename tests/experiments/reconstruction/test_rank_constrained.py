from __future__ import annotations

import numpy as np

from experiments.reconstruction import rank_constrained
from invae.report.figures import render


def test_training_comes_near_the_closed_form_and_not_below_it():
    config = {
        **rank_constrained.QUICK,
        "sets": ["photographs", "no such set"],
        "ranks": [10, 30, 60],
        "trained_ranks": [10, 60],
        "n_train": 600,
        "n_test": 200,
        "epochs": 60,
        "seconds": 120.0,
    }
    results = rank_constrained.run(config, np.random.default_rng(0))
    (table,) = results.tables
    assert [row["rank"] for row in table.rows] == [10, 30, 60] and "trained" not in table.rows[1]
    for row in table.rows[::2]:
        assert 0.98 < row["trained / closed"] < 3.0
        assert row["trained, s"] < 60
    # More rank, less error; and the closed form beats leaving the image as it is.
    assert table.rows[2]["closed form"] < table.rows[0]["closed form"] < 0.5
    assert all(abs(row["validated"] / row["closed form"] - 1) < 0.3 for row in table.rows)
    picture, _ = render(results.figures[0].kind, results.figures[0].data)
    assert len(picture) > 1000
