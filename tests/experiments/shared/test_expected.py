from __future__ import annotations

import tomllib

import pytest

from experiments import BENCHMARKS, NAMES
from experiments.shared import expected
from invae.evaluation.results import Results, Table


def entries():
    return tomllib.loads(expected.FILE.read_text(encoding="utf-8"))


def results(name, table, row, column, value):
    return Results(name, "", "", {}, [Table(table, "", [{"first": row, column: value}])], [])


def the_only_entry(monkeypatch, tmp_path, text, value="value = 2.0\n"):
    file = tmp_path / "expected.toml"
    file.write_text("[[study.quick]]\ntable = 't'\nrow = 'r'\ncolumn = 'c'\n" + value + text)
    monkeypatch.setattr(expected, "FILE", file)


def test_every_entry_names_an_experiment():
    assert set(entries()) <= {*NAMES, *BENCHMARKS}


@pytest.mark.parametrize("study", sorted(entries()))
def test_every_entry_has_a_value(study):
    for configuration, expectations in entries()[study].items():
        for entry in expectations:
            value = expected.expected_value(study, configuration == "quick", entry)
            assert value is not None, (
                f"{configuration}: {entry['table']} / {entry['row']} / {entry['column']}"
            )


def test_the_value_is_that_of_the_kept_run(monkeypatch, tmp_path):
    the_only_entry(monkeypatch, tmp_path, "tolerance = 0.1\n", value="")
    new = results("study", "t", "r", "c", 2.3)
    assert expected.deviations(new, quick=True) == ["t / r / c is 2.3, and no kept run says what it was"]
    former = results("study", "t", "r", "c", 2.0)
    monkeypatch.setattr(expected, "kept", lambda study, configuration: former)
    assert expected.deviations(new, quick=True) == ["t / r / c is 2.3, expected 2 +- 10%"]


def test_a_figure_outside_its_tolerance_is_named(monkeypatch, tmp_path):
    the_only_entry(monkeypatch, tmp_path, "tolerance = 0.1\n")
    assert expected.deviations(results("study", "t", "r", "c", 2.1), quick=True) == []
    assert expected.deviations(results("study", "t", "r", "c", 2.3), quick=True) == [
        "t / r / c is 2.3, expected 2 +- 10%"
    ]
    assert expected.deviations(results("study", "t", "r", "c", 2.3), quick=False) == []


def test_a_row_may_be_absent_only_where_its_entry_says_so(monkeypatch, tmp_path):
    the_only_entry(monkeypatch, tmp_path, "tolerance = 0.1\n")
    assert expected.deviations(results("study", "other", "r", "c", 2.0), quick=True) == [
        "t / r / c is not in the results"
    ]
    the_only_entry(monkeypatch, tmp_path, "tolerance = 0.1\nwhere_present = true\n")
    assert expected.deviations(results("study", "other", "r", "c", 2.0), quick=True) == []
    assert expected.deviations(results("study", "t", "else", "c", 2.0), quick=True) == []
    assert len(expected.deviations(results("study", "t", "r", "c", 3.0), quick=True)) == 1
