"""What the texts of docs/ name exists, and the figures that they mark are those of the kept runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.shared.marks import differences, marks, unmarked

ROOT = Path(__file__).parents[1]
FIRST_READ = [ROOT / "README.md", ROOT / "experiments" / "README.md"]
TEXTS = [*sorted((ROOT / "docs").glob("*.md")), *FIRST_READ]
# Settings, sizes, versions and limits in these pages: not measured.
PLAIN = frozenset("0 1 2 30 90 100 0.01 0.4 0.9 2.5 3.11 25,000 1e-3 2508.05831".split())
FILE = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|toml|md))`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_links_of_a_text_exist(path):
    text = path.read_text(encoding="utf-8")
    for name in FILE.findall(text):
        assert any((base / name).exists() for base in (ROOT, ROOT / "invae", path.parent)), name
    for link in LINK.findall(text):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_marked_figures_are_those_of_the_kept_runs(path):
    assert differences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FIRST_READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_number_of_the_first_pages_has_a_mark_or_is_a_setting(path):
    text = path.read_text(encoding="utf-8")
    assert len(marks(text)) >= 7
    assert unmarked(text, PLAIN) == []
