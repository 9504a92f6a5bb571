from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import __main__ as command
from invae.errors import InputError
from invae.evaluation.results import Results, Table


@pytest.fixture
def studies(monkeypatch):
    """Three studies, of which the second ends as told."""

    def install(ending):
        def run_one(name, quick, seed, files=()):
            if name == "two" and ending is not None:
                raise ending
            return Results(name, name.title(), "", {"seed": seed}, [Table("t", "", [{"x": 1}])], [])

        monkeypatch.setattr(command, "NAMES", ("one", "two", "three"))
        monkeypatch.setattr(command, "run_one", run_one)

    return install


@pytest.mark.parametrize(
    ("ending", "status", "names"),
    [
        (None, 0, ["one", "two", "three"]),
        (InputError("no data"), 1, ["one"]),
        (KeyboardInterrupt(), 130, ["one"]),
    ],
)
def test_what_came_to_its_end_is_written(studies, tmp_path, ending, status, names):
    studies(ending)
    assert command.main(["all", "--json", str(tmp_path / "all.json")]) == status
    assert [study["name"] for study in json.loads((tmp_path / "all.json").read_text())] == names


def test_a_study_runs_under_its_seed_and_reports_deviations(monkeypatch, capsys):
    class Study:
        TITLE, QUICK, FULL = "A study", {"n": 2}, {"n": 3}

        @staticmethod
        def run(config, rng):
            rows = [{"n": config["n"], "draw": rng.random()}]
            return Results("study", "A study", "", config, [Table("t", "", rows)], [])

    monkeypatch.setitem(command.STUDIES, "study", "study")
    monkeypatch.setattr(command.importlib, "import_module", lambda name: Study)
    monkeypatch.setattr(command, "deviations", lambda results, quick: ["t / 2 / draw is odd"])
    results = command.run_one("study", True, 0)
    assert results.tables[0].rows == [{"n": 2, "draw": np.random.default_rng(0).random()}]
    assert "unexpected: t / 2 / draw is odd" in capsys.readouterr().err
