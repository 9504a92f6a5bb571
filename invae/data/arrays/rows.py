"""Arrays larger than memory: read by rows, written by rows, and continued where a run stopped.

`open_rows` gives an array on disk that is sliced along its first axis. `RowWriter` fills ``OUT.part`` row by
row, which one writer at a time holds; beside it ``OUT.part.json`` says how many rows are safely there and of
which job they are. When all rows are written the part file becomes the output in one step. A job is anything
JSON-able that pins down what is written: a writer of the same job continues, one of another job refuses.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from invae.data.arguments import real_array
from invae.data.arrays.atomic import atomic_path, open_locked, settle, unwritten
from invae.data.arrays.files import find_dataset, read_array, split_inner_path
from invae.data.formats.hdf5.access import check_values, open_hdf5
from invae.data.formats.hdf5.output import create_hdf5
from invae.data.formats.images.tiff import read_tiff_array
from invae.data.formats.source import Source, is_hdf5, is_tiff
from invae.errors import FileError, InputError, InvaeError

__all__ = ["RowWriter", "identity", "open_rows"]


@contextmanager
def open_rows(path: str | os.PathLike[str]) -> Iterator[Any]:
    """An array on disk with ``shape``, ``dtype`` and slicing: .npy, HDF5 (``file.h5:/path``) or TIFF.

    Only what is sliced is read, of a compressed TIFF the pages that are.

    Raises
    ------
    FileError, FormatError
        As `invae.data.read_array`.
    """
    file, inner = split_inner_path(path)
    source = Source(file, inner)
    if file.is_file() and is_hdf5(source):
        with open_hdf5(file) as h5:
            dataset = find_dataset(h5, file, inner)
            check_values(dataset, source.label)
            yield dataset
    elif file.is_file() and is_tiff(source):
        yield read_tiff_array(Source(file, lazy=True))
    else:
        yield read_array(path)


def identity(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What tells one version of a file from another without reading it: path, size, time of change."""
    file, inner = split_inner_path(path)
    facts = os.stat(file)
    return {
        "path": os.path.abspath(file),
        "inner": inner,
        "bytes": facts.st_size,
        "changed": facts.st_mtime_ns,
    }


class RowWriter:
    """Write an array of known shape row by row, whole or to be continued.

    Parameters
    ----------
    path : path
        .npy, .h5 (``file.h5:/path``, default ``/data``) or .tif; the format is named by the ending.
    shape : tuple of int
        Shape of the whole array, rows first.
    dtype : dtype
    job : mapping
        JSON-able; rows of an earlier run are kept only where it had the same job.
    overwrite : bool
        Replace an existing output, and a part file of another job.

    Attributes
    ----------
    done : int
        Rows already written.

    Raises
    ------
    FileError
        The output exists, its folder is missing, or a part file of another job is in the way.
    InputError
        The format cannot be told from the ending, or cannot hold the array.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with RowWriter(folder / "x.npy", (4, 2), np.float32, {"job": 1}) as out:
    ...     out.write(np.ones((3, 2)))
    ...     out.write(np.zeros((1, 2)))
    >>> np.load(folder / "x.npy").sum()
    np.float32(6.0)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shape: tuple[int, ...],
        dtype: Any,
        job: Mapping[str, Any],
        overwrite: bool = False,
    ) -> None:
        self.path, self._inner = split_inner_path(path)
        self._shape, self._dtype = tuple(int(n) for n in shape), np.dtype(dtype)
        self._job = json.loads(json.dumps({**job, "shape": list(self._shape), "dtype": self._dtype.str}))
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._record = self.path.with_name(f"{self.path.name}.part.json")
        self._overwrite = overwrite
        if self.path.exists() and not overwrite:
            raise FileError(f"{self.path} exists already; choose another name or allow overwriting (--force)")
        if not self.path.parent.is_dir():
            raise FileError(
                f"cannot write {self.path}: the folder {self.path.parent} does not exist; create it first"
            )
        if min(self._shape, default=0) < 1:
            raise InputError(f"cannot write an array of shape {self._shape} row by row; it holds no value")
        self._file: BinaryIO = os.fdopen(open_locked(self._part, self.path), "r+b")
        try:
            self.done, self._offset = self._continued()
        except BaseException:
            self._file.close()
            raise

    def write(self, rows: np.ndarray) -> None:
        """Append rows; when this returns they are on disk and noted.

        Raises
        ------
        FileError
            They cannot be written, for instance because the disk is full.
        """
        rows = real_array(rows, "rows")
        if rows.shape[1:] != self._shape[1:] or self.done + len(rows) > self._shape[0]:
            left = (self._shape[0] - self.done, *self._shape[1:])
            raise InputError(f"rows of shape {rows.shape} do not fit into what is left, {left}")
        row_bytes = self._dtype.itemsize * math.prod(self._shape[1:])
        try:
            self._file.seek(self._offset + self.done * row_bytes)
            self._file.write(np.ascontiguousarray(rows, self._dtype).data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            kept = f"{self.done} rows are kept and the same call goes on from there"
            raise unwritten(self.path, error, kept) from error
        self.done += len(rows)
        self._note()

    def rewind(self, done: int) -> None:
        """Forget all but the first ``done`` rows."""
        if not 0 <= done <= self.done:
            raise InputError(f"cannot go back to row {done} of {self.done} written ones")
        self.done = done
        self._note()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rename the part file to the output when all rows are there; otherwise leave it to be continued."""
        try:
            if self.done == self._shape[0]:
                settle(self._part, self.path, self._overwrite)
                self.discard()
            elif self.done == 0:
                self.discard()
        finally:
            self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def discard(self) -> None:
        """Remove the part file and its note."""
        self._part.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def _continued(self) -> tuple[int, int]:
        """Rows of an earlier run of the same job, and where they start in the part file; or a new file."""
        if self._record.exists() and os.fstat(self._file.fileno()).st_size:
            try:
                note = json.loads(self._record.read_text(encoding="utf-8"))
                same = note["job"] == self._job
                done, offset = int(note["done"]), int(note["offset"])
            except (OSError, ValueError, KeyError, TypeError):
                same, done, offset = False, 0, 0
            if same:
                return done, offset
            if not self._overwrite:
                raise FileError(
                    f"{self._part} is the unfinished output of another job (other data, model or library); "
                    "delete it, or start anew with --force"
                )
        try:
            ending = self.path.suffix.lower()
            self._offset = _create(self._part, ending, self._inner, self._shape, self._dtype)
            if hasattr(os, "posix_fallocate"):  # a disk that is too small is told before the work, not after
                size = self._offset + self._dtype.itemsize * math.prod(self._shape)
                os.posix_fallocate(self._file.fileno(), 0, size)
            self.done = 0
            self._note()
        except OSError as error:
            self.discard()
            raise error if isinstance(error, InvaeError) else unwritten(self.path, error) from error
        except BaseException:
            self.discard()
            raise
        return 0, self._offset

    def _note(self) -> None:
        with atomic_path(self._record, overwrite=True) as temporary:
            temporary.write_text(json.dumps({"done": self.done, "offset": self._offset, "job": self._job}))


def _create(part: Path, ending: str, inner: str | None, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Make a file of the format with room for all values; where in it the values start."""
    if inner is not None and ending not in (".h5", ".hdf5", ".hdf", ".nxs"):
        raise InputError(f"{part.stem}: only HDF5 files (.h5) have a path inside")
    if ending == ".npy":
        with open(part, "wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            return file.tell()
    if ending in (".h5", ".hdf5", ".hdf", ".nxs"):
        import h5py

        with create_hdf5(part) as h5:
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            dataset = h5.create_dataset(inner or "/data", shape, dtype, dcpl=creation, track_times=False)
            offset = dataset.id.get_offset()
        return int(offset)
    if ending in (".tif", ".tiff"):
        import tifffile

        if len(shape) < 2 or dtype.kind == "b":
            raise InputError(
                f"a TIFF cannot hold an array of shape {shape} and dtype {dtype}; use .npy or .h5"
            )
        return int(tifffile.memmap(part, shape=shape, dtype=dtype, photometric="minisblack").offset)
    raise InputError(f"cannot tell the format of {part.stem!r} from its ending; use .npy, .h5 or .tif")
