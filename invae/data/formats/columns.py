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
from pathlib import Path

import numpy as np

from invae.data.formats.note import from_note
from invae.data.formats.tables import Table, find_table
from invae.data.formats.text import decode, is_number, split_lines
from invae.data.records import Curve, Record
from invae.errors import FormatError, InvaeWarning

__all__ = ["NOTE_PREFIX", "read_columns", "stated_q_unit"]

_ROLES = {
    "q": {"q", "x", "s", "h", "modq", "sexp", "qvalue", "qvalues", "scatteringvector"},
    "intensity": {"i", "y", "intensity", "counts", "iexp", "expintensity", "crosssection"},
    "sigma": {
        "di",
        "dy",
        "err",
        "error",
        "errors",
        "erri",
        "ierr",
        "idev",
        "sigma",
        "sigmai",
        "std",
        "stddev",
    },
    "dq": {"dq", "dx", "sigmaq", "dsigq", "qdev", "sigq", "errq"},
    "fit": {"fit", "ifit", "modelintensity", "ycalc"},
    "qmean": {"meanq", "qmean"},
    "shadowfactor": {"shadowfactor", "shadow"},
}
_ROLES["sigma"] |= {"stddevi", "uncertainty"}
NOTE_PREFIX = "# invae-note: "
# A first column of this name makes the file something else than I(q).
_NOT_Q = {
    "r": "P(r)",
    "z": "spin echo",
    "spinecholength": "spin echo",
    "qx": "2-D",
    "dataqx": "2-D",
    "theta": "angle",
}
_NOT_Q |= {
    "lagtime": "correlation",
    "time": "time",
    "t": "time",
    "2theta": "angle",
    "tth": "angle",
    "xyz": "3-D",
}
# NIST .ABS files have these six columns, with or without a line that says so.
_NIST = ["Q", "I(Q)", "std. dev.", "sigmaQ", "meanQ", "ShadowFactor"]
_UNIT = re.compile(
    r"(?:1\s*/\s*(?:a|å|Å|ang|angstroms?|nm|mm|cm|m)|(?:a|å|Å|angstroms?|nm|mm|cm|m)\s*\^?\{?(?:-1|⁻¹)\}?|a\.u\.|counts)",
    re.IGNORECASE,
)
_NO_UNIT = {"", "-", "none", "arb.", "arb.units", "arbitrary", "au"}
_OTHER_RESULTS = (
    (re.compile(r"\AFORMATVERSION:"), "pixel list of a two-dimensional detector"),
    (re.compile(r"G N O M"), "output of GNOM, an indirect transform with several tables"),
    (re.compile(r"\A#?\s*BIFT"), "output of BIFT, a P(r) function with its fit"),
)


def read_columns(path: Path, raw: bytes, q_unit: str | None = None) -> Record:
    """Read the one curve of a text file.

    Parameters
    ----------
    path : Path
        Names the file in messages and gives the record its name.
    raw : bytes
        Content of the file.
    q_unit : str, optional
        Unit of q where the file does not state it; without it such a file brings a warning.

    Raises
    ------
    FormatError
        No table, several tables, a broken table, or a table of something else than I(q).
    """
    file = path.name
    text, encoding = decode(raw, file)
    noted = re.search(rf"^{re.escape(NOTE_PREFIX)}(.*)$", text, re.MULTILINE)
    for pattern, what in _OTHER_RESULTS:
        if noted is None and pattern.search(text[:2000]):
            raise FormatError(f"{file}: this is the {what}, not a curve I(q)")
    pdh = re.match(r"[^\r\n]*(?:\r\n|\r|\n)SAXS BOX", text) is not None
    table = find_table(text, file, counts_above=pdh)
    if noted:
        arrays = {str(i): table.values[:, i] for i in range(table.values.shape[1])}
        place = f"{file} line {text[: noted.start()].count(chr(10)) + 1}"
        return from_note(noted[1].rstrip("\r"), arrays, place)
    labels, label_units = _labels(table)
    roles = _roles(table, labels, file)
    _check_rows(table, labels, file)
    units: dict[str, str | None] = {role: label_units.get(i) for i, role in enumerate(roles)}
    if units["q"] is None:
        units["q"] = stated_q_unit(q_unit, file)
    elif q_unit is not None and q_unit != units["q"]:
        warnings.warn(
            InvaeWarning(f"{file} states q in {units['q']}; q_unit={q_unit!r} is ignored"), stacklevel=3
        )
    arrays = {role: np.ascontiguousarray(table.values[:, i]) for i, role in enumerate(roles)}
    layout = table.layout | {"header_characters": len(table.header), "columns": roles}
    if encoding != "utf-8":
        layout["encoding"] = encoding
    return Curve(
        **{key: arrays.pop(key) for key in ("q", "intensity", "sigma", "dq") if key in arrays},
        columns=arrays,
        units=units,
        name=path.stem,
        metadata={"format": "PDH" if pdh else "columns", "table": layout},
        header=table.header + table.footer,
        source=f"{file} line {table.first_line}",
    )


def stated_q_unit(q_unit: str | None, file: str) -> str | None:
    """``q_unit``, with a warning where it is None because neither the file nor the caller states one."""
    if q_unit is None:
        message = (
            f"{file} does not state the unit of q (1/angstrom or 1/nm?): pass q_unit (--q-unit) to set it"
        )
        warnings.warn(InvaeWarning(message), stacklevel=4)
    return q_unit


def _check_rows(table: Table, labels: list[str] | None, file: str) -> None:
    if len(table.values) < 2 and labels is None:
        raise FormatError(f"{file} line {table.first_line}: one row of numbers without labels is not a curve")


def _labels(table: Table) -> tuple[list[str] | None, dict[int, str]]:
    """Labels of the columns, and the units beside or below them, from the last lines of the header."""
    width = table.values.shape[1]
    lines = [line.strip("#\r\n \t\ufeff") for line in split_lines(table.header)]
    lines = [line for line in lines if line]
    if width == len(_NIST) and any(line.startswith("MON CNT") for line in lines[:4]):
        return _NIST, {0: "1/A", 1: "1/cm", 2: "1/cm"} if "(1/A)" in table.header else {}
    lines = lines[-3:]
    units: dict[int, str] = {}
    for line in reversed(lines):
        pieces = _pieces(line, width)
        if pieces is None:
            if re.search(r"Dro:.*RGT:.*Chi", line):
                return ["q", "I", "err", "fit"][:width], {}
            continue
        bare = [piece.strip("()[]{}") for piece in pieces]
        if _UNIT.fullmatch(bare[0]) and all(_UNIT.fullmatch(unit) or unit in _NO_UNIT for unit in bare):
            units = {i: unit for i, unit in enumerate(bare) if unit not in ("", "-")}
            continue
        for i, piece in enumerate(pieces):
            stated = re.search(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$", piece)
            if stated and _UNIT.fullmatch(stated[1]):
                units.setdefault(i, stated[1])
        return pieces, units
    return None, units


def _pieces(line: str, width: int) -> list[str] | None:
    if "|" in line:
        parts = [part.strip() for part in line.split("|")]
        parts = parts[1:] if parts[0].lower().endswith("columns are") else parts
        return parts[:width] if len(parts) >= width and all(parts[:width]) else None
    for cut in (r"\s*[\t;,]\s*", r"\s{2,}", r"\s+"):
        parts = [part for part in re.split(cut, line.strip()) if part]
        if len(parts) == width and not any(is_number(part) for part in parts):
            return parts
    return None


def _word(label: str) -> str:
    bare = re.sub(r"[(\[][^()\[\]]*[)\]]", "", label)
    return re.sub(r"[^a-z0-9]", "", bare.lower())


def _roles(table: Table, labels: list[str] | None, file: str) -> list[str]:
    width = table.values.shape[1]
    words = [_word(label) for label in labels or []]
    known = [next((role for role, spellings in _ROLES.items() if word in spellings), None) for word in words]
    if words and (words[0] in _NOT_Q or words[:3] == ["x", "y", "z"]):
        what = _NOT_Q.get("xyz" if words[:3] == ["x", "y", "z"] else words[0])
        raise FormatError(
            f"{file}: columns {', '.join(labels or [])} are a table of {what} data, not a curve I(q)"
        )
    q, intensity = table.values[:, 0], table.values[:, 1]
    if known[:2] == ["q", "intensity"]:
        roles = ["q", "intensity"]
        for i in range(2, width):
            role = known[i] or (labels or [])[i].strip("<> ")
            if role == "sigma" and (table.values[:, i] < 0).any():
                role = "column_3"
            if role == "dq" and (table.values[:, i] < 0).any():
                role = "sigmaQ"
            roles.append(role if role not in roles else f"column_{i + 1}")
        return roles
    if width > 6:
        raise FormatError(f"{file}: {width} columns without labels that say which are q and intensity")
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
