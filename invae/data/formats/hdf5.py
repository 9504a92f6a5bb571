"""HDF5 as instruments write it: filters, attributes and texts in all their spellings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from invae.errors import FileError, FormatError, InvaeError

__all__ = [
    "attribute",
    "attributes",
    "check_sources",
    "open_hdf5",
    "read_dataset",
    "scalar_or_list",
    "unit_of",
    "words",
]


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading with all hdf5plugin filters at hand.

    Raises
    ------
    FileError, FormatError
        The file is missing, or damaged.
    """
    import h5py
    import hdf5plugin  # noqa: F401  (importing it registers the filters)

    if not path.is_file():
        raise FileError(f"no file at {path}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FormatError(f"{path.name}: damaged HDF5 file ({error})") from error
    try:
        with file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, InvaeError):
            raise
        raise FormatError(f"{path.name}: damaged HDF5 file ({error})") from error


def read_dataset(dataset: Any, file: str, index: Any = ()) -> np.ndarray:
    """Values of a numeric data set, or of the part that ``index`` slices, as stored.

    Raises
    ------
    FormatError
        The data are no real numbers, or cannot be decoded (damaged, or an unknown filter).
    """
    if dataset.dtype.kind not in "biuf" or dataset.shape is None:
        raise FormatError(f"{file}:{dataset.name} has dtype {dataset.dtype}; expected real numbers")
    check_sources(dataset, file)
    try:
        return np.asarray(dataset[index])
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        raise FormatError(f"{file}:{dataset.name} cannot be decoded: {error}") from error


def check_sources(dataset: Any, file: str) -> None:
    """Refuse a virtual data set whose files are absent: HDF5 would give fill values for their part.

    Raises
    ------
    FormatError
        A file that the data set is made of is missing.
    """
    if not dataset.is_virtual:
        return
    folder = Path(dataset.file.filename).parent
    for source in dataset.virtual_sources():
        name = source.file_name
        # A printf-style name stands for a series of files, of which there may be any number.
        if name != "." and "%" not in name and not (folder / name).exists():
            raise FormatError(f"{file}:{dataset.name} needs the file {name}, which is missing: bring it")


def attribute(holder: Any, key: str) -> Any:
    """Attribute as plain Python text, number or list; None when absent or unreadable."""
    if key not in holder.attrs:
        return None
    try:
        return _plain(holder.attrs[key])
    except (OSError, TypeError, ValueError):
        return None


def attributes(holder: Any) -> dict[str, Any]:
    """All attributes as plain Python values."""
    return {key: attribute(holder, key) for key in holder.attrs}


def scalar_or_list(dataset: Any, file: str) -> Any:
    """A small data set as plain Python text, number or nested list; one element stands for itself."""
    if dataset.shape is None:
        return None
    try:
        return _plain(dataset[()])
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise FormatError(f"{file}:{dataset.name} cannot be decoded: {error}") from error


def unit_of(dataset: Any) -> str | None:
    """Unit in the attribute ``units`` or, in older files, ``unit``; None when the file does not say."""
    unit = attribute(dataset, "units")
    unit = attribute(dataset, "unit") if unit is None else unit
    return unit if isinstance(unit, str) else None


def words(value: Any) -> list[str]:
    """Names in an attribute, which may be one text with commas, colons or spaces, or a list of texts."""
    if value is None:
        return []
    if isinstance(value, str):
        return [word for word in re.split(r"[\s,:]+", value.strip("[] ")) if word]
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "V" or value.dtype.kind == "c":
            return str(value.tolist())
        value = value.tolist()
        if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list):
            return _plain(value[0])
        return _plain(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item()) if not isinstance(value, np.void) else str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
