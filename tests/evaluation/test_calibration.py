import numpy as np
import pytest

from invae.errors import InputError
from invae.evaluation.calibration import calibration_table, coverage, interval_coverage, risk_agreement


def test_right_error_bars_cover_at_their_level_and_wrong_ones_do_not(rng):
    x = rng.normal(size=(2000, 20))
    right, narrow = coverage(x, 0 * x, 1 + 0 * x), coverage(x, 0 * x, 0.5)
    for level, found in right.items():
        assert found == pytest.approx(level, abs=0.01)
        assert narrow[level] < level - 0.1


def test_interval_coverage_counts_the_ends():
    assert interval_coverage(np.array([0, 1, 2, 3]), 0, np.array([0, 2, 1, 3])) == 0.75


def test_calibration_table_has_a_row_per_case(rng):
    x = rng.normal(size=500)
    table = calibration_table({"right": (x, 0 * x, 1 + 0 * x), "wide": (x, 0 * x, 9 + 0 * x)})
    assert table.column("case") == ["right", "wide"]
    assert table.rows[1]["90%"] == 1.0


def test_risk_agreement(rng):
    errors = rng.chisquare(10, size=20_000)
    found = risk_agreement(10.0, errors)
    assert found["ratio"] == pytest.approx(1, abs=4 * found["standard_error"])
    assert 0.001 < found["standard_error"] < 0.01


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="negative"):
        coverage(np.zeros(2), np.zeros(2), np.array([1.0, -1.0]))
    with pytest.raises(InputError, match="levels"):
        coverage(np.zeros(2), np.zeros(2), np.ones(2), levels=[1.5])
    with pytest.raises(InputError, match="no values"):
        interval_coverage(np.array([]), 0, 1)
    with pytest.raises(InputError, match="two samples"):
        risk_agreement(1.0, np.array([1.0]))
