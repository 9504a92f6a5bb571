"""Detector images in TIFF, CBF and EDF: pixels as stored, sentinels included, with the header's text."""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.records import Frame
from invae.errors import FormatError

__all__ = ["is_cbf", "is_edf", "is_tiff", "read_cbf", "read_edf", "read_tiff"]

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_CBF_BINARY = b"\x0c\x1a\x04\xd5"
_FABIO_ERRORS = (OSError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError, RuntimeError)
_FABIO_ERRORS += (AssertionError, EOFError, MemoryError, struct.error, zlib.error)
# Tags that say where the pixels lie in the file, not what they are.
_LAYOUT_TAGS = {
    "StripOffsets",
    "StripByteCounts",
    "TileOffsets",
    "TileByteCounts",
    "FreeOffsets",
    "FreeByteCounts",
}


def is_tiff(head: bytes) -> bool:
    """Whether the first bytes are those of a TIFF or BigTIFF."""
    return head[:4] in _TIFF


def is_cbf(head: bytes) -> bool:
    """Whether the first bytes are those of a crystallographic binary file."""
    return head.lstrip().startswith(b"###CBF")


def is_edf(head: bytes) -> bool:
    """Whether the first bytes are those of an ESRF data file."""
    start = head.lstrip()
    return start.startswith(b"{") and any(key in start for key in (b"HeaderID", b"Dim_1", b"EDF_"))


def read_tiff(path: Path) -> list[Frame]:
    """Read each series of pages as one frame: a single page is (rows, columns), a stack has its pages first.

    Raises
    ------
    FormatError
        Damaged, a colour picture, or a compression that is not known.
    """
    import tifffile

    frames = []
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as file:
            for index, series in enumerate(file.series):
                page: Any = series.keyframe
                if page.photometric not in (0, 1) or page.samplesperpixel != 1:
                    raise FormatError(f"{path.name}: a colour picture, not a detector image")
                tags = {
                    tag.name: _plain(tag.value) for tag in page.tags.values() if tag.name not in _LAYOUT_TAGS
                }
                description = str(tags.pop("ImageDescription", ""))
                frames.append(
                    Frame(
                        data=series.asarray(),
                        units={"data": None},
                        name=path.stem if len(file.series) == 1 else f"{path.stem}/{index}",
                        metadata={"format": "TIFF", "byte_order": file.byteorder, "tags": tags},
                        header=description,
                        source=path.name if len(file.series) == 1 else f"{path.name} series {index}",
                    )
                )
    except (
        tifffile.TiffFileError,
        ValueError,
        KeyError,
        IndexError,
        OSError,
        TypeError,
        RuntimeError,
    ) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path.name}: damaged or unsupported TIFF ({error})") from error
    if not frames:
        raise FormatError(f"{path.name}: a TIFF without any image")
    return frames


def read_cbf(path: Path, raw: bytes) -> list[Frame]:
    """Read the image of a CBF file; everything before the binary part is the record's ``header``.

    Raises
    ------
    FormatError
        Damaged, or a compression that is not known.
    """
    end = raw.find(_CBF_BINARY)
    if end < 0:
        raise FormatError(f"{path.name}: a CBF without a binary section")
    header = raw[:end].decode("latin-1")
    (image,) = _fabio(path)
    return [_frame(path, image, header, "CBF", path.stem, path.name)]


def read_edf(path: Path, raw: bytes) -> list[Frame]:
    """Read every image of an EDF file with its own header.

    Raises
    ------
    FormatError
        Damaged.
    """
    images = _fabio(path)
    frames = []
    for index, image in enumerate(images):
        fields = {key: str(value) for key, value in image["fields"].items()}
        header = raw[: raw.find(b"}") + 1].decode("latin-1") if index == 0 else ""
        name = path.stem if len(images) == 1 else f"{path.stem}/{index}"
        source = path.name if len(images) == 1 else f"{path.name} image {index}"
        frames.append(_frame(path, image | {"fields": fields}, header, "EDF", name, source))
    return frames


def _frame(path: Path, image: dict[str, Any], header: str, kind: str, name: str, source: str) -> Frame:
    if image["data"] is None or image["data"].dtype.kind not in "biuf":
        raise FormatError(f"{path.name}: the {kind} file holds no image of real numbers")
    return Frame(
        data=image["data"],
        units={"data": None},
        name=name,
        metadata={"format": kind, "fields": image["fields"]},
        header=header,
        source=source,
    )


def _fabio(path: Path) -> list[dict[str, Any]]:
    """Pixels and header fields of every image that fabio finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import fabio

        logging.getLogger("fabio").setLevel(logging.CRITICAL)
        try:
            with fabio.open(str(path)) as file:
                images = []
                for index in range(file.nframes):
                    image = file if file.nframes == 1 else file.getframe(index)
                    fields = {str(key): _plain(value) for key, value in image.header.items()}
                    images.append({"data": np.array(image.data), "fields": fields})
                return images
        except _FABIO_ERRORS as error:
            raise FormatError(f"{path.name}: fabio cannot read it ({error})") from error


def _plain(value: Any) -> Any:
    """A header value as text, number or list of them."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, bool | float | str) or value is None:
        return value
    return int(value) if isinstance(value, int) else str(value)
