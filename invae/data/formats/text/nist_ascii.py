"""NIST two-dimensional data as text: a header, ``ASCII data created``, then the counts of all pixels.

The counts stand in one list, x running fastest, of a square detector; the q of the pixels is not stored.

References
----------
NCNR SANS reduction, export of raw data as ``.ASC``.
"""

from __future__ import annotations

import math
import re

import numpy as np

from invae.data.formats.source import Source
from invae.data.formats.text.plain import decode, is_number, number, split_lines
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["is_nist_ascii", "read_nist_ascii"]

_MARK = re.compile(r"(?:\A|(?<=[\r\n]))ASCII data created[^\r\n]*(?:\r\n|\r|\n)")


def is_nist_ascii(source: Source) -> bool:
    """Whether the header ends as NIST's does, and a single number stands below it, not names of columns."""
    text = source.head.decode("latin-1")
    mark = _MARK.search(text)
    if mark is None:
        return False
    rows = [line.split() for line in split_lines(text[mark.end() :]) if line.strip()]
    return bool(rows) and len(rows[0]) == 1 and is_number(rows[0][0])


def read_nist_ascii(source: Source) -> list[Record]:
    """Read the counts as a frame (side, side), rows along y; what stands above them is the ``header``.

    Raises
    ------
    FormatError
        A line that is no number, or counts that fill no square; the message names the line.
    """
    text, encoding = decode(source.raw, source.label)
    mark = _MARK.search(text)
    if mark is None:
        raise FormatError(f"{source.label}: no line 'ASCII data created' above the counts")
    first = len(split_lines(text[: mark.end()])) + 1
    values = []
    for i, line in enumerate(split_lines(text[mark.end() :])):
        cell = line.strip("\x1a \t\r\n")
        if cell and not is_number(cell):
            raise FormatError(f"{source.label} line {first + i}: cannot read {cell[:40]!r} as a number")
        if cell:
            values.append(number(cell))
    side = math.isqrt(len(values))
    if side * side != len(values):
        raise FormatError(f"{source.label}: {len(values)} counts fill no square detector: some are missing")
    metadata = {"format": "NIST 2-D text"} | ({"encoding": encoding} if encoding != "utf-8" else {})
    frame = Frame(
        data=np.array(values, np.float64).reshape(side, side),
        units={"data": None},
        name=source.stem,
        metadata=metadata,
        header=text[: mark.end()],
        source=source.name,
    )
    return [frame]
