"""What an experiment leaves behind: tables, figures as data, and the circumstances they were measured in.

A result is stored as JSON and drawn later: the numbers never depend on the plotting library. Arrays are kept
bit for bit (zlib and base64), NaN and infinities
too: a report can be drawn again from the file alone.
"""

from __future__ import annotations

import base64
import json
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.arrays.atomic import atomic_path
from invae.errors import FileError, FormatError, InputError
from invae.evaluation.environment import environment

__all__ = [
    "Figure",
    "Results",
    "Table",
    "environment",
    "format_value",
    "load_results",
    "save_results",
    "to_json",
]

FORMAT = "invae-results"
VERSION = 1


@dataclass
class Table:
    """Rows that share columns.

    Parameters
    ----------
    name : str
        Short identifier, unique within its results.
    caption : str
        One sentence on what is shown, with units.
    rows : list of dict
        Column name -> number, text, bool or None. A missing key is an empty cell.
    best : dict, optional
        Column name -> ``"min"`` or ``"max"``: which value of a column a report marks. Two or more rows only.
    group : str, optional
        A column whose equal values form the groups within which ``best`` is taken.
    notes : str
        Small print under the table.

    Examples
    --------
    >>> table = Table("errors", "Mean relative error", [{"method": "TV", "error": 0.057}, {"method": "FBP"}])
    >>> table.columns
    ['method', 'error']
    """

    name: str
    caption: str
    rows: list[dict[str, Any]]
    best: dict[str, str] = field(default_factory=dict)
    group: str | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        for column, rule in self.best.items():
            if rule not in ("min", "max"):
                raise InputError(f"best[{column!r}] is {rule!r}; use 'min' or 'max'")

    @property
    def columns(self) -> list[str]:
        """Column names in order of first appearance."""
        return list(dict.fromkeys(key for row in self.rows for key in row))

    def column(self, name: str) -> list[Any]:
        """Values of one column, None where a row lacks it."""
        return [row.get(name) for row in self.rows]

    def best_rows(self, column: str) -> set[int]:
        """Indices of the rows that hold the best value of ``column`` in their group; ties are all marked."""
        rule = self.best.get(column)
        if rule is None:
            return set()
        groups: dict[Any, list[int]] = {}
        for index, row in enumerate(self.rows):
            if _is_number(row.get(column)):
                groups.setdefault(row.get(self.group) if self.group else None, []).append(index)
        choose = min if rule == "min" else max
        marked: set[int] = set()
        for members in groups.values():
            if len(members) > 1:
                best = choose(self.rows[i][column] for i in members)
                marked |= {i for i in members if self.rows[i][column] == best}
        return marked

    def to_text(self) -> str:
        """Caption and an aligned Markdown table; the best values are in bold.

        Examples
        --------
        >>> print(Table("t", "Two methods", [{"method": "TV", "error": 0.057}, {"method": "FBP"}]).to_text())
        Two methods
        <BLANKLINE>
        | method | error |
        | ------ | ----- |
        | TV     | 0.057 |
        | FBP    |       |
        """
        columns = self.columns
        marked = {column: self.best_rows(column) for column in columns}
        cells = [columns]
        for index, row in enumerate(self.rows):
            texts = [format_value(row.get(column)) for column in columns]
            cells.append([f"**{t}**" if index in marked[c] else t for t, c in zip(texts, columns)])
        widths = [max(3, *(len(line[j]) for line in cells)) for j in range(len(columns))]
        lines = ["| " + " | ".join(t.ljust(w) for t, w in zip(line, widths)) + " |" for line in cells]
        lines.insert(1, "| " + " | ".join("-" * w for w in widths) + " |")
        return "\n".join(
            [*([self.caption, ""] if self.caption else []), *lines, *(["", self.notes] if self.notes else [])]
        )


def format_value(value: Any) -> str:
    """Text of one table cell: up to four significant digits, thousands separated, empty for None.

    Examples
    --------
    >>> [format_value(v) for v in (None, True, 12345, 0.0571234, 1234.56, 1.5e-9, float("nan"), "SZ3")]
    ['', 'yes', '12,345', '0.05712', '1,235', '1.5e-09', 'nan', 'SZ3']
    """
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        if math.isfinite(value) and 1e3 <= abs(float(value)) < 1e7:
            return f"{value:,.0f}"
        return f"{value:.4g}"
    return str(value)


@dataclass
class Figure:
    """A figure as data: ``kind`` is a key of `invae.report.figures.DRAW`, ``data`` what it draws."""

    kind: str
    caption: str
    data: dict[str, Any]
    name: str = ""


@dataclass
class Results:
    """Everything one experiment found.

    Parameters
    ----------
    name : str
        Identifier, e.g. ``"tomography"``.
    title : str
        Heading in a report.
    summary : str
        A paragraph or a few (blank lines between): what was done and what came out.
    config : dict
        The configuration that was run, JSON values.
    tables, figures : list
        What is shown, in order.
    seconds : float or None
        Wall time of the whole run.
    environment : dict
        Versions, processor and time, see `environment`.
    """

    name: str
    title: str
    summary: str
    config: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    seconds: float | None = None
    environment: dict[str, Any] = field(default_factory=lambda: environment())

    def table(self, name: str) -> Table:
        """The table called ``name``."""
        for table in self.tables:
            if table.name == name:
                return table
        raise InputError(
            f"results {self.name!r} hold no table {name!r}; they hold {[t.name for t in self.tables]}"
        )

    def to_text(self) -> str:
        """The tables as aligned plain text (Markdown), with captions."""
        return "\n\n".join(table.to_text() for table in self.tables)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary; arrays and non-finite numbers are encoded."""
        body = {
            "name": self.name,
            "title": self.title,
            "summary": self.summary,
            "config": self.config,
            "seconds": self.seconds,
            "environment": self.environment,
            "tables": [vars(table) for table in self.tables],
            "figures": [vars(figure) for figure in self.figures],
        }
        return {"format": FORMAT, "version": VERSION, **_encode(body)}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Results:
        """Inverse of `to_dict`.

        Raises
        ------
        FormatError
            Not invae results, of a newer version, or fields are missing.
        """
        if not isinstance(body, Mapping) or body.get("format") != FORMAT:
            raise FormatError('this JSON does not hold invae results (no "format": "invae-results")')
        if body.get("version", 0) > VERSION:
            raise FormatError(
                f"results of version {body['version']}, this invae reads up to {VERSION}: upgrade invae"
            )
        try:
            fields = {key: _decode(value) for key, value in body.items() if key not in ("format", "version")}
            fields["tables"] = [Table(**table) for table in fields["tables"]]
            fields["figures"] = [Figure(**figure) for figure in fields["figures"]]
            return cls(**fields)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise FormatError(f"these results are incomplete or damaged: {error!r}") from error

    def to_json(self, indent: int | None = None) -> str:
        """One JSON text; strict (no NaN literals)."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Inverse of `to_json`."""
        try:
            return cls.from_dict(json.loads(text))
        except json.JSONDecodeError as error:
            raise FormatError(f"not JSON: {error}") from error


def to_json(results: list[Results], indent: int | None = 1) -> str:
    """JSON text of several results, as `save_results` writes it and `load_results` reads it."""
    return json.dumps([item.to_dict() for item in results], indent=indent, allow_nan=False)


def save_results(results: list[Results], path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write results to one JSON file, whole or not at all."""
    text = to_json(results)
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def load_results(path: str | os.PathLike[str]) -> list[Results]:
    """Read a file of `save_results`, or the JSON of one `Results`."""
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FormatError(f"{path} is not JSON: {error}") from error
    return [Results.from_dict(item) for item in (body if isinstance(body, list) else [body])]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "US":
            return [str(item) for item in value.ravel()] if value.ndim == 1 else value.tolist()
        if value.dtype.hasobject:
            raise InputError("arrays of objects cannot be stored in results; use lists or numeric arrays")
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        packed = base64.b64encode(zlib.compress(little.tobytes(), 6)).decode()
        return {"__array__": packed, "dtype": little.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"__float__": repr(value)}
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise InputError(f"results hold JSON values and arrays, not {type(value).__name__}")


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        raw = zlib.decompress(base64.b64decode(value["__array__"]))
        return np.frombuffer(raw, np.dtype(value["dtype"])).reshape(value["shape"]).copy()
    if "__float__" in value:
        return float(value["__float__"])
    return {key: _decode(item) for key, item in value.items()}
