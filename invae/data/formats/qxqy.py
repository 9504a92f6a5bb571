"""Reduced two-dimensional data as text: NIST Qx-Qy tables, and DANSE pixel lists.

A Qx-Qy table has a row for each pixel; where the rows run through a grid line by line, the frame gets the
grid's shape (lines, pixels per line) without any value being moved, else it stays one-dimensional.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from invae.data.formats.columns import stated_q_unit
from invae.data.formats.tables import find_table
from invae.data.formats.text import decode
from invae.data.records import Frame
from invae.errors import FormatError

__all__ = ["is_danse", "is_qxqy", "read_danse", "read_qxqy"]

_COLUMNS = re.compile(r"Qx\s+-\s+Qy\s+-\s+I\b[^\r\n]*")
_ROLES = {"err": "sigma", "qx": "qx", "qy": "qy", "i": "data"}
_UNLABELLED = ["qx", "qy", "data", "sigma"]


def is_qxqy(head: bytes) -> bool:
    """Whether the first bytes of a text announce columns Qx, Qy, I."""
    text = head.decode("latin-1")
    return _COLUMNS.search(text) is not None or text.startswith("ASCII data")


def is_danse(head: bytes) -> bool:
    """Whether the first bytes are those of a DANSE pixel list."""
    return head.startswith(b"FORMATVERSION:")


def read_qxqy(path: Path, raw: bytes, q_unit: str | None = None) -> Frame:
    """Read a table of Qx, Qy, intensity and whatever columns its header names.

    Raises
    ------
    FormatError
        No table, or not as many columns as the header names.
    """
    text, encoding = decode(raw, path.name)
    table = find_table(text, path.name)
    width = table.values.shape[1]
    named = _COLUMNS.search(table.header)
    labels = [label.strip() for label in re.split(r"\s+-\s+", named[0])] if named else _UNLABELLED[:width]
    if len(labels) != width or width < 3:
        raise FormatError(
            f"{path.name} line {table.first_line}: {width} columns, but labels ({', '.join(labels)})"
        )
    roles = (
        [_ROLES.get(re.sub(r"[\W_].*", "", label.lower()), label) for label in labels] if named else labels
    )
    shape = _grid(table.values[:, 0], table.values[:, 1])
    arrays = {role: np.ascontiguousarray(table.values[:, i]).reshape(shape) for i, role in enumerate(roles)}
    unit = stated_q_unit(q_unit, path.name)
    layout = table.layout | {"header_characters": len(table.header), "columns": roles}
    if encoding != "utf-8":
        layout["encoding"] = encoding
    return Frame(
        **{key: arrays.pop(key) for key in ("data", "sigma", "qx", "qy") if key in arrays},
        columns=arrays,
        units={"qx": unit, "qy": unit, "data": None},
        name=path.stem,
        metadata={"format": "Qx-Qy", "table": layout},
        header=table.header + table.footer,
        source=f"{path.name} line {table.first_line}",
    )


def read_danse(path: Path, raw: bytes) -> Frame:
    """Read a DANSE file: lines of ``KEY:value``, then one line of intensity and error for each pixel.

    Raises
    ------
    FormatError
        The size is not stated or not that of the data.
    """
    text, _ = decode(raw, path.name)
    table = find_table(text, path.name)
    fields = dict(re.findall(r"^(\w+):[ \t]*([^\r\n]*)", table.header, re.MULTILINE))
    try:
        shape = int(fields["SIZE_Y"]), int(fields["SIZE_X"])
    except (KeyError, ValueError) as error:
        raise FormatError(f"{path.name}: the header states no SIZE_X and SIZE_Y") from error
    if table.values.shape != (shape[0] * shape[1], 2):
        raise FormatError(
            f"{path.name} line {table.first_line}: {table.values.shape[0]} rows of {table.values.shape[1]}, "
            f"expected {shape[0] * shape[1]} of 2 by SIZE_X and SIZE_Y"
        )
    return Frame(
        data=np.ascontiguousarray(table.values[:, 0]).reshape(shape),
        sigma=np.ascontiguousarray(table.values[:, 1]).reshape(shape),
        units={"data": None},
        name=path.stem,
        metadata={"format": "DANSE", "fields": fields, "table": table.layout},
        header=table.header + table.footer,
        source=f"{path.name} line {table.first_line}",
    )


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
