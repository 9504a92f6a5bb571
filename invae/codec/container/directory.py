"""Where the records of an archive lie: directories of large archives, heads of small ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import zstandard

from invae.codec.bounds import KINDS, Bound
from invae.codec.coding.varint import Reader, Writer
from invae.errors import FormatError, InputError

__all__ = ["MOST_RECORDS", "VERSION", "Directory", "assemble", "locate"]

MAGIC = b"INVA"
VERSION = 1
WHOLE = 128  # added to the version when there is one group only
HEAD = len(MAGIC) + 1
TRAILER = 8
CONTAINERS = ("array", "arrays", "named arrays", "record", "records", "stack")
RATIO_UNITS = 250  # of the largest error in one bound: a byte holds errors a little beyond, too
MOST_RECORDS = 1 << 24  # more than one file sensibly holds: a number beyond is damage
MOST_BYTES = 1 << 31  # that a directory may unpack to


@dataclass
class Directory:
    """How to hand the records of an archive back, and where its groups lie."""

    container: str
    bound: Bound
    sigma_bound: Bound
    names: list[str] | None = None
    groups: list[tuple[int, int, int, float]] = field(
        default_factory=list
    )  # records, bytes, CRC-32, largest error
    models: list[bytes] = field(default_factory=list)

    @property
    def n_records(self) -> int:
        """Number of records in all groups."""
        return sum(group[0] for group in self.groups)

    def encode(self) -> bytes:
        """Bytes of the directory of an archive with several groups, zstd-compressed where that is shorter."""
        out = self._write_head()
        out.number(len(self.groups))
        for n_records, n_bytes, crc, ratio in self.groups:
            out.number(n_records).number(n_bytes).raw(crc.to_bytes(4, "little")).byte(_ratio_byte(ratio))
        plain = bytes(out.data)
        packed = zstandard.ZstdCompressor(level=12, write_content_size=True).compress(plain)
        return b"\0" + plain if len(plain) <= len(packed) else b"\1" + packed

    def encode_whole(self) -> bytes:
        """Head of an archive with one group."""
        n_records, _, _, ratio = self.groups[0]
        return bytes(self._write_head().number(n_records).byte(_ratio_byte(ratio)).data)

    def _write_head(self) -> Writer:
        flags = CONTAINERS.index(self.container)
        flags |= (
            (self.names is not None) << 3
            | bool(self.models) << 4
            | (self.sigma_bound.kind != "lossless") << 5
        )
        out = Writer().byte(flags)
        _write_bound(out, self.bound)
        if self.sigma_bound.kind != "lossless":
            _write_bound(out, self.sigma_bound)
        if self.models:
            out.block(self.models[0])
        if self.names is not None:
            out.block("\0".join(self.names).encode("utf-8", "surrogatepass"))
        return out

    @classmethod
    def decode(cls, data: bytes, origin: int) -> Directory:
        """Inverse of `encode`."""
        reader = Reader(data, origin)
        form = reader.byte()
        if form == 1:
            reader = Reader(reader.unpacked(reader.rest(), MOST_BYTES), origin)
        elif form != 0:
            raise reader.fail(f"directory form {form} is unknown to this version")
        directory = cls._read_head(reader)
        directory.groups = [
            (
                reader.number(),
                reader.number(),
                int.from_bytes(reader.raw(4), "little"),
                reader.byte() / RATIO_UNITS,
            )
            for _ in range(reader.number())
        ]
        directory._check(reader)
        return directory

    @classmethod
    def decode_whole(cls, data: bytes) -> tuple[Directory, int]:
        """Inverse of `encode_whole` on a whole file; also returns the offset of the group."""
        reader = Reader(data[: len(data) - 4])
        reader.raw(HEAD)
        directory = cls._read_head(reader)
        n_records, ratio = reader.number(), reader.byte() / RATIO_UNITS
        start = reader.offset
        group = reader.rest()
        directory.groups = [(n_records, len(group), zlib.crc32(group), ratio)]
        directory._check(reader)
        return directory, start

    @classmethod
    def _read_head(cls, reader: Reader) -> Directory:
        flags = reader.byte()
        if flags & 7 >= len(CONTAINERS) or flags > 63:
            raise reader.fail(f"container {flags} is unknown to this version")
        try:
            bound = _read_bound(reader)
            sigma_bound = _read_bound(reader) if flags & 32 else Bound("lossless")
            models = [reader.block()] if flags & 16 else []
            names = reader.block().decode("utf-8", "surrogatepass").split("\0") if flags & 8 else None
        except (UnicodeDecodeError, InputError) as error:
            raise reader.fail(f"the head cannot be read ({error})") from error
        return cls(CONTAINERS[flags & 7], bound, sigma_bound, names, [], models)

    def _check(self, reader: Reader) -> None:
        if self.n_records > MOST_RECORDS:
            raise reader.fail(f"{self.n_records} records are more than an archive may hold")
        if self.names is not None and len(self.names) != self.n_records:
            raise reader.fail(f"{len(self.names)} names for {self.n_records} records")
        if self.container in ("array", "record") and self.n_records != 1:
            raise reader.fail(f"{self.n_records} records where one belongs")
        if self.container == "stack" and {group[0] for group in self.groups} != {1}:
            raise reader.fail("a stack is not of groups of one block each")


def assemble(directory: Directory, groups: Sequence[bytes]) -> bytes:
    """Put the bytes of an archive together; ``directory.groups`` must describe ``groups``."""
    if len(groups) == 1:
        body = MAGIC + bytes([VERSION + WHOLE]) + directory.encode_whole() + groups[0]
        return body + zlib.crc32(body).to_bytes(4, "little")
    packed = directory.encode()
    head = MAGIC + bytes([VERSION])
    length = len(packed).to_bytes(4, "little")
    crc = zlib.crc32(head + packed + length).to_bytes(4, "little")
    return b"".join([head, *groups, packed, length, crc])


def locate(read: Callable[[int, int], bytes], size: int) -> tuple[Directory, list[int]]:
    """Find the groups of an archive of ``size`` bytes: its directory, and offsets of groups and their end.

    Raises
    ------
    FormatError
        Not an archive, of a newer version, truncated or damaged.
    """
    head = read(0, min(HEAD, size))
    if head[: len(MAGIC)] != MAGIC:
        raise FormatError(f"byte 0: {head[:4]!r} where {MAGIC!r} belongs; this is no invae archive")
    if size < HEAD + TRAILER:
        raise FormatError(f"byte {size}: the archive ends too early; it is truncated, restore a copy")
    version = head[len(MAGIC)] % WHOLE
    if version != VERSION:
        raise FormatError(
            f"byte {len(MAGIC)}: archive format {version}, this invae reads format {VERSION}: upgrade invae"
        )
    if head[len(MAGIC)] > WHOLE:
        data = read(0, size)
        if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            raise FormatError("byte 0: the archive fails its checksum; truncated or damaged, restore a copy")
        directory, start = Directory.decode_whole(data)
        return directory, [start, size - 4]
    trailer = read(size - TRAILER, TRAILER)
    n = int.from_bytes(trailer[:4], "little")
    start = size - TRAILER - n
    if start < HEAD:
        raise FormatError(
            f"byte {size - TRAILER}: a directory of {n} bytes does not fit; "
            "truncated or damaged, restore a copy"
        )
    packed = read(start, n)
    if zlib.crc32(head + packed + trailer[:4]) != int.from_bytes(trailer[4:], "little"):
        raise FormatError(
            f"byte {start}: the directory fails its checksum; truncated or damaged, restore a copy"
        )
    directory = Directory.decode(packed, start)
    offsets = [HEAD]
    for _, n_bytes, _, _ in directory.groups:
        offsets.append(offsets[-1] + n_bytes)
    if offsets[-1] != start:
        raise FormatError(f"byte {start}: groups end at byte {offsets[-1]} instead; damaged, restore a copy")
    return directory, offsets


def _ratio_byte(ratio: float) -> int:
    """Largest error in 1/250 of the bound, rounded up."""
    return min(255, -int(-ratio * RATIO_UNITS // 1))


def _write_bound(out: Writer, bound: Bound) -> None:
    out.byte(KINDS.index(bound.kind))
    if bound.kind != "lossless":
        out.short(bound.value)


def _read_bound(reader: Reader) -> Bound:
    kind = reader.byte()
    if kind >= len(KINDS):
        raise reader.fail(f"bound kind {kind} is unknown to this version")
    return Bound(KINDS[kind], 0.0 if kind == 0 else reader.short())
