"""NXcanSAS and the older canSAS2012 layouts in HDF5: 1-D and 2-D, many entries, masks, any hdf5plugin filter.

A group that is marked ``SASdata`` (by ``canSAS_class``, ``SAS_class`` or ``NX_class``) becomes one record: a
`Curve` where the signal is 1-D, else a `Frame`. Names of axes, uncertainties, resolutions and masks are taken
from the attributes in any of their spellings. Every other number of the entry goes to ``metadata``, long
arrays to ``columns``.

References
----------
NeXus application definition NXcanSAS 1.1; canSAS2012 draft.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.hdf5 import attribute, attributes, open_hdf5, read_dataset, scalar_or_list, unit_of, words
from invae.data.hdf5_tree import enclosing_entry, groups_of_class, surroundings
from invae.data.nexus import dataset_frame, noted_records, read_nexus
from invae.data.records import Curve, Frame, Record
from invae.errors import FormatError

__all__ = ["read_hdf5"]

_CURVE_KEYS = {"dQl": "dql", "dQw": "dqw", "Qmean": "qmean", "ShadowFactor": "shadowfactor"}
_CURVE_KEYS |= {"Shadowfactor": "shadowfactor"}


def read_hdf5(path: Path, inner: str | None = None, lazy: bool | None = None) -> list[Record]:
    """Read every SASdata group, or what lies at ``inner``; without any SASdata every NXdata.

    Raises
    ------
    FormatError
        No such path, no scattering data, or data that cannot be decoded; the message names the HDF5 path.
    """
    import h5py

    with open_hdf5(path) as file:
        start = file
        if inner is not None:
            start = file.get(inner)
            if start is None:
                raise FormatError(
                    f"{path.name} has no {inner} inside; its root holds {', '.join(file) or 'nothing'}"
                )
        if isinstance(start, h5py.Dataset):
            return [dataset_frame(start, path, lazy)]
        noted = noted_records(path, start, lazy)
        if noted:
            return noted
        groups = groups_of_class(start, "SASdata")
        if groups:
            return [_record(group, path) for group in groups]
        frames = read_nexus(path, start, lazy)
        if not frames:
            raise FormatError(
                f"{path.name}:{start.name} holds no SASdata and no NXdata with a signal; "
                f"name what to read: {path.name}:/path/to/data"
            )
        return frames


def _record(group: Any, path: Path) -> Record:
    place = f"{path.name}:{group.name}"
    signal = attribute(group, "signal") or ("I" if "I" in group else None)
    if not isinstance(signal, str) or signal not in group:
        raise FormatError(f"{place} names the signal {signal!r}, but holds {', '.join(group) or 'nothing'}")
    data = group[signal]
    used = {signal}
    units = {}
    entry = enclosing_entry(group)
    arrays: dict[str, np.ndarray] = {}

    def take(role: str, key: str | None) -> None:
        if key and key in group and key not in used and not hasattr(group[key], "keys"):
            used.add(key)
            arrays[role] = read_dataset(group[key], path.name)
            units[role] = unit_of(group[key])

    is_curve = data.ndim == 1
    take(
        "sigma",
        _pointer(group, data, ("uncertainties", "uncertainty", "I_uncertainties", "I_uncertainty"), "Idev"),
    )
    take("mask", _pointer(group, data, ("mask", "Mask", "I_mask", "Mask_name"), "Mask"))
    axes = _axes(group)
    if is_curve:
        take("q", next((axis for axis in axes if axis in group), "Q"))
        if "q" not in arrays:
            raise FormatError(f"{place} has the axis {', '.join(axes) or 'Q'}, but no data set of that name")
        q_key = next((axis for axis in axes if axis in group), "Q")
        resolutions = _pointer(group, group[q_key], ("resolutions", "resolution", "uncertainties"), "Qdev")
        named = words(resolutions)
        if len(named) == 1:
            take("dq", named[0])
        for key, role in (*((key, _CURVE_KEYS.get(key, key)) for key in named), *_CURVE_KEYS.items()):
            take(role, key)
    else:
        take("qx", "Qx")
        take("qy", "Qy")
        if "qx" not in arrays and "Q" in group and group["Q"].shape in ((2, *data.shape), (3, *data.shape)):
            # One array of vectors: its components come first.
            used.add("Q")
            for key, component in zip(("qx", "qy", "qz"), read_dataset(group["Q"], path.name)):
                arrays[key], units[key] = component, unit_of(group["Q"])
    for key in group:
        take(key, key)
    values = read_dataset(data, path.name)
    units["intensity" if is_curve else "data"] = unit_of(data)
    for key in ("sigma", "mask", "q", "dq", "qx", "qy"):
        if key in arrays and arrays[key].shape != values.shape:
            if key == "q":
                raise FormatError(f"{place}: Q has shape {arrays[key].shape}, {signal} has {values.shape}")
            arrays[f"{key}_as_stored"] = arrays.pop(key)
    metadata = {"format": "NXcanSAS", "root": attributes(group.file), "data": _attributes(group, used)}
    rest, long_arrays, long_units = (
        surroundings(entry, [group], path.name) if entry is not None else ({}, {}, {})
    )
    metadata["entry"] = rest
    named_fields = ("q", "sigma", "dq", "mask") if is_curve else ("qx", "qy", "sigma", "mask")
    fields: dict[str, Any] = {key: arrays.pop(key) for key in named_fields if key in arrays}
    shared = {
        "columns": arrays | long_arrays,
        "units": units | long_units,
        "name": _name(group, entry, path),
        "metadata": metadata,
        "source": place,
    }
    return Curve(intensity=values, **fields, **shared) if is_curve else Frame(data=values, **fields, **shared)


def _pointer(group: Any, dataset: Any, keys: tuple[str, ...], default: str) -> str | None:
    for holder in (dataset, group):
        for key in keys:
            name = attribute(holder, key)
            if isinstance(name, str) and any(word in group for word in words(name)):
                return name
    return default if default in group else None


def _axes(group: Any) -> list[str]:
    for key in ("axes", "I_axes"):
        axes = words(attribute(group, key))
        if axes:
            return axes
    return ["Q"]


def _name(group: Any, entry: Any, path: Path) -> str:
    siblings = [] if entry is None else [g for g in groups_of_class(entry, "SASdata") if g != group]
    if siblings:
        return attribute(group, "canSAS_name") or group.name.rpartition("/")[2]
    for key in ("title", "run"):
        if entry is not None and key in entry:
            with contextlib.suppress(FormatError):
                value = scalar_or_list(entry[key], path.name)
                if isinstance(value, str) and value.strip():
                    return value.strip()
    return path.stem


def _attributes(group: Any, used: set[str]) -> dict[str, Any]:
    found = {"@": attributes(group)}
    found |= {key: {"@": attributes(group[key])} for key in used if len(group[key].attrs)}
    return found
