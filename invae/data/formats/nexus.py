"""Detector images and stacks in NeXus HDF5: Eiger, Pilatus, time-of-flight, any NXdata with a signal.

The signal of each NXdata group becomes one `Frame` with the dtype, shape and sentinels of the file. The
signal is what the group's ``signal`` attribute names, else the data set with an attribute ``signal``, else
each numeric data set of two or more axes (Eiger's ``data_000001``, ...). Arrays beside it go to
``columns``, the rest of the entry to ``metadata``.

Stacks above `LAZY_BYTES` stay on disk: ``frame.data`` is an `Hdf5Stack` that reads what is sliced from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.formats.hdf5 import (
    attribute,
    attributes,
    check_sources,
    open_hdf5,
    read_dataset,
    scalar_or_list,
    unit_of,
)
from invae.data.formats.hdf5_tree import enclosing_entry, groups_of_class, surroundings
from invae.data.formats.note import from_note
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["LAZY_BYTES", "NOTE_GROUP", "Hdf5Stack", "dataset_frame", "group_frames", "noted_records"]

LAZY_BYTES = 2**28
NOTE_GROUP = "invae_note"


class Hdf5Stack:
    """Array on disk that is read where it is sliced; the file is open only while it reads.

    Parameters
    ----------
    path : Path
        The HDF5 file.
    name : str
        Path of the data set inside.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        with open_hdf5(path) as file:
            self.shape = tuple(file[name].shape)
            self.dtype = np.dtype(file[name].dtype)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        with open_hdf5(self.path) as file:
            return np.asarray(read_dataset(file[self.name], self.path.name, index))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<Hdf5Stack {self.dtype} {self.shape} at {self.path.name}:{self.name}>"


def group_frames(
    group: Any, path: Path, lazy: bool | None, taken: set[Any], others: Sequence[Any] = ()
) -> list[Record]:
    """Frames of one NXdata group, an open h5py group; empty where it has no signal.

    Parameters
    ----------
    taken : set
        Data sets that are frames already; those of this group are added.
    others : sequence of groups
        Left out of the columns and the metadata, since they give records of their own.

    Raises
    ------
    FormatError
        A signal that cannot be found or decoded.
    """
    frames: list[Record] = []
    for signal in _signals(group, path):
        if signal.id not in taken:
            taken.add(signal.id)
            frames.append(_frame(group, signal, path, lazy, others))
    return frames


def dataset_frame(dataset: Any, path: Path, lazy: bool | None = None) -> Frame:
    """A data set that was named by its path, as it is."""
    return Frame(
        data=_values(dataset, path, lazy),
        units={"data": unit_of(dataset)},
        name=f"{path.stem}{dataset.name}",
        metadata={"format": "HDF5", "attributes": attributes(dataset)},
        source=f"{path.name}:{dataset.name}",
    )


def noted_records(path: Path, start: Any, lazy: bool | None = None) -> list[Record]:
    """Records that `write` put at or below ``start``, each in an entry with a note; empty in files of others.

    Raises
    ------
    FormatError
        A note is damaged.
    """

    class Stored(dict[str, Any]):
        def __init__(self, entry: Any) -> None:
            self.entry = entry

        def __missing__(self, place: str) -> Any:
            return _values(self.entry[place], path, lazy)

    records = []
    for entry in groups_of_class(start, "NXentry"):
        if NOTE_GROUP in entry:
            text = scalar_or_list(entry[NOTE_GROUP]["data"], path.name)
            records.append(from_note(str(text), Stored(entry), f"{path.name}:{entry.name}/{NOTE_GROUP}"))
    return records


def _signals(group: Any, path: Path) -> list[Any]:
    place = f"{path.name}:{group.name}"
    name = attribute(group, "signal")
    if isinstance(name, str) and name in group:
        return [_follow(group, name, place)]
    members = {key: _follow(group, key, place) for key in group}
    numeric = {key: item for key, item in members.items() if _is_numeric(item)}
    marked = [item for item in numeric.values() if str(attribute(item, "signal")) == "1"]
    if marked:
        return marked
    return [item for item in numeric.values() if item.ndim >= 2]


def _follow(group: Any, key: str, place: str) -> Any:
    try:
        return group[key]
    except (KeyError, OSError) as error:
        link = group.get(key, getlink=True)
        target = f"{getattr(link, 'filename', '')}:{getattr(link, 'path', '')}"
        raise FormatError(
            f"{place}/{key} is a link to {target}, which cannot be followed: bring that file"
        ) from error


def _is_numeric(item: Any) -> bool:
    dtype = getattr(item, "dtype", None)
    return dtype is not None and dtype.kind in "biuf" and item.shape is not None


def _values(dataset: Any, path: Path, lazy: bool | None) -> Any:
    check_sources(dataset, path.name)
    if lazy or (lazy is None and dataset.nbytes > LAZY_BYTES):
        return Hdf5Stack(Path(dataset.file.filename), dataset.name)
    return read_dataset(dataset, path.name)


def _frame(group: Any, signal: Any, path: Path, lazy: bool | None, others: Sequence[Any]) -> Frame:
    place = f"{path.name}:{signal.name}"
    entry = enclosing_entry(group) or group
    tree, arrays, units = surroundings(entry, [*_signals(group, path), *others], path.name)
    return Frame(
        data=_values(signal, path, lazy),
        columns=arrays,
        units=units | {"data": unit_of(signal)},
        name=path.stem if signal.name.count("/") <= 3 else f"{path.stem}{signal.name}",
        metadata={
            "format": "NeXus",
            "root": attributes(group.file),
            "data": attributes(signal),
            "entry": tree,
        },
        source=place,
    )
