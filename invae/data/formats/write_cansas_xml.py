"""canSAS 1-D XML out, version 1.1 or the one that the record came from.

A curve that was read from canSAS XML gets its own document back, with its points in their place. Other
curves get a new entry with the elements that the format asks for. What neither holds goes into a note (see
`note`) in SASnote.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.formats.cansas_xml import FIELDS, NOTE_TAG, SPECTRUM, children
from invae.data.formats.note import survives_text, to_note
from invae.data.records import Curve, Record
from invae.errors import InputError

__all__ = ["cansas_xml_bytes"]

_NAMESPACE = "urn:cansas1d:1.1"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.cansas.org/formats/1.1/cansas1d.xsd"
_TAGS = {role: tag for tag, role in FIELDS.items()}
_LIKE = {"intensity": "intensity", "sigma": "intensity"}
_ORDER = ("q", "intensity", "sigma", "dq", "dqw", "dql", "qmean", "shadowfactor")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def cansas_xml_bytes(records: list[Record], path: Path, notes: bool = False) -> bytes:
    """Bytes of one document with an entry for each curve; ``notes`` makes it carry all that the curves hold.

    Raises
    ------
    InputError
        A record is no curve.
    """
    from lxml import etree

    root: Any = None
    for record in records:
        if not isinstance(record, Curve):
            raise InputError(f"{path.name}: canSAS XML holds curves, {record.name!r} is an image; write .h5")
        own, entry = _own_document(record)
        if root is None:
            root = own if own is not None else _new_root()
        namespace = etree.QName(root).namespace
        if own is None or etree.QName(own).namespace != namespace:
            entry = _new_entry(record, namespace)
        _fill(entry, record, notes or own is None)
        root.append(entry)
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)


def _own_document(curve: Curve) -> tuple[Any, Any]:
    """Root without entries and entry without points that a curve came with; None, None where it has none."""
    from lxml import etree

    if curve.metadata.get("format") != "canSAS XML" or not curve.header.lstrip().startswith("<"):
        return None, None
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(curve.header.encode("utf-8"), parser)
    entries = children(root, "SASentry")
    if len(entries) != 1 or len(children(entries[0], "SASdata")) != 1:
        return None, None
    root.remove(entries[0])
    return root, entries[0]


def _new_root() -> Any:
    from lxml import etree

    names = {None: _NAMESPACE, "xsi": _XSI}
    attributes = {"version": "1.1", f"{{{_XSI}}}schemaLocation": f"{_NAMESPACE} {_SCHEMA}"}
    return etree.Element(f"{{{_NAMESPACE}}}SASroot", attributes, nsmap=names)


def _new_entry(curve: Curve, namespace: str | None) -> Any:
    from lxml import etree

    def tag(name: str) -> str:
        return f"{{{namespace}}}{name}" if namespace else name

    def add(parent: Any, name: str, text: str | None = None) -> Any:
        child = etree.SubElement(parent, tag(name))
        child.text = _FORBIDDEN.sub("", text) if text is not None else None
        return child

    entry = etree.Element(tag("SASentry"))
    add(entry, "Title", curve.name)
    add(entry, "Run", "")
    add(entry, "SASdata")
    for key in curve.columns:
        if key.startswith("transmission_spectrum/") and key.endswith("/T"):
            add(entry, SPECTRUM).set("name", _FORBIDDEN.sub("", key.split("/")[1]))
    add(add(entry, "SASsample"), "ID", curve.name)
    instrument = add(entry, "SASinstrument")
    add(instrument, "name", "")
    add(add(instrument, "SASsource"), "radiation", "")
    add(instrument, "SAScollimation")
    add(add(instrument, "SASdetector"), "name", "")
    add(entry, "SASnote")
    return entry


def _fill(entry: Any, curve: Curve, note: bool) -> None:
    """Put points, spectra and the note into an entry that has none."""
    from lxml import etree

    namespace = etree.QName(entry).namespace
    arrays, _ = curve.to_parts()
    outside = {}
    data = children(entry, "SASdata")[0]
    keys = {}
    for role in _ORDER:
        key = role if role in arrays else f"columns/{role}"
        if key in arrays and arrays[key].shape == curve.shape:
            unit = curve.units.get(role)
            if note and role != "shadowfactor":
                # The schema asks for a unit; an empty one says that it is not known.
                unit = unit or curve.units.get(_LIKE.get(role, "q"), "") or ""
            keys[key] = (_TAGS[role], unit)
            if survives_text(arrays[key]):
                outside[key] = role
    missing = {} if note else curve.metadata.get("missing", {})
    _points(data, "Idata", arrays, keys, missing, namespace)
    for spectrum in children(entry, SPECTRUM):
        prefix = f"columns/transmission_spectrum/{spectrum.get('name') or _index(entry, spectrum)}/"
        names = {key: key.removeprefix(prefix) for key in arrays if key.startswith(prefix)}
        units = {key: curve.units.get(key.removeprefix("columns/")) for key in names}
        tags = {key: (name, units[key]) for key, name in names.items() if name in ("Lambda", "T", "Tdev")}
        if len({len(arrays[key]) for key in tags}) == 1:
            _points(spectrum, "Tdata", arrays, tags, missing, namespace)
    if note:
        notes = children(entry, "SASnote")
        holder = (
            notes[-1]
            if notes
            else etree.SubElement(entry, f"{{{namespace}}}SASnote" if namespace else "SASnote")
        )
        etree.SubElement(holder, NOTE_TAG).text = to_note(curve, outside)


def _index(entry: Any, spectrum: Any) -> int:
    return children(entry, SPECTRUM).index(spectrum)


def _number(value: Any) -> str:
    """Shortest text that gives the double back, in the spelling of XML schema."""
    text = repr(float(value))
    return {"nan": "NaN", "inf": "INF", "-inf": "-INF"}.get(text, text)


def _points(
    parent: Any,
    point_tag: str,
    arrays: dict[str, np.ndarray],
    keys: dict[str, tuple[str, str | None]],
    missing: dict[str, list[int]],
    namespace: str | None,
) -> None:
    from lxml import etree

    prefix = f"{{{namespace}}}" if namespace else ""
    absent = {key: set(missing.get(key.removeprefix("columns/"), ())) for key in keys}
    tail = parent.text if parent.text and not parent.text.strip() else "\n"
    points = []
    for i in range(len(arrays[next(iter(keys))])):
        point = etree.Element(prefix + point_tag)
        for key, (tag, unit) in keys.items():
            if i in absent[key]:
                continue
            child = etree.SubElement(point, prefix + tag)
            if unit is not None:
                child.set("unit", _FORBIDDEN.sub("", unit))
            child.text = _number(arrays[key][i])
        point.tail = tail
        points.append(point)
    parent[:0] = points
