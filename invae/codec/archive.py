"""Archives: groups of records with checksums, a directory at the end, any record by its name.

The byte layout is in FORMAT.md beside this file.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import zstandard

from invae.codec.bounds import KINDS, Bound
from invae.codec.group import decode_group
from invae.codec.model import CodecModel, find_model
from invae.codec.varint import Reader, Writer
from invae.errors import FileError, FormatError, InputError

__all__ = ["Archive", "Directory", "assemble"]

MAGIC = b"INVA"
VERSION = 1
HEAD = len(MAGIC) + 1
TRAILER = 8
CONTAINERS = ("array", "arrays", "named arrays", "record", "records")
RATIO_UNITS = 250


@dataclass
class Directory:
    """What the end of an archive says: how to hand its records back and where their groups lie."""

    container: str
    bound: Bound
    sigma_bound: Bound
    names: list[str] | None = None
    groups: list[tuple[int, int, int, float]] = field(
        default_factory=list
    )  # records, bytes, CRC-32, largest error
    models: list[bytes] = field(default_factory=list)

    def encode(self) -> bytes:
        """Bytes of the directory, zstd-compressed where that is shorter."""
        out = Writer().byte(CONTAINERS.index(self.container))
        for bound in (self.bound, self.sigma_bound):
            out.byte(KINDS.index(bound.kind))
            if bound.kind != "lossless":
                out.short(bound.value)
        out.number(len(self.models))
        for model in self.models:
            out.block(model)
        out.number(len(self.groups))
        for n_records, n_bytes, crc, ratio in self.groups:
            out.number(n_records).number(n_bytes).raw(crc.to_bytes(4, "little"))
            out.byte(min(255, -int(-ratio * RATIO_UNITS // 1)))
        names = b"" if self.names is None else "\0".join(self.names).encode()
        out.byte(int(self.names is not None)).raw(names)
        plain = bytes(out.data)
        packed = zstandard.ZstdCompressor(level=12, write_content_size=True).compress(plain)
        return b"\0" + plain if len(plain) <= len(packed) else b"\1" + packed

    @classmethod
    def decode(cls, data: bytes, origin: int) -> Directory:
        """Inverse of `encode`."""
        reader = Reader(data, origin)
        form = reader.byte()
        if form == 1:
            reader = Reader(_unpacked(reader), origin)
        elif form != 0:
            raise reader.fail(f"directory form {form} is unknown to this version")
        container = reader.byte()
        if container >= len(CONTAINERS):
            raise reader.fail(f"container {container} is unknown to this version")
        try:
            bound, sigma_bound = _read_bound(reader), _read_bound(reader)
            models = [reader.block() for _ in range(reader.number())]
            groups = [
                (
                    reader.number(),
                    reader.number(),
                    int.from_bytes(reader.raw(4), "little"),
                    reader.byte() / RATIO_UNITS,
                )
                for _ in range(reader.number())
            ]
            named = reader.byte()
            rest = reader.rest()
            names = rest.decode().split("\0") if named else None
        except (UnicodeDecodeError, InputError) as error:
            raise reader.fail(f"the directory holds a text that cannot be read ({error})") from error
        directory = cls(CONTAINERS[container], bound, sigma_bound, names, groups, models)
        if names is not None and len(names) != directory.n_records:
            raise reader.fail(f"{len(names)} names for {directory.n_records} records")
        return directory

    @property
    def n_records(self) -> int:
        """Number of records in all groups."""
        return sum(group[0] for group in self.groups)


def assemble(directory: Directory, groups: Sequence[bytes]) -> bytes:
    """Put the bytes of an archive together; ``directory.groups`` must describe ``groups``."""
    packed = directory.encode()
    head = MAGIC + bytes([VERSION])
    length = len(packed).to_bytes(4, "little")
    crc = zlib.crc32(head + packed + length).to_bytes(4, "little")
    return b"".join([head, *groups, packed, length, crc])


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

    def _open(self) -> None:
        head = self._read(0, min(HEAD, self._size))
        if head[: len(MAGIC)] != MAGIC:
            raise FormatError(f"byte 0: {head[:4]!r} where {MAGIC!r} belongs; this is no invae archive")
        if self._size < HEAD + TRAILER + 1:
            raise FormatError(
                f"byte {self._size}: the archive ends too early; it is truncated, restore a copy"
            )
        if head[len(MAGIC)] > VERSION:
            raise FormatError(
                f"byte {len(MAGIC)}: archive format {head[len(MAGIC)]}, "
                f"this invae reads up to {VERSION}: upgrade invae"
            )
        trailer = self._read(self._size - TRAILER, TRAILER)
        n = int.from_bytes(trailer[:4], "little")
        start = self._size - TRAILER - n
        if start < HEAD:
            raise FormatError(
                f"byte {self._size - TRAILER}: a directory of {n} bytes does not fit; "
                "truncated or damaged, restore a copy"
            )
        packed = self._read(start, n)
        if zlib.crc32(head + packed + trailer[:4]) != int.from_bytes(trailer[4:], "little"):
            raise FormatError(
                f"byte {start}: the directory fails its checksum; truncated or damaged, restore a copy"
            )
        self.directory = Directory.decode(packed, start)
        self._model: CodecModel | None = None
        self._offsets = [HEAD]
        for _, n_bytes, _, _ in self.directory.groups:
            self._offsets.append(self._offsets[-1] + n_bytes)
        if self._offsets[-1] != start:
            raise FormatError(
                f"byte {start}: groups end at byte {self._offsets[-1]} instead; damaged, restore a copy"
            )
        self._starts = [0]
        for n_records, _, _, _ in self.directory.groups:
            self._starts.append(self._starts[-1] + n_records)
        names = self.directory.names
        self._names = [str(k) for k in range(self.directory.n_records)] if names is None else names
        self._index = {name: k for k, name in enumerate(self._names)}
        self._held: tuple[int, list[Any]] | None = None

    def names(self) -> list[str]:
        """Names of the records, in their order."""
        return list(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Any]:
        for k in range(len(self.directory.groups)):
            yield from self._group(k)

    def __getitem__(self, key: str | int) -> Any:
        """Decode one record (and only the group that it lies in)."""
        if isinstance(key, str):
            if key not in self._index:
                near = ", ".join(self._names[:5]) + (", .." if len(self._names) > 5 else "")
                raise InputError(f"no record {key!r} in {self._path}; there are {near}")
            key = self._index[key]
        n = len(self)
        if not -n <= key < n:
            raise InputError(f"record {key} is not among the {n} of {self._path}")
        key %= n
        group = next(g for g in range(len(self._starts)) if self._starts[g + 1] > key)
        return self._group(group)[key - self._starts[group]]

    def verify(self) -> dict[str, Any]:
        """Check every checksum, decode every record, return `info`; `FormatError` at the first fault."""
        for k in range(len(self.directory.groups)):
            self._group(k)
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
        n_records, n_bytes, crc, _ = self.directory.groups[k]
        data = self._read(self._offsets[k], n_bytes)
        if zlib.crc32(data) != crc:
            raise FormatError(
                f"{self._path}: byte {self._offsets[k]}: group {k} ({n_bytes} bytes) fails its checksum; "
                "the archive is damaged, restore a copy"
            )
        try:
            if self._model is None and self.directory.models:
                self._model = find_model(self.directory.models[0], self._given)
            records = decode_group(data, self._offsets[k], n_records, self._model)
        except FormatError as error:
            raise FormatError(f"{self._path}: {error}") from error
        except (MemoryError, OverflowError) as error:
            raise FormatError(
                f"{self._path}: byte {self._offsets[k]}: group {k} asks for too much memory ({error})"
            ) from error
        self._held = (k, records)
        return records

    def _read(self, offset: int, n: int) -> bytes:
        if self._data is not None:
            return self._data[offset : offset + n]
        if self._file is None or self._file.closed:
            raise FileError(f"{self._path} is closed; open the archive again")
        self._file.seek(offset)
        return self._file.read(n)


def _read_bound(reader: Reader) -> Bound:
    kind = reader.byte()
    if kind >= len(KINDS):
        raise reader.fail(f"bound kind {kind} is unknown to this version")
    return Bound(KINDS[kind], 0.0 if kind == 0 else reader.short())


def _unpacked(reader: Reader) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(reader.rest(), max_output_size=1 << 31)
    except zstandard.ZstdError as error:
        raise reader.fail(f"zstd data cannot be decoded ({error})") from error
