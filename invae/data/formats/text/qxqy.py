"""Reduced two-dimensional data as text: NIST Qx-Qy tables, and DANSE pixel lists.

A Qx-Qy table has a row for each pixel; where the rows run through a grid line by line, the frame gets the
grid's shape (lines, pixels per line) without any value being moved, else it stays one-dimensional.
"""

from __future__ import annotations

import re

import numpy as np

from invae.data.formats.source import Source
from invae.data.formats.text.columns import stated_q_unit
from invae.data.formats.text.plain import decode
from invae.data.formats.text.tables import find_table
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["is_danse", "is_qxqy", "read_danse", "read_qxqy"]

_COLUMNS = re.compile(r"Qx\s+-\s+Qy\s+-\s+I\b[^\r\n]*")
_ROLES = {"err": "sigma", "qx": "qx", "qy": "qy", "i": "data"}
_UNLABELLED = ["qx", "qy", "data", "sigma"]


def is_qxqy(source: Source) -> bool:
    """Whether the first bytes of a text announce columns Qx, Qy, I."""
    text = source.head.decode("latin-1")
    return _COLUMNS.search(text) is not None or text.startswith("ASCII data")


def is_danse(source: Source) -> bool:
    """Whether the first bytes are those of a DANSE pixel list."""
    return source.head.startswith(b"FORMATVERSION:")


def read_qxqy(source: Source) -> list[Record]:
    """Read a table of Qx, Qy, intensity and whatever columns its header names.

    Raises
    ------
    FormatError
        No table, or not as many columns as the header names.
    """
    text, encoding = decode(source.raw, source.label)
    table = find_table(text, source.label)
    width = table.values.shape[1]
    named = _COLUMNS.search(table.header)
    labels = [label.strip() for label in re.split(r"\s+-\s+", named[0])] if named else _UNLABELLED[:width]
    if len(labels) != width or width < 3:
        raise FormatError(
            f"{source.label} line {table.first_line}: {width} columns, but labels ({', '.join(labels)})"
        )
    roles = (
        [_ROLES.get(re.sub(r"[\W_].*", "", label.lower()), label) for label in labels] if named else labels
    )
    shape = _grid(table.values[:, 0], table.values[:, 1])
    arrays = {role: np.ascontiguousarray(table.values[:, i]).reshape(shape) for i, role in enumerate(roles)}
    unit = stated_q_unit(source.q_unit, source.label)
    layout = table.layout | {"header_characters": len(table.header), "columns": roles}
    if encoding != "utf-8":
        layout["encoding"] = encoding
    frame = Frame(
        **{key: arrays.pop(key) for key in ("data", "sigma", "qx", "qy") if key in arrays},
        columns=arrays,
        units={"qx": unit, "qy": unit, "data": None},
        name=source.stem,
        metadata={"format": "Qx-Qy", "table": layout},
        header=table.header + table.footer,
        source=f"{source.name} line {table.first_line}",
    )
    return [frame]


def read_danse(source: Source) -> list[Record]:
    """Read a DANSE file: lines of ``KEY:value``, then one line of intensity and error for each pixel.

    Raises
    ------
    FormatError
        The size is not stated or not that of the data.
    """
    text, _ = decode(source.raw, source.label)
    table = find_table(text, source.label)
    fields = dict(re.findall(r"^(\w+):[ \t]*([^\r\n]*)", table.header, re.MULTILINE))
    try:
        shape = int(fields["SIZE_Y"]), int(fields["SIZE_X"])
    except (KeyError, ValueError) as error:
        raise FormatError(f"{source.label}: the header states no SIZE_X and SIZE_Y") from error
    if table.values.shape != (shape[0] * shape[1], 2):
        raise FormatError(
            f"{source.label} line {table.first_line}: {table.values.shape[0]} rows of "
            f"{table.values.shape[1]}, "
            f"expected {shape[0] * shape[1]} of 2 by SIZE_X and SIZE_Y"
        )
    frame = Frame(
        data=np.ascontiguousarray(table.values[:, 0]).reshape(shape),
        sigma=np.ascontiguousarray(table.values[:, 1]).reshape(shape),
        units={"data": None},
        name=source.stem,
        metadata={"format": "DANSE", "fields": fields, "table": table.layout},
        header=table.header + table.footer,
        source=f"{source.name} line {table.first_line}",
    )
    return [frame]


def _grid(qx: np.ndarray, qy: np.ndarray) -> tuple[int, ...]:
    """Shape (lines, pixels per line) when one coordinate runs through equally long lines, else (rows,)."""
    for fast in (qx, qy):
        steps = np.diff(fast)
        if len(steps) == 0 or not steps.any():
            continue
        forward = np.sign(np.median(np.sign(steps)))
        turns = np.flatnonzero(np.sign(steps) == -forward) + 1
        if forward == 0 or len(turns) == 0:
            continue
        length = int(turns[0])
        if len(fast) % length == 0 and np.array_equal(turns, np.arange(length, len(fast), length)):
            return len(fast) // length, length
    return (len(qx),)
