"""Text tables out: as they came where they came from text, else a labelled table with a note.

Numbers are written with the fewest digits that give the same double back.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from invae.data.formats.note import survives_text, to_note
from invae.data.formats.text.columns import NOTE_PREFIX
from invae.data.records import Curve, Record
from invae.errors import InputError

__all__ = ["columns_bytes"]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LABELS = {"q": "q", "intensity": "I", "sigma": "error", "dq": "dQ"}


def columns_bytes(record: Record, path: Path, native: bool = True) -> bytes:
    """Bytes of a text file that holds one record; ``native`` writes a table that came from text as it was.

    Raises
    ------
    InputError
        The record is no curve and no Qx-Qy table.
    """
    layout = record.metadata.get("table")
    if native and layout is not None and "columns" in layout:
        return _as_it_was(record, layout).encode(layout.get("encoding", "utf-8"))
    if not isinstance(record, Curve):
        raise InputError(
            f"{path.name}: text tables hold curves, not images of shape {record.shape}; write .h5"
        )
    return _labelled(record).encode("utf-8")


def _as_it_was(record: Record, layout: dict) -> str:
    arrays, _ = record.to_parts()
    table = [
        (arrays[key] if key in arrays else arrays[f"columns/{key}"]).ravel() for key in layout["columns"]
    ]
    delimiter = {" ": "  ", ";": ";", ",": ",", "\t": "\t"}[layout["delimiter"]]
    empty = {tuple(place) for place in layout.get("empty_cells", ())}
    gaps = set(layout.get("blank_lines_after_rows", ()))
    comments = {row: text for row, text in layout.get("comments", ())}
    lines = []
    for i in range(layout["rows"]):
        cells = ["" if (i, j) in empty else repr(float(column[i])) for j, column in enumerate(table)]
        line = delimiter.join(cells)
        line = line.replace(".", ",") if layout["decimal"] == "," else line
        lines.append(line + comments.get(i, ""))
        if i + 1 in gaps:
            lines.append("")
    newline = layout["newline"]
    cut = layout["header_characters"]
    end = layout.get("end_mark", "") + (newline if layout.get("final_newline", True) else "")
    return record.header[:cut] + newline.join(lines) + end + record.header[cut:]


def _labelled(curve: Curve) -> str:
    arrays, _ = curve.to_parts()
    table = {key: array for key, array in arrays.items() if array.shape == curve.shape}
    order: list[str] = [key for key in ("q", "intensity", "sigma", "dq") if key in table]
    order += [key for key in table if key not in order]
    outside = {key: str(i) for i, key in enumerate(order) if survives_text(table[key])}
    labels = []
    for key in order:
        name = key.removeprefix("columns/")
        unit = curve.units.get(name)
        labels.append(
            _LABELS.get(name, _plain(name).replace(" ", "_")) + (f"({_plain(unit)})" if unit else "")
        )
    head = [f"# {_plain(curve.name)[:200]}", NOTE_PREFIX + to_note(curve, outside), "# " + "\t".join(labels)]
    columns = [np.asarray(table[key], np.float64) for key in order]
    rows = ["\t".join(repr(float(column[i])) for column in columns) for i in range(len(curve.q))]
    return "\n".join([*head, *rows]) + "\n"


def _plain(text: str) -> str:
    """Text on one line, without control characters."""
    return " ".join(_CONTROL.sub(" ", text).split())
