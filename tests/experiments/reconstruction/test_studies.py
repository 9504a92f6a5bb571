from __future__ import annotations

import numpy as np
import pytest

from experiments.reconstruction import deblurring, heat, tomography
from invae.report.figures import render

# These configurations are too small for iterations to converge.
pytestmark = pytest.mark.filterwarnings("ignore:.* use all .* iterations:invae.errors.InvaeWarning")

SMALL = {
    "noise": [0.02, 0.1],
    "n_train": 60,
    "n_validation": 2,
    "n_test": 3,
    "n_calibration": 40,
    "tv_iterations": 20,
    "ranks": [10],
}


def rows_of(results, name):
    return next(table.rows for table in results.tables if table.name == name)


def test_tomography_tells_error_trust_and_the_learning_curve():
    config = {
        **tomography.QUICK,
        **SMALL,
        "size": 16,
        "n_angles": 8,
        "families": ["ellipses"],
        "limited": ["gaussian"],
        "n_train_limited": 40,
        "curve": ["ellipses"],
        "curve_sizes": [20, 400],
    }
    results = tomography.run(config, np.random.default_rng(0))
    names = [table.name for table in results.tables]
    # One table a case, then the two that speak of all cases.
    assert names == [
        "random ellipses, 2 % noise",
        "random ellipses, 10 % noise",
        "smooth Gaussian fields, views over 90 degrees, 2 % noise",
        "risk, coverage, noise",
        "learning curve",
    ]
    trust = rows_of(results, "risk, coverage, noise")
    assert [row["signals"] for row in trust] == names[:3]
    for row in trust:
        assert row["coverage, calibrated"] == pytest.approx(0.9, abs=0.12)
        assert 0.5 < row["validated / measured"] < 2
    curve = rows_of(results, "learning curve")
    assert [row["N"] for row in curve] == [20, 60]
    assert curve[1]["default"] < curve[0]["default"] < curve[0]["not shrunk"]
    for figure in results.figures:
        assert len(render(figure.kind, figure.data)[0]) > 1000


def test_deblurring_and_heat_run_with_their_learned_rivals():
    small = {**SMALL, "noise": [0.02], "network_seconds": 0.3}
    blur = {**deblurring.QUICK, **small, "size": 16, "motion": 5, "families": ["grains"]}
    results = deblurring.run({**blur, "n_train_of": {"grains": 30}}, np.random.default_rng(0))
    assert "30 to learn from" in results.tables[0].caption
    assert {"Tikhonov and U-Net", "linear, rank 10, trained"} <= {
        row["method"] for row in results.tables[0].rows
    }
    rod = {
        **heat.QUICK,
        **small,
        "n_train": 300,
        "size": 32,
        "time": 4.0,
        "families": ["piecewise"],
        "plate": 8,
    }
    rod |= {"curve": ["piecewise"], "curve_sizes": [20, 200]}
    results = heat.run({**rod, "n_train_plate": 40, "plate_ranks": [10]}, np.random.default_rng(0))
    assert [table.name for table in results.tables] == [
        "step functions, 2 % noise",
        "random ellipses, plate, 2 % noise",
        "risk, coverage, noise",
        "learning curve",
    ]
