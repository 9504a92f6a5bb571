"""A file that is being read: the bytes by which its format is known, and what the caller said of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from invae.data.texts import without_surrogates
from invae.errors import FileError

__all__ = ["HEAD_BYTES", "Source", "is_hdf5", "is_npy", "is_tiff"]

HEAD_BYTES = 4096
_HDF5 = b"\x89HDF\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class Source:
    """One file for the readers.

    Parameters
    ----------
    path : Path
        The file.
    inner : str, optional
        Path inside an HDF5 file.
    q_unit : str, optional
        Unit of q where the file does not state it.
    lazy : bool, optional
        Leave stacks of images on disk; None leaves large ones there.
    """

    path: Path
    inner: str | None = None
    q_unit: str | None = None
    lazy: bool | None = None

    @property
    def label(self) -> str:
        """The file as messages name it: its whole path, as it was given."""
        return without_surrogates(os.fspath(self.path))

    @property
    def name(self) -> str:
        """Name of the file without its folder, as records keep it."""
        return without_surrogates(self.path.name)

    @property
    def stem(self) -> str:
        """Name of the file without its ending."""
        return without_surrogates(self.path.stem)

    @cached_property
    def head(self) -> bytes:
        """The first bytes.

        Raises
        ------
        FileError
            There is no such file, or it cannot be opened.
        """
        return self._read(HEAD_BYTES)

    @cached_property
    def raw(self) -> bytes:
        """All bytes."""
        return self._read(-1)

    @cached_property
    def size(self) -> int:
        """Number of bytes."""
        return self.path.stat().st_size

    def _read(self, count: int) -> bytes:
        if self.path.is_dir():
            raise FileError(f"{self.label} is a folder; pass the files in it")
        if not self.path.exists():
            raise FileError(f"no file at {self.label}")
        try:
            with open(self.path, "rb") as stream:
                return stream.read(count)
        except OSError as error:
            raise FileError(f"{self.label} cannot be read: {error.strerror}") from error


def is_hdf5(source: Source) -> bool:
    """Whether a file is HDF5: its signature stands at the beginning or, behind a user block, at 512 * 2^k."""
    if source.head.startswith(_HDF5):
        return True
    offset = 512
    with open(source.path, "rb") as stream:
        while offset + len(_HDF5) <= source.size:
            stream.seek(offset)
            if stream.read(len(_HDF5)) == _HDF5:
                return True
            offset *= 2
    return False


def is_tiff(source: Source) -> bool:
    """Whether the first bytes are those of a TIFF or BigTIFF."""
    return source.head[:4] in _TIFF


def is_npy(source: Source) -> bool:
    """Whether the first bytes are those of NumPy's own format."""
    return source.head.startswith(b"\x93NUMPY")
