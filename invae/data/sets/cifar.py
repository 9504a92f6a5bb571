"""CIFAR-10 in its binary version: records of one label byte and 3 x 1024 bytes of red, green and blue planes.

The Python version of the set is a pickle, which invae does not open.
"""

from __future__ import annotations

import os
import re
import tarfile
import zlib
from pathlib import Path

import numpy as np

from invae.data.arguments import file_path
from invae.errors import FileError, FormatError, InputError

__all__ = ["read_cifar"]

RECORD = 1 + 3 * 32 * 32
MEMBERS = {"train": re.compile(r"data_batch_\d+\.bin$"), "test": re.compile(r"test_batch\.bin$")}


def read_cifar(path: str | os.PathLike[str], part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) and labels (N,), uint8, of one .bin file or one part of the .tar.gz archive.

    Parameters
    ----------
    part : {"train", "test"}
        Which batches of an archive; of no meaning for a .bin file.

    Raises
    ------
    FileError
        There is no such file.
    FormatError
        Not an archive that holds such batches, or a batch that is not whole records.
    """
    path = file_path(path)
    if part not in MEMBERS:
        raise InputError(f"part={part!r}; CIFAR-10 has the parts {' and '.join(MEMBERS)}")
    if not path.is_file():
        raise FileError(f"no CIFAR-10 file at {path}; `invae data fetch cifar10` downloads one")
    batches = {str(path): path.read_bytes()} if path.suffix == ".bin" else _unpack(path, MEMBERS[part])
    for name, batch in batches.items():
        if len(batch) == 0 or len(batch) % RECORD:
            raise FormatError(
                f"{name}: {len(batch)} bytes are not whole records of {RECORD}; fetch the file again"
            )
    records = np.frombuffer(b"".join(batches.values()), np.uint8).reshape(-1, RECORD)
    if (records[:, 0] > 9).any():
        first = int(np.argmax(records[:, 0] > 9))
        raise FormatError(f"{path}: record {first} has the label {records[first, 0]}, CIFAR-10 has 0 .. 9")
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].copy()


def _unpack(path: Path, wanted: re.Pattern) -> dict[str, bytes]:
    """Contents of the wanted members, read in memory: nothing is extracted to disk."""
    try:
        with tarfile.open(path) as archive:
            members = sorted(
                (m for m in archive if m.isfile() and wanted.search(m.name)), key=lambda m: m.name
            )
            opened = {f"{path}:{member.name}": archive.extractfile(member) for member in members}
            batches = {name: stream.read() for name, stream in opened.items() if stream is not None}
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise FormatError(f"{path}: not a CIFAR-10 archive or .bin file: {error}") from error
    if not batches:
        raise FormatError(
            f"{path}: holds no {wanted.pattern}; pass cifar-10-binary.tar.gz or one of its .bin files"
        )
    return batches
