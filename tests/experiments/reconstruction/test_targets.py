from __future__ import annotations

import numpy as np
import pytest

from experiments.reconstruction import correctness, targets
from experiments.reconstruction.peers import have_astra

# These configurations are too small for iterations to converge.
pytestmark = pytest.mark.filterwarnings("ignore:.* use all .* iterations:invae.errors.InvaeWarning")

# Every family at its smallest: the grid, the layers and the sets are too small for the targets themselves.
SMALL = {
    **targets.FULL,
    "size": 16,
    "n_angles": 12,
    "n_train": 120,
    "n_layers": 60,
    "n_validation": 2,
    "n_test": 3,
    "n_calibration": 40,
    "tv_iterations": 20,
    "refined": {
        "ellipses": [[0.02, 1, 8], [0.1, 1, 8], [0.005, 1, 8]],
        "photographs": [[0.02, 1, 8]],
    },
    "n_few": 30,
    "n_many": 150,
    "large": 32,
    "n_large": 50,
    "resume": False,
}


def test_a_full_run_measures_every_target():
    (table,) = targets.run(SMALL, np.random.default_rng(0)).tables
    rows = {row["target"]: row for row in table.rows}
    assert len(rows) == len(table.rows) and not any("failed" in name for name in rows)
    absent = {name for name, row in rows.items() if row["met"] is None}
    assert absent <= ({"throughput, batched Radon / ASTRA CPU"} if not have_astra() else set())
    assert all(np.isfinite(row["measured"]) for row in table.rows if row["met"] is not None)
    assert all(row["met"] for name, row in rows.items() if "dot test" in name or "known Gaussian" in name)


def test_the_full_configuration_refines_at_every_level_that_is_aimed_at():
    cases = targets.FULL["refined"]
    levels = {family: sorted(case[0] for case in cases[family]) for family in cases}
    assert levels == {family: sorted(case[0] for case in SMALL["refined"][family]) for family in cases}


def test_dot_tests_meet_every_geometry_and_boundary(rng):
    kinds = correctness.operators(8, rng)
    names = " ".join(name for members in kinds.values() for name in members)
    for part in ("fan", "arc", "shifted", "dead", "reflective", "periodic", "zero", "variable", "source"):
        assert part in names
