"""Archives: groups of records with checksums, a directory at the end, any record by its name.

The byte layout is in FORMAT.md beside this file.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from invae.codec.coding.varint import Reader
from invae.codec.container.directory import VERSION, locate
from invae.codec.fields.field import field_info
from invae.codec.fields.group import ARRAYS, ARRAYS_WITH_SIGMA, ONE_ARRAY, decode_group
from invae.codec.l2.group import L2_GRID_GROUP, L2_GROUP, decode_l2_group
from invae.codec.model import CodecModel, model_for_reading
from invae.errors import FileError, FormatError, InputError

__all__ = ["Archive"]


class Archive:
    """Read access to an archive, record by record.

    Parameters
    ----------
    source : path or bytes
    model : CodecModel, optional
        The model that the archive refers to, where that is not the one of the package.

    Attributes
    ----------
    info : dict
        Format version, container, bounds, number of records, bytes, and the largest verified error in units
        of the bound.

    Raises
    ------
    FileError
        There is no such file.
    FormatError
        Not an archive, of a newer version, or damaged.
    ModelError
        On access: the archive refers to a model that is not at hand.

    Examples
    --------
    >>> import numpy as np
    >>> from invae.codec import compress
    >>> blob = compress({"a": np.arange(5.0), "b": np.zeros(3)}, bound="abs:0.1")
    >>> with Archive(blob) as archive:
    ...     print(archive.names(), archive["b"])
    ['a', 'b'] [0. 0. 0.]
    """

    def __init__(self, source: str | os.PathLike[str] | bytes, model: CodecModel | None = None) -> None:
        self._given = [] if model is None else [model]
        self._path = "archive in memory"
        self._data: bytes | None = None
        self._file: BinaryIO | None = None
        if isinstance(source, bytes | bytearray | memoryview):
            self._data = bytes(source)
            self._size = len(self._data)
        else:
            self._path = os.fspath(source)
            if not Path(source).is_file():
                raise FileError(f"no archive at {source}")
            self._file = open(source, "rb")
            self._size = os.path.getsize(source)
        try:
            self._open()
        except FormatError as error:
            self.close()
            raise FormatError(f"{self._path}: {error}") from error
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._model: CodecModel | None = None
        self.directory, self._offsets = locate(self._read, self._size)
        self._starts = [0]
        for n_records, _, _, _ in self.directory.groups:
            self._starts.append(self._starts[-1] + n_records)
        self._held: tuple[int, list[Any]] | None = None

    def names(self) -> list[str]:
        """Names of the records, in their order."""
        names = self.directory.names
        return [str(k) for k in range(len(self))] if names is None else list(names)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.names())}

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[Any]:
        for k in range(len(self.directory.groups)):
            yield from self._group(k)

    def __getitem__(self, key: str | int) -> Any:
        """Decode one record (and only the group that it lies in)."""
        if isinstance(key, str):
            if key not in self._index:
                near = ", ".join(list(self._index)[:5]) + (", .." if len(self) > 5 else "")
                raise InputError(f"no record {key!r} in {self._path}; there are {near}")
            key = self._index[key]
        n = len(self)
        if not -n <= key < n:
            raise InputError(f"record {key} is not among the {n} of {self._path}")
        key %= n
        group = bisect_right(self._starts, key) - 1
        return self._group(group)[key - self._starts[group]]

    def block_shapes(self) -> tuple[list[tuple[int, ...]], np.dtype]:
        """Shape of every block of one array that is stored in blocks of rows, and its dtype."""
        try:
            infos = [_array_info(self._bytes(k), self._offsets[k]) for k in range(len(self._starts) - 1)]
            if len({(dtype, shape[1:]) for dtype, shape in infos}) != 1 or not infos[0][1]:
                raise FormatError(f"byte 0: {len(infos)} blocks that do not make one array; restore a copy")
        except FormatError as error:
            raise FormatError(f"{self._path}: {error}") from error
        return [shape for _, shape in infos], np.dtype(infos[0][0])

    def verify(self, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
        """Check every checksum, decode every record, return `info`; `FormatError` at the first fault.

        ``progress(done, total)`` is told after each group.
        """
        n_groups = len(self.directory.groups)
        for k in range(n_groups):
            self._group(k)
            if progress is not None:
                progress(k + 1, n_groups)
        return self.info

    @property
    def info(self) -> dict[str, Any]:
        """Facts about the archive, JSON-able."""
        directory = self.directory
        return {
            "format": VERSION,
            "container": directory.container,
            "bound": directory.bound.text,
            "sigma_bound": directory.sigma_bound.text,
            "records": directory.n_records,
            "groups": len(directory.groups),
            "models": [model[:8].hex() if len(model) <= 8 else "embedded" for model in directory.models],
            "bytes": self._size,
            "max_error_in_bounds": max((group[3] for group in directory.groups), default=0.0),
        }

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Archive {self._path}: {len(self)} records, {self.directory.bound.text}, {self._size} bytes>"

    def _group(self, k: int) -> list[Any]:
        if self._held is not None and self._held[0] == k:
            return self._held[1]
        n_records = self.directory.groups[k][0]
        try:
            data = self._bytes(k)
            if self._model is None:
                self._model = model_for_reading(self.directory.models, self._given)
            if data[:1] in (bytes([L2_GROUP]), bytes([L2_GRID_GROUP])):
                records = decode_l2_group(data, self._offsets[k], n_records, self._model)
            else:
                records = decode_group(data, self._offsets[k], n_records, self._model)
        except FormatError as error:
            raise FormatError(f"{self._path}: {error}") from error
        except (MemoryError, OverflowError, RecursionError) as error:
            raise FormatError(
                f"{self._path}: byte {self._offsets[k]}: group {k} asks for too much ({error}); "
                "the archive is damaged or this machine too small for it"
            ) from error
        self._held = (k, records)
        return records

    def _bytes(self, k: int) -> bytes:
        """Group k, if its checksum is right."""
        _, n_bytes, crc, _ = self.directory.groups[k]
        data = self._read(self._offsets[k], n_bytes)
        if zlib.crc32(data) != crc:
            raise FormatError(
                f"byte {self._offsets[k]}: group {k} ({n_bytes} bytes) fails its checksum; "
                "the archive is damaged, restore a copy"
            )
        return data

    def _read(self, offset: int, n: int) -> bytes:
        if self._data is not None:
            return self._data[offset : offset + n]
        if self._file is None or self._file.closed:
            raise FileError(f"{self._path} is closed; open the archive again")
        self._file.seek(offset)
        return self._file.read(n)


def _array_info(data: bytes, origin: int) -> tuple[str, tuple[int, ...]]:
    """dtype and shape of the one array of a group, without decoding it."""
    reader = Reader(data, origin)
    kind = reader.byte()
    if kind in (L2_GROUP, L2_GRID_GROUP):  # behind the way it is coded stands the array with zeros
        reader.byte()
        reader = Reader(reader.block(), origin)
        kind = reader.byte()
    if kind == ONE_ARRAY:
        return field_info(reader.rest())[:2]
    if kind not in (ARRAYS, ARRAYS_WITH_SIGMA) or reader.number() != 1:
        raise reader.fail(f"group kind {kind} where one array belongs")
    if kind == ARRAYS_WITH_SIGMA:
        reader.block()
    return field_info(reader.block())[:2]
