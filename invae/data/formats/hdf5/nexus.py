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
)
from invae.data.formats.hdf5.tree import enclosing_entry, groups_of_class, surroundings
from invae.data.formats.note import from_note
from invae.data.formats.source import Source
from invae.data.records import Frame, Record

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
            return np.asarray(read_dataset(file[self.name], str(self.path), index))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<Hdf5Stack {self.dtype} {self.shape} at {self.path.name}:{self.name}>"


def group_frames(group: Any, source: Source, taken: set[Any], others: Sequence[Any] = ()) -> list[Record]:
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
    signals = _signals(group, source.label)
    for signal in signals:
        if signal.id not in taken:
            taken.add(signal.id)
            frames.append(_frame(group, signal, signals, source, others))
    return frames


def dataset_frame(dataset: Any, source: Source) -> Frame:
    """A data set that was named by its path, as it is."""
    return Frame(
        data=_values(dataset, source),
        units={"data": unit_of(dataset)},
        name=f"{source.stem}{name_of(dataset)}",
        metadata={"format": "HDF5", "attributes": attributes(dataset)},
        source=f"{source.name}:{name_of(dataset)}",
    )


def noted_records(source: Source, start: Any) -> list[Record]:
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
            return _values(self.entry[place], source)

    records = []
    for entry in groups_of_class(start, "NXentry"):
        if NOTE_GROUP in entry:
            text = scalar_or_list(entry[NOTE_GROUP]["data"], source.label)
            records.append(
                from_note(str(text), Stored(entry), f"{source.label}:{name_of(entry)}/{NOTE_GROUP}")
            )
    return records


def _signals(group: Any, label: str) -> list[Any]:
    name = attribute(group, "signal")
    if isinstance(name, str) and name in group:
        return [follow(group, name, label)]
    members = {key: follow(group, stored, label) for key, stored in keys_of(group).items()}
    numeric = {key: item for key, item in members.items() if _is_numeric(item)}
    marked = [item for item in numeric.values() if str(attribute(item, "signal")) == "1"]
    if marked:
        return marked
    images = {key: item for key, item in numeric.items() if item.ndim >= 2}
    errors = {f"{key}_errors" for key in images} | ({"errors"} if len(images) == 2 else set())
    return [item for key, item in images.items() if key not in errors]


def _is_numeric(item: Any) -> bool:
    dtype = getattr(item, "dtype", None)
    return dtype is not None and dtype.kind in "biuf" and item.shape is not None


def _values(dataset: Any, source: Source) -> Any:
    check_values(dataset, source.label)
    if source.lazy or (source.lazy is None and dataset.nbytes > LAZY_BYTES):
        return Hdf5Stack(Path(dataset.file.filename), dataset.name)
    return read_dataset(dataset, source.label)


def _sigma(group: Any, signal: Any, signals: Sequence[Any]) -> Any:
    """Data set with the errors of a signal: named by an attribute, ``SIGNAL_errors`` or ``errors``."""
    defaults = [f"{name_of(signal).rpartition('/')[2]}_errors", *(["errors"] if len(signals) == 1 else [])]
    name = named_by(group, signal, UNCERTAINTIES, defaults)
    item: Any = group.get(name) if name is not None else None
    return item if _is_numeric(item) and item.shape == signal.shape else None


def _frame(group: Any, signal: Any, signals: Sequence[Any], source: Source, others: Sequence[Any]) -> Frame:
    entry = enclosing_entry(group) or group
    sigma = _sigma(group, signal, signals)
    known = [*signals, *others] if sigma is None else [*signals, sigma, *others]
    tree, arrays, units = surroundings(entry, known, source.label)
    if sigma is not None:
        units |= {"sigma": unit_of(sigma)}
    return Frame(
        data=_values(signal, source),
        sigma=None if sigma is None else read_dataset(sigma, source.label),
        columns=arrays,
        units=units | {"data": unit_of(signal)},
        name=source.stem if name_of(signal).count("/") <= 3 else f"{source.stem}{name_of(signal)}",
        metadata={
            "format": "NeXus",
            "root": attributes(group.file),
            "data": attributes(signal),
            "entry": tree,
        },
        source=f"{source.name}:{name_of(signal)}",
    )
