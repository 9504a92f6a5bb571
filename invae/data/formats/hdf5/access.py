"""HDF5 as instruments write it: filters, attributes and texts in all their spellings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.formats.hdf5.parts import check_sources
from invae.data.texts import without_surrogates
from invae.errors import FileError, FormatError, InvaeError

__all__ = [
    "UNCERTAINTIES",
    "attribute",
    "attributes",
    "check_values",
    "follow",
    "keys_of",
    "name_of",
    "named_by",
    "open_hdf5",
    "read_dataset",
    "scalar_or_list",
    "target_of",
    "unit_of",
    "words",
]

# Attributes that name the errors of a signal, of the data set or its group.
UNCERTAINTIES = ("uncertainties", "uncertainty", "I_uncertainties", "I_uncertainty")
# What HDF5 says of a file that another program holds: its lock, or the mark of an open writer in the file.
_HELD = re.compile(
    r"unable to lock file|already open for (?:write|read)|SWMR|consistency flags", re.IGNORECASE
)


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading with all hdf5plugin filters at hand.

    Raises
    ------
    FileError
        The file is missing, or another program is writing it.
    FormatError
        It is damaged.
    """
    import h5py
    import hdf5plugin  # noqa: F401  (importing it registers the filters)

    label = without_surrogates(str(path))
    if not path.is_file():
        raise FileError(f"no file at {label}")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if _HELD.search(str(error)):
            raise FileError(
                f"{label} is locked or being written by another program (SWMR), or its writer was stopped: "
                "wait "
                "until it is closed; if nothing writes it any more, `h5clear -s` frees it"
            ) from error
        raise FormatError(f"{label}: damaged HDF5 file ({error})") from error
    try:
        with file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, InvaeError):
            raise
        raise FormatError(f"{label}: damaged HDF5 file ({error})") from error


def follow(group: Any, key: str | bytes, file: str) -> Any:
    """The object that a group holds under a name, or that the link of this name leads to.

    Raises
    ------
    FormatError
        A link leads nowhere; the message names where it leads.
    """
    try:
        return group[key]
    except (KeyError, OSError) as error:
        place = f"{file}:{name_of(group).rstrip('/')}/{_text(key)}"
        target = target_of(group, key, file)
        if target is None:
            raise FormatError(f"{place} is damaged ({error})") from error
        away = "" if target.startswith(":") else ": bring that file"
        raise FormatError(
            f"{place} is a link to {target.removeprefix(':')}, which cannot be followed{away}"
        ) from error


def target_of(group: Any, key: str | bytes, file: str) -> str | None:
    """Where a soft or external link leads, ``FILE:/PATH``; None for a hard link.

    Raises
    ------
    FormatError
        The link is damaged.
    """
    import h5py

    raw = key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
    try:
        kind = group.id.links.get_info(raw).type
        if kind == h5py.h5l.TYPE_HARD:
            return None
        value = group.id.links.get_val(raw)
    except (KeyError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise FormatError(f"{file}: {name_of(group)}: the link {_text(key)!r} is damaged") from error
    parts = value if isinstance(value, tuple) else ("", value)
    return ":".join(map(_text, parts))


def keys_of(group: Any) -> dict[str, str | bytes]:
    """Names in a group as texts, and as h5py wants them: names that are no UTF-8 are bytes there."""
    return {_text(key): key for key in group}


def name_of(item: Any) -> str:
    """Path of an object in its file."""
    return _text(item.name)


def _text(name: str | bytes) -> str:
    """A name of HDF5, which in old files is Latin-1."""
    if isinstance(name, str):
        return without_surrogates(name)
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def read_dataset(dataset: Any, file: str, index: Any = ()) -> np.ndarray:
    """Values of a numeric data set, or of the part that ``index`` slices, as stored.

    Raises
    ------
    FormatError
        The data are no real numbers, or cannot be decoded (damaged, or an unknown filter).
    """
    check_values(dataset, file)
    try:
        return np.asarray(dataset[index])
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        raise FormatError(f"{file}:{name_of(dataset)} cannot be decoded: {error}") from error


def check_values(dataset: Any, file: str) -> None:
    """Refuse an object without real numbers, and one whose numbers lie in files that are not there.

    Raises
    ------
    FormatError
        A group, texts, a null data set, or a missing part; the message names it.
    """
    place = f"{file}:{name_of(dataset)}"
    if not hasattr(dataset, "dtype"):
        raise FormatError(f"{place} is a group, expected a data set of real numbers")
    if dataset.shape is None:
        raise FormatError(f"{place} is a null data set: it was made, but holds no values")
    if dataset.dtype.kind not in "biuf":
        raise FormatError(f"{place} has dtype {dataset.dtype}; expected real numbers")
    check_sources(dataset, file)


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
    return {_text(key): attribute(holder, key) for key in holder.attrs}


def scalar_or_list(dataset: Any, file: str) -> Any:
    """A small data set as plain Python text, number or nested list; one element stands for itself."""
    if dataset.shape is None:
        return None
    try:
        return _plain(dataset[()])
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise FormatError(f"{file}:{name_of(dataset)} cannot be decoded: {error}") from error


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


def named_by(group: Any, dataset: Any, keys: Sequence[str], defaults: Sequence[str]) -> str | None:
    """What an attribute of the data set or its group names in the group, else the first default there."""
    for holder in (dataset, group):
        for key in keys:
            name = attribute(holder, key)
            if isinstance(name, str) and any(word in group for word in words(name)):
                return name
    return next((default for default in defaults if default in group), None)


def _plain(value: Any) -> Any:
    if isinstance(value, str | bytes):
        return _text(value)
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
