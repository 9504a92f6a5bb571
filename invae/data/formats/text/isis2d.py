"""ISIS reduced two-dimensional data as text: axes, then intensities, then errors, eight numbers a line.

Layout: a heading; one line each for the x axis, the y axis and the values (a code, a name, a unit in
brackets); the number of data sets; a title; the number of points on the x axis and the points; the same for
y; ``nx ny scale``; a flag (3 when errors follow) with the Fortran format; nx * ny intensities, x running
fastest; as many errors.
"""

from __future__ import annotations

import re

import numpy as np

from invae.data.formats.source import Source
from invae.data.formats.text.plain import decode, is_number, number, split_lines
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["is_isis2d", "read_isis2d"]

_AXIS = r"[ \t]*\d+ q\b[^\r\n]*[\r\n]+"
_HEAD = re.compile(r"\A[^\r\n]*[\r\n]+" + _AXIS + _AXIS)
_UNIT = re.compile(r"\(([^()]*)\)\s*$")


def is_isis2d(source: Source) -> bool:
    """Whether the first bytes announce two axes in q on their second and third line."""
    return _HEAD.match(source.head.decode("latin-1")) is not None


def read_isis2d(source: Source) -> list[Record]:
    """Read the map (ny, nx) with its errors; the axes as they stand are ``qx_axis`` and ``qy_axis``.

    Raises
    ------
    FormatError
        A number is missing or no number; the message names the line.
    """
    text, encoding = decode(source.raw, source.label)
    lines = split_lines(text)
    numbers = _Numbers(lines, 6, source.label)
    x_axis = numbers.block(numbers.count(*numbers.line(1)))
    y_axis = numbers.block(numbers.count(*numbers.line(1)))
    width, height, scale = numbers.line(3)
    flag_line = numbers.at
    flag = lines[flag_line].strip()[:1] if flag_line < len(lines) else ""
    if flag not in ("2", "3"):
        raise FormatError(
            f"{source.label} line {flag_line + 1}: flag {flag!r}, expected 2 (no errors) or 3 (with errors)"
        )
    numbers.at += 1
    shape = numbers.count(height), numbers.count(width)
    data = numbers.block(shape[0] * shape[1]).reshape(shape)
    sigma = numbers.block(shape[0] * shape[1]).reshape(shape) if flag == "3" else None
    units = [found[1] if (found := _UNIT.search(line.strip())) else None for line in lines[1:4]]
    metadata = {"format": "ISIS 2-D", "scale": scale, "fortran_format": lines[flag_line].strip()}
    if encoding != "utf-8":
        metadata["encoding"] = encoding
    frame = Frame(
        data=data,
        sigma=sigma,
        columns={"qx_axis": x_axis, "qy_axis": y_axis},
        units={"qx_axis": units[0], "qy_axis": units[1], "data": units[2], "sigma": units[2]},
        name=source.stem,
        metadata=metadata,
        header="".join(lines[:6]) + "".join(lines[numbers.at :]),
        source=source.name,
    )
    return [frame]


class _Numbers:
    """The numbers of a text from line ``at`` on, taken in blocks that begin and end with a line."""

    def __init__(self, lines: list[str], at: int, file: str) -> None:
        self.lines = lines
        self.at = at
        self.file = file

    def line(self, count: int) -> list[float]:
        """The numbers of the next line, exactly ``count`` of them."""
        return self.block(count, one_line=True).tolist()

    def count(self, value: float) -> int:
        """A number that was read, as the count that it must be."""
        if not (1 <= value < 2**31 and value == int(value)):
            raise FormatError(f"{self.file} line {self.at}: {value} is no number of points")
        return int(value)

    def block(self, count: int, one_line: bool = False) -> np.ndarray:
        """The next ``count`` numbers."""
        values: list[float] = []
        while len(values) < count:
            if self.at >= len(self.lines):
                raise FormatError(f"{self.file}: ends after {len(values)} of {count} numbers of a block")
            cells = self.lines[self.at].split()
            wrong = next((cell for cell in cells if not is_number(cell)), None)
            if wrong is not None:
                raise FormatError(f"{self.file} line {self.at + 1}: cannot read {wrong[:40]!r} as a number")
            values += [number(cell) for cell in cells]
            self.at += 1
            if one_line:
                break
        if len(values) != count:
            raise FormatError(f"{self.file} line {self.at}: {len(values)} numbers where {count} are due")
        return np.array(values, np.float64)
