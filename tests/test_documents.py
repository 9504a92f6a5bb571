"""What the texts of docs/ name exists, and the figures that they mark are those of the kept runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.shared.marks import differences

ROOT = Path(__file__).parents[1]
TEXTS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "experiments" / "README.md"]
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
