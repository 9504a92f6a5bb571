from __future__ import annotations

import json

import pytest

from experiments import STUDIES
from experiments.shared import records as module
from experiments.shared.marks import Mark, differences, marks, unmarked
from experiments.shared.pages import PAGES, index, page, write_pages
from experiments.shared.records import FOLDER, ROOT, cell, keep, kept, record_of, records
from invae.errors import InputError
from invae.evaluation.results import Figure, Results, Table


def run(value=0.5, **environment):
    rows = [{"set": "a", "codec": "x", "bits": value}, {"set": "a", "codec": "y", "bits": 2.0}]
    found = Results("tomography", "Title", "What was done.", {"n": 2}, [Table("t", "Caption", rows)], [])
    found.seconds, found.environment = 1.5, {"cores": 2, "system": "Linux", "cpu": "a name", **environment}
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    keep(record_of(run(commit="abc"), False, "python -m experiments tomography"))
    return tmp_path


def test_a_record_holds_no_name_of_the_machine_and_no_path():
    found = run(commit="abc")
    found.config["files"] = [str(ROOT / "somewhere" / "images.npy")]
    found.figures = [Figure("bars", "", {"values": [1.0] * 9999}, "large"), Figure("bars", "", {}, "small")]
    text = record_of(found, True, "command").to_json()
    assert "a name" not in text and str(ROOT) not in text and "images.npy" in text
    assert "small" in text and "large" not in text


def test_a_new_run_takes_the_place_of_the_former_of_its_configuration(folder):
    keep(record_of(run(0.25, commit="def"), False, "command"))
    keep(record_of(run(0.75, commit="def"), True, "command"))
    assert len(json.loads((folder / "tomography.json").read_text())) == 2
    assert kept("tomography", "full").tables[0].rows[0]["bits"] == 0.25
    assert kept("tomography", "quick").environment["configuration"] == "quick"
    assert kept("landscape", "full") is None


def test_a_cell_is_named_by_its_row_or_by_several_columns():
    found = run()
    assert cell(found, "t", "a", "bits") == 0.5
    assert cell(found, "t", "set=a; codec=y", "bits") == 2.0
    assert cell(found, "t", "b", "bits") is None and cell(found, "other", "a", "bits") is None
    with pytest.raises(InputError, match="name more columns"):
        cell(found, "t", "set=a", "bits")
    found.tables[0].rows.append({"set": "TV, x >= 0", "bits": 3.0})
    assert cell(found, "t", "TV, x >= 0", "bits") == 3.0


def mark(shown, row="set=a; codec=x", tail=""):
    return f"{shown}<!-- figure: tomography full :: t :: {row} :: bits{tail} -->"


@pytest.mark.parametrize(
    ("shown", "tail", "agrees"),
    [
        ("0.5", "", True),
        ("0.50", "", True),
        ("0.51", "", False),
        ("0.4", "", False),
        ("50", " :: * 100", True),
    ]
    + [("49", " :: * 100", False), ("0.25", " :: / 2", True), ("0.26", " :: / 2", False)],
)
def test_a_figure_in_a_text_that_differs_from_the_run_is_told(folder, shown, tail, agrees):
    told = differences(f"It takes {mark(shown, tail=tail)} bits.")
    assert (told == []) is agrees
    assert agrees or told[0].startswith(f"{shown} stands for ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (mark("1", row="set=b; codec=x"), "no such cell"),
        ("1<!-- figure: landscape full :: t :: a :: bits -->", "no"),
    ]
    + [("1<!-- figure: tomography -->", "has 1 parts")],
)
def test_a_mark_that_leads_nowhere_is_an_error(folder, text, why):
    with pytest.raises(InputError, match=why):
        marks(text)


def test_digits_are_those_that_are_shown():
    assert Mark("24,833", 24833.4, "").agrees and not Mark("24,833", 24834.0, "").agrees
    assert Mark("1.53", 1.5321, "").agrees and not Mark("1.54", 1.5321, "").agrees


def test_numbers_without_a_mark_are_seen():
    text = f"Some 3.5 and {mark('0.5')}; `code 7`, [a link](docs/9.md), 30 views\n```\n11\n```\nand .25."
    assert unmarked(text, frozenset({"30"})) == ["3.5", ".25"]


def test_the_pages_are_those_of_the_kept_runs():
    runs = records()
    assert set(runs) <= set(STUDIES)
    for name, found in runs.items():
        assert (PAGES / f"{name}.md").read_text(encoding="utf-8") == page(name, found)
    assert (PAGES / "README.md").read_text(encoding="utf-8") == index(runs)
    assert {path.stem for path in PAGES.glob("*.md")} == {*runs, "README"}


def test_kept_runs_say_what_they_were_made_from():
    for name, runs in records().items():
        for found in runs:
            assert found.name == name and found.environment["configuration"] in ("quick", "full")
            assert found.environment["commit"] and found.environment["command"].startswith("python -m exp")
            by_hand = found.environment["made"].startswith("recorded by hand")
            assert by_hand or {"cores", "system", "versions", "python", "time"} <= set(found.environment)
    for path in FOLDER.glob("*.json"):
        assert str(ROOT) not in path.read_text(encoding="utf-8") and path.stat().st_size < 300_000


def test_pages_are_written_with_circumstances_and_tables(folder, tmp_path):
    write_pages(folder, tmp_path / "pages")
    text = (tmp_path / "pages" / "tomography.md").read_text(encoding="utf-8")
    for part in (
        "# Title",
        "What was done.",
        "| commit | abc |",
        "| machine | 2 cores, Linux |",
        "| a   | x",
    ):
        assert part in text
    assert "[tomography](tomography.md)" in (tmp_path / "pages" / "README.md").read_text(encoding="utf-8")
