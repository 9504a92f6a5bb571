"""One self-contained HTML page from results: inline style, inline pictures, nothing fetched from anywhere.

Readable in light and dark, printable, with a table of contents; every table marks its best values, and every
section ends with the configuration, library versions and processor it was measured with.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.arrays.atomic import atomic_path
from invae.errors import InputError
from invae.evaluation.results import Figure, Results, Table, format_value
from invae.extras import optional_imports

__all__ = ["Report"]

TALL = 30  # rows; longer tables scroll


class Report:
    """A report over the results of one or several experiments.

    Parameters
    ----------
    results : Results or sequence of Results
        In the order in which they are shown.
    title : str
        Heading of the page.
    introduction : str
        Paragraphs under the heading; blank lines separate them.

    Examples
    --------
    >>> from invae.evaluation import Results, Table
    >>> table = Table("t", "A table", [{"a": 1}, {"a": 2}])
    >>> "<table" in Report(Results("demo", "Demo", "Two rows.", tables=[table])).html()
    True
    """

    def __init__(
        self, results: Results | Sequence[Results], title: str = "invae report", introduction: str = ""
    ) -> None:
        self.results = [results] if isinstance(results, Results) else list(results)
        self.title = title
        self.introduction = introduction
        if not self.results:
            raise InputError("a report needs at least one Results object")

    def html(self) -> str:
        """The whole page as text."""
        with optional_imports():
            from jinja2 import Environment

        folder = files("invae.report")
        environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        template = environment.from_string((folder / "page.html").read_text(encoding="utf-8"))
        sections = [_section(number, item) for number, item in enumerate(self.results, start=1)]
        seconds = [item.seconds for item in self.results if item.seconds is not None]
        return template.render(
            title=self.title,
            introduction=_paragraphs(self.introduction),
            style=(folder / "page.css").read_text(encoding="utf-8"),
            sections=sections,
            environment=self.results[0].environment,
            total=_duration(sum(seconds)) if seconds else None,
        )

    def write(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write the page, whole or not at all.

        Raises
        ------
        FileError
            ``path`` exists and ``overwrite`` is false, or its folder is missing.
        """
        with atomic_path(path, overwrite) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")
        return Path(path)


def _section(number: int, results: Results) -> dict[str, Any]:
    anchor = re.sub(r"[^A-Za-z0-9_-]+", "-", results.name) or "section"
    return {
        "anchor": f"{anchor}-{number}",
        "number": number,
        "title": results.title,
        "summary": _paragraphs(results.summary),
        "figures": [_figure(f"{number}.{i}", figure) for i, figure in enumerate(results.figures, start=1)],
        "tables": [_table(f"{number}.{i}", table) for i, table in enumerate(results.tables, start=1)],
        "config": json.dumps(results.to_dict()["config"], indent=2, ensure_ascii=False),
        "environment": results.environment,
        "seconds": None if results.seconds is None else _duration(results.seconds),
    }


def _figure(number: str, figure: Figure) -> dict[str, Any]:
    from invae.report.figures import render

    picture, mime = render(figure.kind, figure.data)
    source = f"data:{mime};base64,{base64.b64encode(picture).decode()}"
    return {"number": number, "caption": figure.caption, "source": source, "kind": figure.kind}


def _table(number: str, table: Table) -> dict[str, Any]:
    columns = table.columns
    marked = {column: table.best_rows(column) for column in columns}
    kinds = {c: _column_kind(table.column(c)) for c in columns}
    rows = []
    for index, row in enumerate(table.rows):
        starts_group = bool(
            table.group and index and row.get(table.group) != table.rows[index - 1].get(table.group)
        )
        cells = [
            {"text": format_value(row.get(c)), "best": index in marked[c], "kind": kinds[c]} for c in columns
        ]
        rows.append({"cells": cells, "starts_group": starts_group})
    heads = [{"text": column, "kind": kinds[column]} for column in columns]
    return {
        "number": number,
        "caption": table.caption,
        "heads": heads,
        "rows": rows,
        "notes": table.notes,
        "tall": len(rows) > TALL,
        "has_best": any(marked.values()),
    }


def _column_kind(values: list[Any]) -> str:
    """How a column is set: numbers to the right, long texts wrapped."""
    if any(_is_number(value) for value in values):
        return "number"
    return "prose" if any(isinstance(value, str) and len(value) > 48 for value in values) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _duration(seconds: float) -> str:
    """Wall time as people say it.

    Examples
    --------
    >>> _duration(0.25), _duration(41.6), _duration(754)
    ('0.25 s', '42 s', '12 min 34 s')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
