"""HDF5 files in the making, on disks that may be full."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["create_hdf5"]


@contextmanager
def create_hdf5(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Write a new HDF5 file, `open` for writing; what the system refuses is raised at the end.

    HDF5 itself ends the whole process when the disk is full while it closes a file. It is therefore given a
    stream that never fails and that keeps the first failure for us.

    Raises
    ------
    OSError
        The file cannot be written: the disk is full, a quota is met, ...
    """
    import h5py

    with _Output(path) as output:
        try:
            with h5py.File(output, "w") as file:
                yield file
        except Exception:
            if output.error is not None:
                raise output.error from None
            raise
        if output.error is not None:
            raise output.error


class _Output(io.FileIO):
    """A new file whose writing never fails: ``error`` is the first failure, later data are dropped."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while self.error is None and len(left):
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return self.tell() if size is None else size
