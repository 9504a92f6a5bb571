from __future__ import annotations

import math

import pytest

from experiments.shared import targets
from experiments.shared.targets import figure, holds, judge, target_table, targets_of
from invae.errors import InputError

STUDIES = ("reconstruction_targets", "compression_targets")


@pytest.fixture
def two_targets(monkeypatch, tmp_path):
    file = tmp_path / "targets.toml"
    file.write_text(
        "study = [\n"
        '  { name = "error", relation = "<=", limit = 0.4, source = "aim" },\n'
        '  { name = "coverage", relation = "±", limit = 0.9, tolerance = 0.01, source = "aim" },\n'
        "]\n[sources]\naim = 'Because.'\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(targets, "FILE", file)


@pytest.mark.parametrize(
    ("relation", "limit", "measured", "met"),
    [("<=", 1.0, 1.0, True), ("<=", 1.0, 1.1, False), (">=", 1.0, 1.0, True), (">=", 1.0, 0.9, False)]
    + [("±", 0.9, 0.905, True), ("±", 0.9, 0.88, False)]
    + [(relation, 1.0, math.nan, False) for relation in ("<=", ">=", "±")],
)
def test_a_relation_holds_within_its_limit_and_never_for_nan(relation, limit, measured, met):
    assert holds({"relation": relation, "limit": limit, "tolerance": 0.01}, measured) is met


def test_a_target_is_met_or_not_or_was_not_measured(two_targets):
    first, second = judge("study", [figure("error", 0.41, "why")])
    assert first == {
        "target": "error",
        "wanted": "<= 0.4",
        "measured": 0.41,
        "met": False,
        "detail": "why",
        "why": "aim",
    }
    assert second["met"] is None and second["wanted"] == "0.9 ± 0.01"
    table = target_table("study", [figure("error", 0.4)])
    assert table.caption == "1 of 1 targets met. 1 were not measured in this run."
    assert table.notes.endswith("*aim*: Because.")


def test_a_stage_that_failed_is_a_row_that_is_not_met(two_targets):
    rows = judge("study", [figure("error", 0.1), figure("limited angle: failed", None, "singular")])
    assert [row["met"] for row in rows] == [True, None, False]
    assert rows[-1]["detail"] == "singular"


def test_figures_without_a_target_are_no_rows(two_targets):
    assert [row["target"] for row in judge("study", [figure("something else", 1.0)])] == ["error", "coverage"]


def test_a_relation_that_nobody_knows_is_refused(two_targets):
    targets.FILE.write_text(targets.FILE.read_text(encoding="utf-8").replace("<=", "<"), encoding="utf-8")
    with pytest.raises(InputError, match="relation '<'"):
        targets_of("study")


@pytest.mark.parametrize("study", STUDIES)
def test_every_target_has_a_name_of_its_own_and_a_source(study):
    found = targets_of(study)
    names = [target["name"] for target in found]
    assert len(set(names)) == len(names) and all(target["why"] for target in found)
