"""NXcanSAS HDF5 out: an entry for each record, the usual fields in their places, and a note with all the
rest.

Curves, and frames that know their qx and qy, become SASdata groups. Frames without q are no NXcanSAS data
and become plain NeXus NXdata. Arrays are stored with their own dtype; those above 4096 values are shuffled
and deflated, filters that every HDF5 library has.

References
----------
NeXus application definition NXcanSAS 1.1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.formats.hdf5.nexus import NOTE_GROUP
from invae.data.formats.hdf5.output import create_hdf5
from invae.data.formats.hdf5.xml_tree import tree_from_xml
from invae.data.formats.note import to_note
from invae.data.records import Curve, Record
from invae.errors import InputError

__all__ = ["write_nxcansas"]

_CURVE = {"q": "Q", "intensity": "I", "sigma": "Idev", "dq": "Qdev", "mask": "Mask"}
_CURVE |= {"columns/dql": "dQl", "columns/dqw": "dQw", "columns/qmean": "Qmean"}
_CURVE |= {"columns/shadowfactor": "ShadowFactor"}
_FRAME = {"data": "I", "sigma": "Idev", "mask": "Mask", "qx": "Qx", "qy": "Qy"}
_SPECTRUM = re.compile(r"columns/transmission_spectrum/(.*)/(Lambda|T|Tdev)")
_COMPRESS_ABOVE = 4096
_MOST_AXES = 32  # of an HDF5 data set


def write_nxcansas(records: list[Record], path: Path) -> None:
    """Write all records to a new HDF5 file at ``path``."""
    from invae import __version__

    with create_hdf5(path) as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["creator"] = f"invae {__version__}"
        file.attrs["default"] = "sasentry01"
        for index, record in enumerate(records):
            _write_entry(file.create_group(f"sasentry{index + 1:02d}"), record)


def _write_entry(entry: Any, record: Record) -> None:
    arrays = record.arrays()
    is_sas = isinstance(record, Curve) or {"qx", "qy"} <= set(arrays)
    entry.attrs["NX_class"] = "NXentry"
    entry.attrs["default"] = "sasdata"
    if is_sas:
        entry.attrs["canSAS_class"] = "SASentry"
        entry.attrs["canSAS_name"] = _text(record.name)
        entry.attrs["version"] = "1.1"
        entry["definition"] = "NXcanSAS"
    entry["title"] = _text(record.name)
    entry["run"] = _text(_run(record))
    places = _write_data(entry, record, arrays, is_sas)
    _write_spectra(entry, record, arrays, places)
    from_hdf5 = record.metadata.get("format") in ("NXcanSAS", "NeXus")
    for key, array in arrays.items():
        if key not in places:
            places[key] = _free_place(entry, key, from_hdf5)
            _store(entry, places[key], array, record.units.get(key.removeprefix("columns/")))
    tree = record.metadata.get("entry")
    if isinstance(tree, dict):
        _write_tree(entry, tree if from_hdf5 else tree_from_xml(tree))
    note = entry.create_group(NOTE_GROUP)
    note.attrs["NX_class"] = "NXnote"
    note["type"] = "application/json"
    note["description"] = (
        "the whole record as invae holds it; the arrays are named by their place in this entry"
    )
    note["data"] = to_note(record, places)


def _write_data(entry: Any, record: Record, arrays: dict[str, Any], is_sas: bool) -> dict[str, str]:
    data = entry.create_group("sasdata")
    data.attrs["NX_class"] = "NXdata"
    data.attrs["signal"] = "I"
    names = _CURVE if isinstance(record, Curve) else _FRAME
    shape = record.shape
    stored = {key: name for key, name in names.items() if key in arrays and tuple(arrays[key].shape) == shape}
    places = {}
    for key, name in stored.items():
        places[key] = f"sasdata/{name}"
        _store(entry, places[key], arrays[key], record.units.get(key.removeprefix("columns/")))
    if "sigma" in stored:
        data["I"].attrs["uncertainties"] = "Idev"
    if "mask" in stored:
        data.attrs["mask"] = "Mask"
    if not is_sas:
        return places
    data.attrs["canSAS_class"] = "SASdata"
    data.attrs["canSAS_name"] = _text(record.name)
    if isinstance(record, Curve):
        data.attrs["I_axes"] = "Q"
        data.attrs["Q_indices"] = 0
        resolutions = [name for key, name in stored.items() if key in ("dq", "columns/dqw", "columns/dql")]
        if resolutions:
            several = sorted(resolutions, reverse=True)
            data["Q"].attrs["resolutions"] = several[0] if len(several) == 1 else several
        if "mask" in stored:
            data.attrs["Mask_indices"] = 0
    else:
        data.attrs["I_axes"] = ",".join(["Q"] * len(shape))
        data.attrs["Q_indices"] = np.arange(len(shape))
        if "mask" in stored:
            data.attrs["Mask_indices"] = np.arange(len(shape))
    return places


def _run(record: Record) -> str:
    tree = record.metadata.get("entry", {})
    run = tree.get("Run", tree.get("run", "")) if isinstance(tree, dict) else ""
    run = run[0] if isinstance(run, list) and run else run
    if isinstance(run, dict):
        run = run.get("#text", run.get("value", ""))
    return str(run)


def _write_spectra(entry: Any, record: Record, arrays: dict[str, Any], places: dict[str, str]) -> None:
    for key, array in arrays.items():
        match = _SPECTRUM.fullmatch(key)
        if match is None:
            continue
        name = f"sastransmission_spectrum_{_safe(match[1])}"
        if name not in entry:
            group = entry.create_group(name)
            group.attrs.update({"NX_class": "NXdata", "canSAS_class": "SAStransmission_spectrum"})
            group.attrs.update({"signal": "T", "T_axes": "lambda", "name": _text(match[1])})
        places[key] = f"{name}/{'lambda' if match[2] == 'Lambda' else match[2]}"
        _store(entry, places[key], array, record.units.get(key.removeprefix("columns/")))
        if match[2] == "Tdev" and "T" in entry[name]:
            entry[name]["T"].attrs["uncertainties"] = "Tdev"


def _free_place(entry: Any, key: str, from_hdf5: bool) -> str:
    """Place of an array that has none in NXcanSAS: where it was in its HDF5 file, or among the columns."""
    own = key.removeprefix("columns/")
    if from_hdf5 and "/" in own and own not in entry and own.split("/")[0] not in ("sasdata", NOTE_GROUP):
        return own
    parts = [_safe(part) for part in key.split("/") if part]
    group = entry.require_group("columns")
    group.attrs["NX_class"] = "NXcollection"
    place = "/".join(["columns", "_".join(parts[1:]) if len(parts) > 1 else parts[0]])
    base, count = place, 1
    while place in entry:
        count += 1
        place = f"{base}_{count}"
    return place


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", name).strip(".") or "_"


def _store(entry: Any, place: str, array: Any, unit: str | None) -> None:
    if len(array.shape) > _MOST_AXES:
        raise InputError(
            f"{place} has {len(array.shape)} axes, an HDF5 data set at most {_MOST_AXES}; reshape it"
        )
    big = array.shape and int(np.prod(array.shape)) > _COMPRESS_ABOVE
    options: dict[str, Any] = {"compression": "gzip", "shuffle": True} if big else {}
    if isinstance(array, np.ndarray):
        dataset = entry.create_dataset(place, data=array, track_times=False, **options)
    else:
        chunks = (1, *array.shape[1:])
        dataset = entry.create_dataset(
            place, array.shape, array.dtype, chunks=chunks, track_times=False, **options
        )
        for i in range(array.shape[0]):
            dataset[i] = array[i]
    # An empty unit says that it is not known; without the attribute some readers refuse the file.
    dataset.attrs["units"] = "" if unit is None else _text(unit)


def _write_tree(group: Any, tree: dict[str, Any]) -> None:
    """Write nested dicts, as `hdf5_tree.surroundings` reads them, beside what is there already."""
    import h5py

    for key, value in tree.items():
        name = key.replace("/", "_")
        if key == "@" or name in ("", ".", "..", "sasdata") or (isinstance(value, dict) and "@link" in value):
            continue
        there = group.get(name)
        if isinstance(value, dict) and "value" not in value and not isinstance(there, h5py.Dataset):
            child = group.create_group(name) if there is None else there
            _attributes(child, value.get("@", {}))
            _write_tree(child, value)
            continue
        attributes = value.get("@", {}) if isinstance(value, dict) else {}
        plain = _storable(value.get("value") if isinstance(value, dict) else value)
        if there is None and plain is not None:
            there = group.create_dataset(name, data=plain)
        if isinstance(there, h5py.Dataset):
            _attributes(there, attributes)


def _attributes(item: Any, attributes: dict[str, Any]) -> None:
    for key, value in attributes.items():
        plain = _storable(value)
        if plain is not None and key != "default":
            item.attrs[key] = plain


def _storable(value: Any) -> Any:
    """A text, number or even list as HDF5 can hold it; None where it cannot."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return [_text(item) for item in value]
        if all(isinstance(item, int | float) for item in value):
            return value
    return None


def _text(value: str) -> str:
    """Text without the zero characters that end a text in HDF5."""
    return value.replace("\0", " ")
