"""Plain arrays in and out of .npy, HDF5 (``file.h5:/path``) and TIFF files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.arguments import file_path, real_array
from invae.data.arrays.atomic import atomic_path
from invae.data.formats.hdf5.access import open_hdf5, read_dataset
from invae.data.formats.hdf5.output import create_hdf5
from invae.data.formats.images.tiff import read_tiff_array
from invae.data.formats.source import Source, is_hdf5, is_npy, is_tiff
from invae.errors import FileError, FormatError, InputError

__all__ = ["find_dataset", "read_array", "split_inner_path", "write_array"]

_HDF5_ENDINGS = {".h5", ".hdf5", ".hdf", ".nxs"}
_TIFF_ENDINGS = {".tif", ".tiff"}
_DATASET = "/data"
HDF5_AXES = 32  # the most that an HDF5 data set has


def split_inner_path(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Split ``file.h5:/entry/data`` into the file and the path inside, which is None where there is none.

    Examples
    --------
    >>> split_inner_path("run.h5:/entry/data")
    (PosixPath('run.h5'), '/entry/data')
    >>> split_inner_path("run.npy")
    (PosixPath('run.npy'), None)
    """
    text = os.fspath(file_path(path))
    file, mark, inner = text.rpartition(":/")
    if mark and file and not Path(text).exists():
        return Path(file), "/" + inner
    return Path(text), None


def read_array(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one numeric array with its dtype and shape.

    A .npy file comes back memory-mapped and read-only, so it may be larger than the memory. An HDF5 file
    needs the path of a data set unless it holds one only.

    Raises
    ------
    FileError
        There is no such file.
    FormatError
        Another format, a damaged file, or no numbers.
    """
    file, inner = split_inner_path(path)
    source = Source(file, inner, lazy=False)
    if file.is_dir():
        raise FileError(f"{source.label} is a folder, expected a .npy, .h5 or .tif file")
    hdf5 = is_hdf5(source)
    if inner is not None and not hdf5:
        raise FormatError(f"{source.label} is not an HDF5 file, so it has no path {inner!r} inside")
    if is_npy(source):
        try:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError, SyntaxError) as error:
            raise FormatError(f"{source.label}: damaged or not numeric .npy file ({error})") from error
    elif hdf5:
        with open_hdf5(file) as h5:
            array = read_dataset(find_dataset(h5, file, inner), source.label)
    elif is_tiff(source):
        array = read_tiff_array(source)
    else:
        raise FormatError(f"{source.label} is no .npy, HDF5 or TIFF file; `invae info` tells what it holds")
    if array.dtype.kind not in "biuf":
        raise FormatError(f"{source.label} holds values of dtype {array.dtype}; expected real numbers")
    return array


def write_array(path: str | os.PathLike[str], array: Any, overwrite: bool = False) -> Path:
    """Write one array, whole or not at all; the ending (.npy, .h5, .tif) names the format.

    ``file.h5:/path`` names the data set, by default ``/data``; a TIFF holds a stack of pages of the last two
    axes.

    Raises
    ------
    InputError
        Unknown ending, or an array that the format cannot hold.
    FileError
        The file exists and ``overwrite`` is false.
    """
    file, inner = split_inner_path(path)
    array = real_array(array, "array")
    ending = file.suffix.lower()
    if inner is not None and ending not in _HDF5_ENDINGS:
        raise InputError(f"{path}: only HDF5 files (.h5) have a path inside")
    if ending == ".npy":
        with atomic_path(file, overwrite) as temporary:
            np.save(temporary, array, allow_pickle=False)
    elif ending in _HDF5_ENDINGS:
        real_array(array, "array", most_axes=HDF5_AXES)
        with atomic_path(file, overwrite) as temporary, create_hdf5(temporary) as h5:
            h5.create_dataset(inner or _DATASET, data=array, track_times=False)
    elif ending in _TIFF_ENDINGS:
        _write_tiff(file, array, overwrite)
    else:
        raise InputError(f"cannot tell the format of {file.name!r} from its ending; use .npy, .h5 or .tif")
    return file


def find_dataset(h5: Any, file: Path, inner: str | None) -> Any:
    """The data set at ``inner``, or the only numeric one of an open HDF5 file.

    Raises
    ------
    FormatError
        There is none, or more than one to choose from.
    """
    import h5py

    if inner is None:
        found: list[str] = []
        h5.visititems(lambda name, item: found.append(name) if _numeric(item) else None)
        if len(found) != 1:
            listed = ", ".join(found[:8]) + (", ..." if len(found) > 8 else "")
            raise FormatError(
                f"{file.name} holds {len(found)} numeric data sets ({listed}); name {file.name}:/path"
            )
        inner = found[0]
    item = h5.get(inner)
    if not isinstance(item, h5py.Dataset):
        raise FormatError(f"{file.name} has no data set {inner}; its root holds {', '.join(h5) or 'nothing'}")
    return item


def _numeric(item: object) -> bool:
    dtype = getattr(item, "dtype", None)
    return dtype is not None and dtype.kind in "biuf" and getattr(item, "shape", None) is not None


def _write_tiff(file: Path, array: np.ndarray, overwrite: bool) -> None:
    import tifffile

    if array.ndim < 2 or array.size == 0 or array.dtype.kind == "b":
        raise InputError(
            f"a TIFF cannot hold an array of shape {array.shape} and dtype {array.dtype}; use .npy or .h5"
        )
    with atomic_path(file, overwrite) as temporary:
        tifffile.imwrite(
            temporary, array, photometric="minisblack", byteorder=">" if array.dtype.str[0] == ">" else "<"
        )
