from __future__ import annotations

import numpy as np

from experiments.reconstruction import correctness, targets


def test_every_target_is_a_row_with_a_figure():
    config = {
        **targets.QUICK,
        "size": 16,
        "n_angles": 12,
        "n_train": 120,
        "n_layers": 60,
        "n_validation": 2,
        "n_test": 3,
        "n_calibration": 40,
        "tv_iterations": 20,
        "refined": {"ellipses": [[0.02, 0.9, 1, 8]]},
        "n_few": 30,
        "n_many": 150,
        "large": 32,
        "n_large": 50,
    }
    (table,) = targets.run(config, np.random.default_rng(0)).tables
    rows = {row["target"]: row for row in table.rows}
    assert len(rows) == len(table.rows) and not any("failed" in name for name in rows)
    for part in ("refined error", "throughput", "coverage", "limited angle", "N = 30", "32 x 32", "dot test"):
        assert any(part in name for name in rows), part
    assert all(np.isfinite(row["measured"]) for row in table.rows)
    assert all(row["met"] for name, row in rows.items() if "dot test" in name or "known Gaussian" in name)


def test_dot_tests_meet_every_geometry_and_boundary(rng):
    kinds = correctness.operators(8, rng)
    names = " ".join(name for members in kinds.values() for name in members)
    for part in ("fan", "arc", "shifted", "dead", "reflective", "periodic", "zero", "variable", "source"):
        assert part in names
