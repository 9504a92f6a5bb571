"""Curves in plain text: two to ten columns, with or without labels, header and footer.

Column order: as the labels say, else q, intensity, sigma, dq. An unlabelled third column with negative
numbers is no sigma, an unlabelled fourth one that is negative or larger than the largest q is no dq: such
columns are kept in ``columns`` as ``column_3``, ``column_4``. A negative NIST sigmaQ is minus the height of a
slit: kept as ``sigmaQ``.

The verbatim text around the table is the record's ``header``; ``metadata["table"]`` says how the table was
written and after how many characters of the header it stood.
"""

from __future__ import annotations

import re
import warnings

import numpy as np

from invae.data.formats.note import from_note
from invae.data.formats.source import Source
from invae.data.formats.text.labels import Labels, find_labels
from invae.data.formats.text.plain import decode, split_lines
from invae.data.formats.text.tables import Table, find_table
from invae.data.records import Curve, Record
from invae.errors import FormatError, InvaeWarning

__all__ = ["NOTE_PREFIX", "has_note", "read_columns", "stated_q_unit"]

NOTE_PREFIX = "# invae-note: "
_OTHER_RESULTS = (
    (re.compile(r"\AFORMATVERSION:"), "pixel list of a two-dimensional detector"),
    (re.compile(r"G N O M"), "output of GNOM, an indirect transform with several tables"),
    (re.compile(r"\A#?\s*BIFT"), "output of BIFT, a P(r) function with its fit"),
)


def has_note(source: Source) -> bool:
    """Whether the first bytes hold a note that the writer left."""
    return NOTE_PREFIX.encode() in source.head


def read_columns(source: Source) -> list[Record]:
    """Read the one curve of a text file.

    Raises
    ------
    FormatError
        No table, several tables, a broken table, or a table of something else than I(q).
    """
    file = source.label
    text, encoding = decode(source.raw, file)
    noted = re.search(rf"^{re.escape(NOTE_PREFIX)}(.*)$", text, re.MULTILINE)
    for pattern, what in _OTHER_RESULTS:
        if noted is None and pattern.search(text[:2000]):
            raise FormatError(f"{file}: this is the {what}, not a curve I(q)")
    pdh = re.match(r"[^\r\n]*(?:\r\n|\r|\n)SAXS BOX", text) is not None
    table = find_table(text, file, counts_above=pdh)
    if noted:
        arrays = {str(i): table.values[:, i] for i in range(table.values.shape[1])}
        place = f"{file} line {text[: noted.start()].count(chr(10)) + 1}"
        return [from_note(noted[1].rstrip("\r"), arrays, place)]
    labels = find_labels(split_lines(table.header), table.values.shape[1])
    roles = _roles(table, labels, file)
    if len(table.values) < 2 and not labels.texts:
        raise FormatError(f"{file} line {table.first_line}: one row of numbers without labels is not a curve")
    label_units = labels.units or {}
    units: dict[str, str | None] = {role: label_units.get(i) for i, role in enumerate(roles)}
    if units["q"] is None:
        units["q"] = stated_q_unit(source.q_unit, file)
    elif source.q_unit is not None and source.q_unit != units["q"]:
        message = f"{file} states q in {units['q']}; q_unit={source.q_unit!r} is ignored"
        warnings.warn(InvaeWarning(message), stacklevel=3)
    arrays = {role: np.ascontiguousarray(table.values[:, i]) for i, role in enumerate(roles)}
    layout = table.layout | {"header_characters": len(table.header), "columns": roles}
    if encoding != "utf-8":
        layout["encoding"] = encoding
    curve = Curve(
        q=arrays.pop("q"),
        intensity=arrays.pop("intensity"),
        sigma=arrays.pop("sigma", None),
        dq=arrays.pop("dq", None),
        columns=arrays,
        units=units,
        name=source.stem,
        metadata={"format": "PDH" if pdh else "columns", "table": layout},
        header=table.header + table.footer,
        source=f"{source.name} line {table.first_line}",
    )
    return [curve]


def stated_q_unit(q_unit: str | None, file: str) -> str | None:
    """``q_unit``, with a warning where it is None because neither the file nor the caller states one."""
    if q_unit is None:
        message = (
            f"{file} does not state the unit of q (1/angstrom or 1/nm?): pass q_unit (--q-unit) to set it"
        )
        warnings.warn(InvaeWarning(message), stacklevel=4)
    return q_unit


def _roles(table: Table, labels: Labels, file: str) -> list[str]:
    """Name of each column; ``q`` and ``intensity`` are among them."""
    if labels.not_q is not None:
        raise FormatError(
            f"{file}: columns {', '.join(text for text in labels.texts if text)} are a table of "
            f"{labels.not_q} data, "
            "not a curve I(q)"
        )
    known = list(labels.roles)
    if "q" in known and "intensity" not in known and known[0] == "q" and known[1] is None:
        # A quantity over q whose name is not known, S(q) or an absorbance.
        known[1] = "intensity"
    if "q" in known and "intensity" in known:
        return _labelled_roles(table, known, labels.texts)
    if "q" in known and known[0] != "q":
        raise FormatError(
            f"{file}: labels {', '.join(labels.texts)} say which column is q, but not which is the "
            "intensity; "
            "call it I"
        )
    return _unlabelled_roles(table, file)


def _labelled_roles(table: Table, known: list[str | None], texts: tuple[str, ...]) -> list[str]:
    roles: list[str] = []
    for i, (role, text) in enumerate(zip(known, texts)):
        name = role or text.strip("<> ") or f"column_{i + 1}"
        if name == "sigma" and (table.values[:, i] < 0).any():
            name = f"column_{i + 1}"
        if name == "dq" and (table.values[:, i] < 0).any():
            name = "sigmaQ"
        taken = name in roles or (role is None and name in ("q", "intensity", "sigma", "dq", "mask"))
        roles.append(f"column_{i + 1}" if taken else name)
    return roles


def _unlabelled_roles(table: Table, file: str) -> list[str]:
    width = table.values.shape[1]
    if width > 6:
        raise FormatError(f"{file}: {width} columns without labels that say which are q and intensity")
    q, intensity = table.values[:, 0], table.values[:, 1]
    if min((q < 0).mean(), (intensity < 0).mean()) > 0.2:
        raise FormatError(
            f"{file} line {table.first_line}: negative numbers in two columns that no label names; "
            "this looks like a table in qx and qy"
        )
    roles = ["q", "intensity", *(f"column_{i + 1}" for i in range(2, width))]
    if width > 2 and not (table.values[:, 2] < 0).any():
        roles[2] = "sigma"
    if width > 3 and roles[2] == "sigma":
        fourth = table.values[:, 3]
        largest_q = np.abs(q[np.isfinite(q)]).max(initial=0.0)
        # Also false where the fourth column holds a NaN.
        if len(q) > 1 and bool(((fourth >= 0) & (fourth <= largest_q)).all()):
            roles[3] = "dq"
    return roles
