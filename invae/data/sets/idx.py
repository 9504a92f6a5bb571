"""IDX files, the format of MNIST and Fashion-MNIST: one big-endian array of any rank, plain or gzipped.

Layout: two zero bytes, a type code, the number of dimensions d, d sizes as 4-byte unsigned integers, the
values.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from invae.data.arguments import file_path
from invae.errors import FileError, FormatError

__all__ = ["read_idx"]

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_BYTES = 1 << 33


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file, gzipped or not (its first bytes tell), as an array in native byte order.

    Returns
    -------
    ndarray
        Of the file's own shape and type: MNIST images are uint8 (N, 28, 28), labels uint8 (N,).

    Raises
    ------
    FileError
        There is no such file.
    FormatError
        Not an IDX file, cut short, or with bytes left over; the message gives the byte offset.
    """
    path = file_path(path)
    if not path.is_file():
        raise FileError(f"no IDX file at {path}; `invae data fetch mnist` downloads one")
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.open(raw) if zipped else raw as file:
            try:
                return _parse(file, path)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise FormatError(
                    f"{path}: the gzip stream is damaged ({error}); fetch the file again"
                ) from error


def _parse(file, path: Path) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in DTYPES or head[3] == 0:
        raise FormatError(
            f"{path}: bytes 0..3 are {head.hex(' ') or 'missing'}, an IDX file starts with 00 00, type code "
            f"({', '.join(f'{code:02x}' for code in DTYPES)}) and its number of dimensions"
        )
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise FormatError(
            f"{path}: ends at byte {4 + len(sizes)}, inside the list of its {head[3]} dimensions"
        )
    shape = struct.unpack(f">{head[3]}I", sizes)
    dtype = np.dtype(DTYPES[head[2]])
    n_bytes, start = math.prod(shape) * dtype.itemsize, 4 + 4 * head[3]
    if n_bytes > MOST_BYTES:
        raise FormatError(
            f"{path}: the header claims {n_bytes} bytes of values, shape {shape}; that is not believed"
        )
    body = file.read(n_bytes + 1)
    if len(body) != n_bytes:
        state = "ends at" if len(body) < n_bytes else "goes on past"
        where = start + min(len(body), n_bytes)
        raise FormatError(
            f"{path}: {state} byte {where}, but shape {shape} of {dtype} ends at byte {start + n_bytes}"
        )
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))
