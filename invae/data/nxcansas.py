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

from invae.data.hdf5 import attribute, attributes, open_hdf5, read_dataset, scalar_or_list, words
from invae.data.records import Curve, Frame, Record
from invae.errors import FormatError

__all__ = ["read_nxcansas"]

_CLASSES = ("canSAS_class", "SAS_class", "NX_class")
_CURVE_KEYS = {"dQl": "dql", "dQw": "dqw", "Qmean": "qmean", "ShadowFactor": "shadowfactor"}
_CURVE_KEYS |= {"Shadowfactor": "shadowfactor"}
# Longer arrays of the entry are kept as columns (bit-exact, compressible), not as JSON lists.
_LONGEST_LIST = 16


def read_nxcansas(path: Path, inner: str | None = None) -> list[Record]:
    """Read every SASdata group, or what lies at ``inner``.

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
            return [_dataset(start, path)]
        groups = _groups(start, "SASdata")
        if not groups:
            groups = [group for group in _groups(start, "NXdata") if "signal" in group.attrs]
        if not groups and inner is not None:
            raise FormatError(
                f"{path.name}:{inner} holds no SASdata or NXdata group; name a data set to read it as it is"
            )
        if not groups:
            raise FormatError(
                f"{path.name} has no SASdata or NXdata; name what to read: {path.name}:/path/to/data"
            )
        return [_record(group, path) for group in groups]


def _groups(start: Any, kind: str) -> list[Any]:
    import h5py

    found = []
    seen = set()

    def visit(group: Any) -> None:
        # Hard links may lead back to a group that is being visited.
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            return
        seen.add(address)
        if kind in (attribute(group, key) for key in _CLASSES):
            found.append(group)
            return
        for key in group:
            link = group.get(key, getlink=True)
            child = group.get(key) if not isinstance(link, h5py.SoftLink) else None
            if isinstance(child, h5py.Group):
                visit(child)

    visit(start)
    return found


def _record(group: Any, path: Path) -> Record:
    place = f"{path.name}:{group.name}"
    signal = attribute(group, "signal") or ("I" if "I" in group else None)
    if not isinstance(signal, str) or signal not in group:
        raise FormatError(f"{place} names the signal {signal!r}, but holds {', '.join(group) or 'nothing'}")
    data = group[signal]
    used = {signal}
    units = {}
    entry = _entry(group)
    arrays: dict[str, np.ndarray] = {}

    def take(role: str, key: str | None) -> None:
        if key and key in group and key not in used and not hasattr(group[key], "keys"):
            used.add(key)
            arrays[role] = read_dataset(group[key], path.name)
            units[role] = _unit(group[key])

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
    for key in group:
        take(key, key)
    values = read_dataset(data, path.name)
    units["intensity" if is_curve else "data"] = _unit(data)
    for key in ("sigma", "mask", "q", "dq", "qx", "qy"):
        if key in arrays and arrays[key].shape != values.shape:
            if key == "q":
                raise FormatError(f"{place}: Q has shape {arrays[key].shape}, {signal} has {values.shape}")
            arrays[f"{key}_as_stored"] = arrays.pop(key)
    metadata = {"format": "NXcanSAS", "root": attributes(group.file), "data": _attributes(group, used)}
    rest, long_arrays, long_units = _tree(entry, group, path.name) if entry is not None else ({}, {}, {})
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


def _dataset(dataset: Any, path: Path) -> Frame:
    return Frame(
        data=read_dataset(dataset, path.name),
        units={"data": _unit(dataset)},
        name=f"{path.stem}{dataset.name}",
        metadata={"format": "HDF5", "attributes": attributes(dataset)},
        source=f"{path.name}:{dataset.name}",
    )


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


def _unit(dataset: Any) -> str | None:
    unit = attribute(dataset, "units")
    unit = attribute(dataset, "unit") if unit is None else unit
    return unit if isinstance(unit, str) else None


def _entry(group: Any) -> Any:
    parent = group
    while parent.name != "/":
        parent = parent.parent
        if {"SASentry", "NXentry"} & {attribute(parent, key) for key in _CLASSES}:
            return parent
    return None


def _name(group: Any, entry: Any, path: Path) -> str:
    siblings = [] if entry is None else [g for g in _groups(entry, "SASdata") if g != group]
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


def _tree(
    entry: Any, skip: Any, file: str
) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, str | None]]:
    """The entry without its SASdata groups: nested dict (attributes under ``@``), long arrays, units."""
    import h5py

    arrays: dict[str, np.ndarray] = {}
    units: dict[str, str | None] = {}
    seen = set()

    def visit(group: Any, prefix: str) -> dict[str, Any]:
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            return {"@link": group.name}
        seen.add(address)
        tree: dict[str, Any] = {"@": attributes(group)} if len(group.attrs) else {}
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
                tree[key] = {"@link": link.path}
                continue
            child = group[key]
            if isinstance(child, h5py.Group):
                if child == skip or "SASdata" in (attribute(child, name) for name in _CLASSES):
                    if child == skip:
                        tree |= {key: visit_below(child, f"{prefix}{key}/")} if _subgroups(child) else {}
                    continue
                tree[key] = visit(child, f"{prefix}{key}/")
            elif isinstance(child, h5py.Dataset):
                if child.size is not None and child.size > _LONGEST_LIST and child.dtype.kind in "biuf":
                    arrays[prefix + key] = read_dataset(child, file)
                    units[prefix + key] = _unit(child)
                    if len(child.attrs):
                        tree[key] = {"@": attributes(child)}
                    continue
                value = scalar_or_list(child, file)
                tree[key] = {"@": attributes(child), "value": value} if len(child.attrs) else value
        return tree

    def visit_below(group: Any, prefix: str) -> dict[str, Any]:
        return {key: visit(group[key], f"{prefix}{key}/") for key in _subgroups(group)}

    return visit(entry, ""), arrays, units


def _subgroups(group: Any) -> list[str]:
    return [key for key in group if hasattr(group[key], "keys")]
