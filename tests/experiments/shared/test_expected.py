from __future__ import annotations

import tomllib

from experiments import BENCHMARKS, NAMES
from experiments.shared import expected
from invae.evaluation.results import Results, Table


def entries():
    return tomllib.loads(expected.FILE.read_text(encoding="utf-8"))


def results(name, table, row, column, value):
    return Results(name, "", "", {}, [Table(table, "", [{"first": row, column: value}])], [])


def the_only_entry(monkeypatch, tmp_path, text):
    file = tmp_path / "expected.toml"
    file.write_text("[[study.quick]]\ntable = 't'\nrow = 'r'\ncolumn = 'c'\nvalue = 2.0\n" + text)
    monkeypatch.setattr(expected, "FILE", file)


def test_every_entry_names_an_experiment():
    assert set(entries()) <= {*NAMES, *BENCHMARKS}


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
