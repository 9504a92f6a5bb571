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
from collections.abc import Sequence
from typing import Any

import numpy as np

from invae.data.formats.hdf5.access import (
    UNCERTAINTIES,
    attribute,
    attributes,
    check_values,
    follow,
    keys_of,
    name_of,
    named_by,
    open_hdf5,
    read_dataset,
    scalar_or_list,
    unit_of,
    words,
)
from invae.data.formats.hdf5.nexus import dataset_frame, group_frames, noted_records
from invae.data.formats.hdf5.tree import enclosing_entry, groups_of_class, surroundings
from invae.data.formats.source import Source
from invae.data.records import Curve, Frame, Record
from invae.errors import FormatError

__all__ = ["read_hdf5"]

_CURVE_KEYS = {"dQl": "dql", "dQw": "dqw", "Qmean": "qmean", "ShadowFactor": "shadowfactor"}
_CURVE_KEYS |= {"Shadowfactor": "shadowfactor"}


def read_hdf5(source: Source) -> list[Record]:
    """Read every SASdata group, or what lies at the inner path; without any SASdata every NXdata.

    Raises
    ------
    FormatError
        No such path, no scattering data, or data that cannot be decoded; the message names the HDF5 path.
    """
    import h5py

    with open_hdf5(source.path) as file:
        start = file
        if source.inner is not None:
            if not _there(file, source.inner):
                raise FormatError(
                    f"{source.label} has no {source.inner} inside; its root holds "
                    f"{', '.join(keys_of(file)) or 'nothing'}"
                )
            start = follow(file, source.inner, source.label)
        if isinstance(start, h5py.Dataset):
            return [dataset_frame(start, source)]
        noted = noted_records(source, start)
        if noted:
            return noted
        groups = groups_of_class(start, "SASdata")
        if groups:
            return [_record(group, source) for group in groups]
        plain = groups_of_class(start, "NXdata")
        taken: set[Any] = set()
        records: list[Record] = []
        for group in plain:
            others = [other for other in plain if other != group]
            if _is_curve(group):
                records.append(_record(group, source, others))
            else:
                records += group_frames(group, source, taken, others)
        if not records:
            raise FormatError(
                f"{source.label}:{name_of(start)} holds no SASdata and no NXdata with a signal; "
                f"name what to read: {source.label}:/path/to/data"
            )
        return records


def _there(file: Any, inner: str) -> bool:
    """Whether a file has an object or a link at a path."""
    try:
        return file.get(inner, getlink=True) is not None
    except (KeyError, ValueError):
        return False


def _is_curve(group: Any) -> bool:
    """Whether a plain NXdata group holds I(q): a signal of one axis, over an axis that is called q."""
    signal = attribute(group, "signal")
    if not isinstance(signal, str) or getattr(group.get(signal), "shape", None) is None:
        return False
    shape = group[signal].shape
    axes = [axis for axis in words(attribute(group, "axes")) if axis.lower() == "q" and axis in group]
    return len(shape) == 1 and any(getattr(group[axis], "shape", None) == shape for axis in axes)


class _Arrays:
    """Arrays taken from a SASdata group by their role, each data set once, with units."""

    def __init__(self, group: Any, signal: str, file: str) -> None:
        self.group = group
        self.file = file
        self.used: set[str | bytes] = {signal}
        self.by_role: dict[str, np.ndarray] = {}
        self.units: dict[str, str | None] = {}

    def take(self, role: str, key: str | bytes | None) -> None:
        """Take the data set ``key`` as ``role``, if it is there, numeric and not taken yet."""
        if not key or key in self.used or (isinstance(key, str) and key not in self.group):
            return
        item = follow(self.group, key, self.file)
        if hasattr(item, "keys") or item.dtype.kind not in "biuf" or item.shape is None:
            return
        self.used.add(key)
        self.by_role[role] = read_dataset(item, self.file)
        self.units[role] = unit_of(item)


def _record(group: Any, source: Source, others: Sequence[Any] = ()) -> Record:
    place = f"{source.label}:{name_of(group)}"
    signal = attribute(group, "signal") or ("I" if "I" in group else None)
    if not isinstance(signal, str) or signal not in group:
        raise FormatError(
            f"{place} names the signal {signal!r}, but holds {', '.join(keys_of(group)) or 'nothing'}"
        )
    data = follow(group, signal, source.label)
    check_values(data, source.label)
    taken = _Arrays(group, signal, source.label)
    taken.take("sigma", named_by(group, data, UNCERTAINTIES, ("Idev", f"{signal}_errors", "errors")))
    taken.take("mask", named_by(group, data, ("mask", "Mask", "I_mask", "Mask_name"), ("Mask",)))
    is_curve = data.ndim == 1
    if is_curve:
        _take_q(taken, place)
    else:
        _take_components(taken, data.shape)
    for key, stored in keys_of(group).items():
        taken.take(key, stored)
    values = read_dataset(data, source.label)
    arrays = taken.by_role
    if is_curve and arrays["q"].shape != values.shape:
        raise FormatError(f"{place}: Q has shape {arrays['q'].shape}, {signal} has {values.shape}")
    for key in ("sigma", "mask", "dq", "qx", "qy"):
        if key in arrays and arrays[key].shape != values.shape:
            arrays[f"{key}_as_stored"] = arrays.pop(key)
    entry = enclosing_entry(group)
    used = {key: group[stored] for key, stored in keys_of(group).items() if stored in taken.used}
    beside, long_arrays, long_units = surroundings(group, used.values(), source.label, frozenset())
    beside |= {key: {"@": attributes(item)} for key, item in sorted(used.items()) if len(item.attrs)}
    metadata = {"format": "NXcanSAS", "root": attributes(group.file), "data": beside, "entry": {}}
    if entry is not None:
        metadata["entry"], more_arrays, more_units = surroundings(entry, [group, *others], source.label)
        long_arrays, long_units = long_arrays | more_arrays, long_units | more_units
    own = ("q", "sigma", "dq", "mask") if is_curve else ("qx", "qy", "sigma", "mask")
    fields: dict[str, Any] = {key: arrays.pop(key) for key in own if key in arrays}
    shared: dict[str, Any] = {
        "columns": arrays | long_arrays,
        "units": taken.units | {"intensity" if is_curve else "data": unit_of(data)} | long_units,
        "name": _name(group, entry, source),
        "metadata": metadata,
        "source": f"{source.name}:{name_of(group)}",
    }
    return Curve(intensity=values, **fields, **shared) if is_curve else Frame(data=values, **fields, **shared)


def _take_q(taken: _Arrays, place: str) -> None:
    """q of a curve and its resolution: one name is dq, two are the width and the length of a slit."""
    axes = _axes(taken.group)
    key = next((axis for axis in axes if axis in taken.group), "Q")
    taken.take("q", key)
    if "q" not in taken.by_role:
        raise FormatError(f"{place} has the axis {', '.join(axes) or 'Q'}, but no data set of that name")
    keys = ("resolutions", "resolution", "uncertainties")
    named = words(named_by(taken.group, taken.group[key], keys, ("Qdev",)))
    if len(named) == 1:
        taken.take("dq", named[0])
    for name, role in (*((name, _CURVE_KEYS.get(name, name)) for name in named), *_CURVE_KEYS.items()):
        taken.take(role, name)


def _take_components(taken: _Arrays, shape: tuple[int, ...]) -> None:
    """qx and qy of a frame, from data sets of their own or from one array of vectors, components first."""
    taken.take("qx", "Qx")
    taken.take("qy", "Qy")
    vectors = taken.group.get("Q")
    if "qx" not in taken.by_role and vectors is not None and vectors.shape in ((2, *shape), (3, *shape)):
        taken.used.add("Q")
        for key, component in zip(("qx", "qy", "qz"), read_dataset(vectors, taken.file)):
            taken.by_role[key], taken.units[key] = component, unit_of(vectors)


def _axes(group: Any) -> list[str]:
    for key in ("axes", "I_axes"):
        axes = words(attribute(group, key))
        if axes:
            return axes
    return ["Q"]


def _name(group: Any, entry: Any, source: Source) -> str:
    siblings = [] if entry is None else [g for g in groups_of_class(entry, "SASdata") if g != group]
    if siblings:
        return attribute(group, "canSAS_name") or name_of(group).rpartition("/")[2]
    for key in ("title", "run"):
        if entry is not None and key in entry:
            with contextlib.suppress(FormatError):
                value = scalar_or_list(entry[key], source.label)
                if isinstance(value, str) and value.strip():
                    return value.strip()
    return source.stem
