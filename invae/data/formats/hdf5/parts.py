"""Data sets whose values lie in other files: all of them must be there.

For a missing part HDF5 gives fill values or fewer frames without a word. So each virtual source is looked
up, the sources of a source, too, and each external file of raw values is there at its full length.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from pathlib import Path
from typing import Any

from invae.data.texts import without_surrogates
from invae.errors import FormatError, InvaeWarning

__all__ = ["check_sources"]

_DEEPEST = 32
_UNLIMITED = 2**64 - 1  # H5F_UNLIMITED: the last external file may be of any length
_HYPERSLABS = 2  # H5S_SEL_HYPERSLABS


def check_sources(dataset: Any, file: str, depth: int = 0) -> None:
    """Refuse a data set that is made of files which are missing, or which lack what it needs of them.

    Raises
    ------
    FormatError
        A file, a data set in it or a part of its values is missing, at any depth; the message names it.
    """
    if depth > _DEEPEST:
        raise FormatError(f"{file}:{dataset.name} is virtual over more than {_DEEPEST} levels, or of itself")
    for name, offset, length in dataset.external or ():
        _check_raw(dataset, file, name, offset, length)
    if dataset.chunks is not None:
        _check_chunks(dataset, file)
    if dataset.is_virtual:
        for source in dataset.virtual_sources():
            _check_virtual(dataset, file, source, depth)


def _check_chunks(dataset: Any, file: str) -> None:
    """Warn of chunks that were never written: for them HDF5 gives fill values."""
    wanted = math.prod(-(-n // chunk) for n, chunk in zip(dataset.shape, dataset.chunks))
    written = dataset.id.get_num_chunks()
    if written < wanted:
        message = (
            f"{file}:{dataset.name}: {wanted - written} of {wanted} chunks were never written; their values "
            f"are the fill value {dataset.fillvalue}"
        )
        warnings.warn(InvaeWarning(message), stacklevel=5)


def _check_raw(dataset: Any, file: str, name: str, offset: int, length: int) -> None:
    prefix = dataset.id.get_access_plist().get_efile_prefix().decode("utf-8", "surrogateescape")
    folder = prefix.replace("${ORIGIN}", str(Path(dataset.file.filename).parent))
    path = Path(folder) / name
    place = f"{file}:{dataset.name} keeps its values in the file {without_surrogates(name)}"
    if not path.exists():
        raise FormatError(f"{place}, which is missing: bring it to {folder or os.getcwd()}")
    needed = offset + (dataset.nbytes if length == _UNLIMITED else min(length, dataset.nbytes))
    if path.stat().st_size < needed:
        raise FormatError(f"{place}, which holds {path.stat().st_size} bytes of {needed}: it is cut off")


def _check_virtual(dataset: Any, file: str, source: Any, depth: int) -> None:
    import h5py

    place = f"{file}:{dataset.name}"
    if re.search(r"(?<!%)(?:%%)*%b", source.file_name):
        _check_series(dataset, place, source.file_name)
        return
    name = source.file_name.replace("%%", "%")
    if name == ".":
        _check_part(dataset.file, dataset, source, place, file, depth)
        return
    path = _found(dataset, name)
    if path is None:
        raise FormatError(f"{place} needs the file {without_surrogates(name)}, which is missing: bring it")
    try:
        with h5py.File(path, "r") as other:
            _check_part(other, dataset, source, place, without_surrogates(str(path)), depth)
    except OSError as error:
        raise FormatError(
            f"{place} needs the file {without_surrogates(name)}, which cannot be opened ({error})"
        ) from error


def _check_part(other: Any, dataset: Any, source: Any, place: str, label: str, depth: int) -> None:
    if "%b" in source.dset_name:
        return
    try:
        part = other[source.dset_name.replace("%%", "%")]
        shape = part.shape
    except (KeyError, AttributeError, OSError) as error:
        raise FormatError(
            f"{place} needs {label}:{without_surrogates(source.dset_name)}, which is not in that file"
        ) from error
    space = source.src_space
    if shape is not None and space.get_select_type() == _HYPERSLABS and space.is_regular_hyperslab():
        slabs = zip(*space.get_regular_hyperslab(), shape)
        if any(
            n != _UNLIMITED and first + (n - 1) * step + size > held for first, step, n, size, held in slabs
        ):
            raise FormatError(
                f"{place} needs more values than {label}:{source.dset_name} of shape {shape} holds"
            )
    check_sources(part, label, depth + 1)


def _check_series(dataset: Any, place: str, pattern: str) -> None:
    """A series of files that is numbered on may end anywhere, but it has no gap."""
    folder = Path(dataset.file.filename).parent
    number = re.compile(r"(\d+)".join(re.escape(part) for part in pattern.replace("%%", "%").split("%b")))
    numbers = {
        int(found[1])
        for path in (folder / pattern).parent.glob("*")
        if (found := number.fullmatch(str(Path(pattern).parent / path.name)))
    }
    gap = next(i for i in range(len(numbers) + 1) if i not in numbers)
    if not numbers or gap < max(numbers):
        missing = pattern.replace("%b", str(gap))
        raise FormatError(f"{place} needs the file {without_surrogates(missing)}, which is missing: bring it")


def _found(dataset: Any, name: str) -> Path | None:
    """Where HDF5 looks for a source: beside the file, where one stands, and beside it by the bare name."""
    folder = Path(dataset.file.filename).parent
    choices = (folder / name, Path(name), folder / Path(name).name)
    return next((path for path in choices if path.is_file()), None)
