"""Detector images in CBF, the crystallographic binary file: pixels as stored, with the header's text.

The length and the checksum that the file states must be those of its bytes: fabio only logs where they are
not.
"""

from __future__ import annotations

import base64
import hashlib
import re
import warnings
from typing import Any

import numpy as np

from invae.data.formats.images.logged import strict_log
from invae.data.formats.images.values import plain
from invae.data.formats.source import Source
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["is_cbf", "read_cbf"]

_BINARY = b"\x0c\x1a\x04\xd5"
_NO_CHECKSUM = "A" * 22 + "=="  # sixteen zero bytes: written where none was computed
_DECODED = {"x-cbf_byte_offset"}


def is_cbf(source: Source) -> bool:
    """Whether the first bytes are those of a crystallographic binary file."""
    return source.head.lstrip().startswith(b"###CBF")


def read_cbf(source: Source) -> list[Record]:
    """Read the image of a CBF file; everything before the binary part is the record's ``header``.

    Raises
    ------
    FormatError
        Cut off, bytes that are not those of the checksum, several images, or an unknown compression.
    """
    raw = source.raw
    end = raw.find(_BINARY)
    if end < 0:
        raise FormatError(f"{source.label}: a CBF without a binary section")
    header = raw[:end].decode("latin-1")
    _check_bytes(header, raw[end + len(_BINARY) :], source.label)
    data, fields = _decoded(source)
    frame = Frame(
        data=data,
        units={"data": None},
        name=source.stem,
        metadata={"format": "CBF", "fields": fields},
        header=header,
        source=source.name,
    )
    return [frame]


def _check_bytes(header: str, binary: bytes, label: str) -> None:
    # The last section's fields: a CBF may hold loops of other texts before.
    section = header.rpartition("--CIF-BINARY-FORMAT-SECTION--")[2]
    fields = {
        key.lower(): value for key, value in re.findall(r"^([\w-]+):[ \t]*(\S+)", section, re.MULTILINE)
    }
    conversion = re.search(r'conversions\s*=\s*"?([\w-]+)', section)
    if conversion is not None and conversion[1].lower() not in _DECODED:
        raise FormatError(
            f"{label}: compression {conversion[1]} is not read; convert it to x-CBF_BYTE_OFFSET"
        )
    try:
        size = int(fields["x-binary-size"])
    except (KeyError, ValueError) as error:
        raise FormatError(f"{label}: the binary section does not state its X-Binary-Size") from error
    if len(binary) < size:
        raise FormatError(f"{label}: cut off after {len(binary)} of the {size} bytes of its image")
    stated = fields.get("content-md5", _NO_CHECKSUM)
    found = base64.b64encode(hashlib.md5(binary[:size], usedforsecurity=False).digest()).decode()
    if stated not in (_NO_CHECKSUM, found):
        raise FormatError(
            f"{label}: damaged: the checksum of the image's bytes is {found}, the file states {stated}"
        )
    if binary.find(_BINARY, size) >= 0:
        raise FormatError(f"{label}: holds several images, of which only the first could be read; split it")


def _decoded(source: Source) -> tuple[np.ndarray, dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fabio.cbfimage import CbfImage
    with strict_log("fabio", source.label):
        try:
            image = CbfImage().read(str(source.path), check_MD5=False)
            return np.array(image.data), {str(key): plain(value) for key, value in image.header.items()}
        except Exception as error:  # of damaged files fabio raises what its parsing happens to meet
            raise FormatError(f"{source.label}: fabio cannot read it ({error})") from error
