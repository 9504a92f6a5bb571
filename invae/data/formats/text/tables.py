"""The one numeric table in a text file, and the text around it.

The table is the longest run of lines that hold the same number (two or more) of numbers; blank lines may
stand in it, and a comment behind the numbers of a line. Whatever else the file holds is header or footer
text. A line of numbers is in the table or named in an error: where text would tear rows away from the table
(a row with a cell missing, a word among the numbers, a comment between rows, a second table, a last line
that was cut off) the file is refused with the line that is to blame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from invae.data.formats.text.plain import (
    DOS_END,
    is_number,
    number,
    split_cells,
    split_lines,
    unquoted,
    uses_decimal_comma,
)
from invae.errors import FormatError

__all__ = ["Table", "find_table"]

# Not the mark in -1.#IND.
_COMMENT = re.compile(r"\s*(?<!\.)(?:[#!]|//).*", re.DOTALL)
_COMMENT_LINE = re.compile(r"\s*(?:[#!%;]|//)")
# What programs write in place of a number that they cannot give.
_MISSING = {
    "nan",
    "inf",
    "na",
    "n/a",
    "#n/a",
    "null",
    "none",
    "missing",
    "bad",
    "overflow",
    "undefined",
    "error",
}
_MISSING |= {"#value!", "#div/0!", "#ref!", "#num!", "#name?"}
# The format of the rows, "3 (F12.5,2E16.6)", with which a header of ISIS ends.
_FORTRAN = re.compile(r"\(\s*\d*[FEIG]\d")
_COUNT = re.compile(r"\d+")
_CUT_OFF = re.compile(r"[-+.,;\s\deEdD]+")


@dataclass(frozen=True)
class Table:
    """Values (rows, columns), the text before and after, and ``layout``: how the table was written."""

    values: np.ndarray
    header: str
    footer: str
    first_line: int
    layout: dict[str, Any]


@dataclass(frozen=True)
class _Line:
    """Cells of a line, the comment behind them, and the number of cells where all of them are numbers."""

    cells: list[str]
    comment: str
    width: int  # 0 for a blank line, -1 for text
    is_comment: bool


@dataclass
class _Run:
    width: int
    lines: list[int]


def find_table(text: str, file: str, counts_above: bool = False) -> Table:
    """Find the table of ``text`` from ``file``; ``counts_above`` allows rows of other widths above it.

    Raises
    ------
    FormatError
        No table, several tables, or a line that breaks the table.
    """
    lines = split_lines(text)
    if not text.strip():
        raise FormatError(f"{file}: the file is empty")
    plain = unquoted(lines, file)
    decimal_comma = uses_decimal_comma(plain, file)
    parsed = [_parsed(line, decimal_comma) for line in plain]
    runs = _runs(parsed)
    table = max(runs, key=lambda run: len(run.lines), default=None)
    if table is None:
        single = sum(line.width == 1 for line in parsed)
        found = f"only one column of numbers ({single} lines)" if single > 1 else "no table of numbers"
        raise FormatError(f"{file}: {found} in {len(lines)} lines; expected at least q and intensity")
    _check_neighbours(parsed, table, file, counts_above)
    _check_other_runs(parsed, runs, table, file)
    _check_commas(plain, parsed, table, file)
    rows = [parsed[i].cells for i in table.lines]
    values = np.array([[number(cell) if cell else np.nan for cell in row] for row in rows], np.float64)
    first, last = table.lines[0], table.lines[-1]
    # A byte-order mark before the first number belongs to the text around the table.
    mark = "\ufeff" if first == 0 and text.startswith("\ufeff") else ""
    layout = _layout(plain, parsed, table, decimal_comma)
    return Table(values, mark + "".join(lines[:first]), "".join(lines[last + 1 :]), first + 1, layout)


def _parsed(line: str, decimal_comma: bool) -> _Line:
    is_comment = _COMMENT_LINE.match(line.lstrip("\ufeff")) is not None
    cells, comment = split_cells(line, decimal_comma), ""
    behind = _COMMENT.search(line)
    if behind is not None and line[: behind.start()].strip("\ufeff"):
        before = split_cells(line[: behind.start()], decimal_comma)
        if len(before) > 1 and all(is_number(cell) or not cell for cell in before):
            cells, comment = before, behind[0].rstrip("\r\n")
    if not cells:
        return _Line(cells, comment, 0, is_comment)
    numeric = all(is_number(cell) or not cell for cell in cells) and is_number(cells[0])
    return _Line(cells, comment, len(cells) if numeric else -1, is_comment)


def _runs(parsed: list[_Line]) -> list[_Run]:
    """Runs of two or more columns; blank lines do not end a run, text and other widths do."""
    runs: list[_Run] = []
    open_run = False
    for i, line in enumerate(parsed):
        if line.width == 0:
            continue
        if open_run and runs[-1].width == line.width:
            runs[-1].lines.append(i)
        elif line.width > 1:
            runs.append(_Run(line.width, [i]))
        open_run = line.width > 1
    return runs


def _check_neighbours(parsed: list[_Line], table: _Run, file: str, counts_above: bool) -> None:
    """The lines next to the table, blank ones and comments aside, are no rows of it."""
    neighbours = [_neighbour(parsed, table.lines[-1], 1), _neighbour(parsed, table.lines[0], -1)]
    found = [neighbour for neighbour in neighbours if neighbour is not None]
    for at, cut in found:
        line, above = parsed[at], at < table.lines[0]
        # A count of points may stand above the table.
        if line.width < 1 or (above and (counts_above or _COUNT.fullmatch(" ".join(line.cells)))):
            continue
        place = f"{file} line {at + 1}"
        if cut is not None and line.width == table.width:
            raise FormatError(
                f"{place}: this row is cut off from the table by line {cut + 1}; move that line"
            )
        side = "below" if above else "above"
        raise FormatError(f"{place}: {_columns(line.width)} where the table {side} has {table.width}")
    for at, _ in found:
        wrong = None
        if parsed[at].width < 0:
            wrong = _like_a_row(parsed[at].cells, table.width, below=at > table.lines[0])
        if wrong is not None:
            raise FormatError(f"{file} line {at + 1}: cannot read {wrong[:40]!r} as a number in the table")


def _neighbour(parsed: list[_Line], end: int, step: int) -> tuple[int, int | None] | None:
    """The line next to the end of the table that is neither blank nor a comment, and a comment before it."""
    comment, at = None, end + step
    while 0 <= at < len(parsed):
        if parsed[at].width > 0 or (parsed[at].width < 0 and not parsed[at].is_comment):
            return at, comment
        comment = at if parsed[at].width else comment
        at += step
    return None


def _like_a_row(row: list[str], width: int, below: bool) -> str | None:
    """The cell for which a line of text is no row of the table; None where it is no such line at all."""
    words = [cell for cell in row if cell and not is_number(cell)] or [""]
    numbers = sum(is_number(cell) for cell in row)
    if (
        below
        and len(row) <= width
        and _CUT_OFF.fullmatch(" ".join(row))
        and any(map(str.isdigit, "".join(row)))
    ):
        return words[0]
    if len(row) != width or not numbers or _FORTRAN.search(" ".join(row)):
        return None
    return words[0] if is_number(row[0]) or all(_unreadable(word) for word in words) else None


def _unreadable(word: str) -> bool:
    """Whether a word stands in place of a number: a mark of a missing one, or a spoilt number."""
    if word.lower().strip("()[]<>?*!~") in _MISSING or not any(map(str.isalpha, word)):
        return True
    return any(map(str.isdigit, word)) and re.search(r"[^\W\d_]{2}", word) is None


def _check_other_runs(parsed: list[_Line], runs: list[_Run], table: _Run, file: str) -> None:
    """Other lines of several numbers are part of a header, no rows of this or of another table."""
    first, last = table.lines[0], table.lines[-1]
    q = [number(parsed[i].cells[0]) for i in table.lines[:2]]
    step = q[1] - q[0] if len(q) > 1 else 0.0
    for run in runs:
        if run is table:
            continue
        same, below = run.width == table.width, run.lines[0] > last
        if same and len(run.lines) == 1:
            lone = number(parsed[run.lines[0]].cells[0])
            # Above the table a header may hold as many numbers; a row of the table goes on with its steps.
            formatted = any(_FORTRAN.search(" ".join(line.cells)) for line in parsed[run.lines[0] : first])
            if below or (not formatted and 0 < (q[0] - lone) * np.sign(step) <= 3 * abs(step)):
                raise FormatError(
                    f"{file} line {run.lines[0] + 1}: a row of numbers that text cuts off from the table "
                    f"in lines {first + 1}-{last + 1}"
                )
        several = len(run.lines) > 1 and (same or below)
        if several or len(run.lines) >= max(5, len(table.lines) // 10):
            raise FormatError(
                f"{file}: several tables (lines {first + 1}-{last + 1} and "
                f"{run.lines[0] + 1}-{run.lines[-1] + 1}), not one curve; save each as a file of its own"
            )


def _check_commas(plain: list[str], parsed: list[_Line], table: _Run, file: str) -> None:
    """Commas part the cells; integers with leading zeros, "0,01,99,5", are the decimals of cut numbers."""
    for i in table.lines:
        whole = all(re.fullmatch(r"[+-]?\d+", cell) for cell in parsed[i].cells)
        if not whole or "," not in plain[i]:
            return
        if any(re.fullmatch(r"0\d+", cell) for cell in parsed[i].cells[1:]):
            raise FormatError(
                f"{file} line {i + 1}: commas stand inside the numbers and between them; part the columns by "
                "semicolons or tabs"
            )


def _layout(plain: list[str], parsed: list[_Line], table: _Run, decimal_comma: bool) -> dict[str, Any]:
    first, last = table.lines[0], table.lines[-1]
    layout: dict[str, Any] = {
        "rows": len(table.lines),
        "delimiter": _delimiter(_COMMENT.sub("", plain[first]), decimal_comma),
        "decimal": "," if decimal_comma else ".",
        "newline": _newline(plain[first]) or _newline(plain[-1]) or "\n",
    }
    if not _newline(plain[last]):
        layout["final_newline"] = False
    if plain[last].rstrip("\r\n").endswith(DOS_END):
        body = plain[last].rstrip("\r\n")
        layout["end_mark"] = body[len(body.rstrip(DOS_END)) :]
    blank = [row for row, (i, j) in enumerate(zip(table.lines, table.lines[1:]), 1) if j - i > 1]
    if blank:
        layout["blank_lines_after_rows"] = blank
    empty = [
        [row, column]
        for row, i in enumerate(table.lines)
        for column, cell in enumerate(parsed[i].cells)
        if not cell
    ]
    if empty:
        layout["empty_cells"] = empty
    comments = [[row, parsed[i].comment] for row, i in enumerate(table.lines) if parsed[i].comment]
    if comments:
        layout["comments"] = comments
    return layout


def _columns(width: int) -> str:
    return f"{width} column" + ("s" if width > 1 else "")


def _delimiter(line: str, decimal_comma: bool) -> str:
    body = line.strip()
    if ";" in body:
        return ";"
    if "\t" in body:
        return "\t"
    return "," if "," in body and not decimal_comma else " "


def _newline(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
