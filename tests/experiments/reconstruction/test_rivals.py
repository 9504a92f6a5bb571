from __future__ import annotations

import numpy as np
import pytest

from experiments.reconstruction import rivals
from invae.report.figures import render

# These configurations are too small for iterations to converge.
pytestmark = pytest.mark.filterwarnings("ignore:.* use all .* iterations:invae.errors.InvaeWarning")


def test_all_rivals_stand_in_one_table():
    config = {
        **rivals.QUICK,
        "size": 16,
        "n_angles": 12,
        "n_train": 80,
        "n_validation": 2,
        "n_test": 3,
        "iterations": 30,
        "rank": 30,
        "seconds": 0.5,
    }
    results = rivals.run(config, np.random.default_rng(0))
    (table,) = results.tables
    error = {row["method"]: row["error"] for row in table.rows}
    assert len(error) >= 18 and all(0 < value < 0.7 for value in error.values())
    assert error["linear, full rank, closed form"] < error["FBP"]
    assert next(row for row in table.rows if row["method"] == "TV, tuned")["time / TV, tuned"] == 1
    picture, _ = render(results.figures[0].kind, results.figures[0].data)
    assert len(picture) > 1000
