"""The one numeric table in a text file, and the text around it.

The table is the longest run of lines that hold the same number (two or more) of numbers; blank lines may
stand in it. Whatever else the file holds is header or footer text. Where that would tear numbers away from
the table (a row with a cell missing, a word among the numbers, a second table) the file is refused with the
line that is to blame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from invae.data.formats.text import is_number, number, split_cells, split_lines, uses_decimal_comma
from invae.errors import FormatError

__all__ = ["Table", "find_table"]


@dataclass(frozen=True)
class Table:
    """Values (rows, columns), the text before and after, and ``layout``: how the table was written."""

    values: np.ndarray
    header: str
    footer: str
    first_line: int
    layout: dict


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
    decimal_comma = uses_decimal_comma(lines)
    cells = [split_cells(line, decimal_comma) for line in lines]
    widths = [_width(row) for row in cells]
    runs = _runs(widths)
    table = max(runs, key=lambda run: len(run.lines), default=None)
    if table is None:
        single = sum(width == 1 for width in widths)
        found = f"only one column of numbers ({single} lines)" if single > 1 else "no table of numbers"
        raise FormatError(f"{file}: {found} in {len(lines)} lines; expected at least q and intensity")
    first, last = table.lines[0], table.lines[-1]
    _check_neighbours(widths, runs, table, file, cells, counts_above)
    values = np.array(
        [[number(cell) if cell else np.nan for cell in cells[i]] for i in table.lines], np.float64
    )
    layout = {
        "rows": len(table.lines),
        "delimiter": _delimiter(lines[first], decimal_comma),
        "decimal": "," if decimal_comma else ".",
        "newline": _newline(lines[first]) or _newline(lines[-1]) or "\n",
    }
    if not _newline(lines[last]):
        layout["final_newline"] = False
    blank = [row for row, (i, j) in enumerate(zip(table.lines, table.lines[1:]), 1) if j - i > 1]
    if blank:
        layout["blank_lines_after_rows"] = blank
    empty = [
        [row, column] for row, i in enumerate(table.lines) for column, cell in enumerate(cells[i]) if not cell
    ]
    if empty:
        layout["empty_cells"] = empty
    return Table(values, "".join(lines[:first]), "".join(lines[last + 1 :]), first + 1, layout)


def _width(row: list[str]) -> int:
    """Number of cells of a numeric line, 0 for a blank one, -1 for text."""
    if not row:
        return 0
    numeric = all(is_number(cell) or not cell for cell in row) and is_number(row[0])
    return len(row) if numeric else -1


def _runs(widths: list[int]) -> list[_Run]:
    """Runs of two or more columns; blank lines do not end a run, text and other widths do."""
    runs: list[_Run] = []
    open_run = False
    for i, width in enumerate(widths):
        if width == 0:
            continue
        if open_run and runs[-1].width == width:
            runs[-1].lines.append(i)
        elif width > 1:
            runs.append(_Run(width, [i]))
        open_run = width > 1
    return runs


def _check_neighbours(
    widths: list[int], runs: list[_Run], table: _Run, file: str, cells: list[list[str]], counts_above: bool
) -> None:
    first, last = table.lines[0], table.lines[-1]
    after = next((i for i in range(last + 1, len(widths)) if widths[i]), None)
    before = next((i for i in range(first - 1, -1, -1) if widths[i]), None)
    if after is not None and widths[after] > 0:
        raise FormatError(
            f"{file} line {after + 1}: {_columns(widths[after])} where the table above has {table.width}"
        )
    if before is not None and widths[before] > 1 and not counts_above:
        raise FormatError(
            f"{file} line {before + 1}: {_columns(widths[before])} where the table below has {table.width}"
        )
    for i in (before, after):
        if i is not None and _like_a_row(cells[i], table.width):
            word = next(cell for cell in cells[i] if not is_number(cell))
            raise FormatError(f"{file} line {i + 1}: cannot read {word[:40]!r} as a number in the table")
    for run in runs:
        if run is table:
            continue
        same = run.width == table.width and len(run.lines) > 1
        if same or len(run.lines) >= max(5, len(table.lines) // 10):
            raise FormatError(
                f"{file}: several tables (lines {first + 1}-{last + 1} and "
                f"{run.lines[0] + 1}-{run.lines[-1] + 1}), not one curve; save each as a file of its own"
            )


def _like_a_row(row: list[str], width: int) -> bool:
    """A line of text that would be a row of the table but for a word in it."""
    words = [cell for cell in row if not is_number(cell)]
    # ISIS files give the Fortran format of the rows, "3 (F12.5,2E16.6)", above them.
    return len(row) == width and is_number(row[0]) and bool(words) and not words[0].startswith("(")


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
