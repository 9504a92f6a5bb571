"""canSAS 1-D XML 1.0 and 1.1: many entries and data blocks, slit resolution, transmission spectra.

Each ``SASdata`` becomes one `Curve`. Its ``header`` is the document around the points: prolog, root and its
own entry with everything but the points of the curves and spectra. ``metadata`` is the same as nested dicts:
an attribute is ``@name``, text beside attributes is ``#text``, a repeated element is a list.

References
----------
canSAS 1-D working group, "cansas1d" format 1.1.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np

from invae.data.formats.note import from_note
from invae.data.formats.source import Source
from invae.data.formats.text.plain import is_number, number
from invae.data.records import Curve, Record
from invae.errors import FormatError

__all__ = ["FIELDS", "NOTE_TAG", "SPECTRUM", "children", "is_xml", "read_cansas_xml"]

FIELDS = {"Q": "q", "I": "intensity", "Idev": "sigma", "Qdev": "dq", "dQl": "dql", "dQw": "dqw"}
FIELDS |= {"Qmean": "qmean", "Shadowfactor": "shadowfactor"}
SPECTRUM = "SAStransmission_spectrum"
# A line of labels in angle brackets, and a number below it.
_LABELS = re.compile(rb"<[^<>\r\n/]*>(?![^\r\n]*</)[^\r\n]*[\r\n]+(?:[#%][^\r\n]*[\r\n]+)*\s*[-+.\d]")
NOTE_TAG = "{urn:invae:note:1}note"


def is_xml(source: Source) -> bool:
    """Whether the first bytes are those of XML: a tag, but no line of labels like ``<q> <I> <dI>``."""
    head = source.head
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "ignore").encode()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return re.match(rb"<[?!A-Za-z_]", start) is not None and _LABELS.match(start) is None


def read_cansas_xml(source: Source) -> list[Record]:
    """Read every ``SASdata`` of every ``SASentry``.

    Raises
    ------
    FormatError
        Not well-formed, not canSAS, no data, or a value that is no number; the message names the line.
    """
    from lxml import etree

    file = source.label
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=False)
    try:
        root = etree.fromstring(source.raw, parser)
    except etree.XMLSyntaxError as error:
        what = " ".join(str(error.msg).split())
        raise FormatError(f"{file} line {error.lineno}: not well-formed XML ({what})") from error
    if _tag(root) != "SASroot":
        raise FormatError(
            f"{file} line {root.sourceline}: root element {_tag(root)!r} is not a canSAS SASroot"
        )
    entries = children(root, "SASentry")
    if not entries:
        raise FormatError(f"{file} line {root.sourceline}: the SASroot holds no SASentry")
    shell = copy.deepcopy(root)
    for entry in children(shell, "SASentry"):
        shell.remove(entry)
    curves: list[Record] = []
    for entry_index, entry in enumerate(entries):
        blocks = children(entry, "SASdata")
        if not blocks:
            raise FormatError(f"{file} line {entry.sourceline}: this SASentry holds no SASdata")
        spectra, spectra_units, spectra_missing = _spectra(entry, file)
        for block_index, block in enumerate(blocks):
            arrays, units, missing = _points(children(block, "Idata"), file, block, ("Q", "I"))
            place = f"{source.name}:/SASroot/SASentry[{entry_index + 1}]/SASdata[{block_index + 1}]"
            note = next(entry.iter(NOTE_TAG), None)
            if note is not None:
                curves.append(from_note(note.text or "", arrays, f"{file} line {note.sourceline}"))
                continue
            label = block.get("name", "").strip() if len(blocks) > 1 else ""
            bare = _without_points(entry, block_index)
            metadata = {
                "format": "canSAS XML",
                "version": root.get("version", ""),
                "root": {f"@{key}": value for key, value in root.attrib.items()},
                "entry": _as_dict(bare),
            }
            if missing or spectra_missing:
                metadata["missing"] = missing | spectra_missing
            curves.append(
                Curve(
                    **{key: arrays.pop(key) for key in ("q", "intensity", "sigma", "dq") if key in arrays},
                    columns=arrays | spectra,
                    units=units | spectra_units,
                    name=label or _name(entry) or source.stem,
                    metadata=metadata,
                    header=_document(shell, bare),
                    source=place,
                )
            )
    return curves


def _tag(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: Any, tag: str) -> list[Any]:
    """Children of an element by their name without namespace."""
    return [child for child in element if _tag(child) == tag]


def _text(element: Any) -> str:
    return element.xpath("string()").strip()


def _name(entry: Any) -> str:
    title, run = ([_text(child) for child in children(entry, tag)] for tag in ("Title", "Run"))
    stated = [*title, entry.get("name", "").strip(), *run]
    return next((name for name in stated if name), "")


def _points(
    points: list[Any], file: str, parent: Any, needed: tuple[str, ...]
) -> tuple[dict[str, np.ndarray], dict[str, str | None], dict[str, list[int]]]:
    """Arrays, units and indices of absent values (NaN in the arrays) of a list of Idata or Tdata."""
    if not points:
        raise FormatError(f"{file} line {parent.sourceline}: this {_tag(parent)} holds no points")
    columns: dict[str, list[float]] = {}
    units: dict[str, str | None] = {}
    for i, point in enumerate(points):
        for child in point:
            tag = _tag(child)
            text = _text(child) if tag else ""
            if not text:
                continue
            if not is_number(text):
                raise FormatError(
                    f"{file} line {child.sourceline}: cannot read {text[:40]!r} in <{tag}> as a number"
                )
            column = columns.setdefault(tag, [])
            if len(column) > i:
                raise FormatError(f"{file} line {child.sourceline}: a second <{tag}> in one point")
            column.extend([np.nan] * (i - len(column)))
            column.append(number(text))
            unit = child.get("unit")
            if units.setdefault(tag, unit) != unit:
                raise FormatError(
                    f"{file} line {child.sourceline}: unit of <{tag}> changes from {units[tag]!r} to {unit!r}"
                )
        for tag in needed:
            if len(columns.get(tag, ())) <= i:
                raise FormatError(f"{file} line {point.sourceline}: this point has no <{tag}>")
    missing = {}
    for tag, column in columns.items():
        column.extend([np.nan] * (len(points) - len(column)))
        present = {i for i, point in enumerate(points) for child in children(point, tag) if _text(child)}
        absent = [i for i in range(len(points)) if i not in present]
        if absent:
            missing[FIELDS.get(tag, tag)] = absent
    names = {tag: FIELDS.get(tag, tag) for tag in columns}
    return (
        {names[tag]: np.array(column, np.float64) for tag, column in columns.items()},
        {names[tag]: units[tag] for tag in columns},
        missing,
    )


def _spectra(
    entry: Any, file: str
) -> tuple[dict[str, np.ndarray], dict[str, str | None], dict[str, list[int]]]:
    """Arrays ``transmission_spectrum/NAME/Lambda``, ``T``, ``Tdev`` of the entry, with units."""
    arrays: dict[str, np.ndarray] = {}
    units: dict[str, str | None] = {}
    missing: dict[str, list[int]] = {}
    for index, spectrum in enumerate(children(entry, SPECTRUM)):
        points = children(spectrum, "Tdata")
        if not points:
            continue
        found, found_units, absent = _points(points, file, spectrum, ("Lambda", "T"))
        prefix = f"transmission_spectrum/{spectrum.get('name') or index}/"
        arrays |= {prefix + key: array for key, array in found.items()}
        units |= {prefix + key: unit for key, unit in found_units.items()}
        missing |= {prefix + key: where for key, where in absent.items()}
    return arrays, units, missing


def _without_points(entry: Any, block_index: int) -> Any:
    """Copy of the entry with one SASdata only and without any Idata or Tdata."""
    bare = copy.copy(entry)
    for index, block in enumerate(children(bare, "SASdata")):
        if index != block_index:
            bare.remove(block)
    for holder, tag in (("SASdata", "Idata"), (SPECTRUM, "Tdata")):
        for block in children(bare, holder):
            for point in children(block, tag):
                block.remove(point)
    return bare


def _document(shell: Any, bare: Any) -> str:
    from lxml import etree

    root = copy.deepcopy(shell)
    root.append(copy.deepcopy(bare))
    return etree.tostring(root.getroottree(), encoding="unicode")


def _as_dict(element: Any) -> Any:
    """Element as text, or as a dict of attributes (``@``), own text (``#text``) and children."""
    result: dict[str, Any] = {f"@{key}": value for key, value in element.attrib.items()}
    for child in element:
        tag = _tag(child)
        if not tag:
            continue
        value = _as_dict(child)
        if tag in result:
            first = result[tag]
            result[tag] = [*first, value] if isinstance(first, list) else [first, value]
        else:
            result[tag] = value
    own = "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
    if not result:
        return own
    if own:
        result["#text"] = own
    return result
