"""Detector images in EDF, the ESRF data file: pixels as stored, each image with its own header's text.

Every byte is accounted for: an image that is cut off and bytes behind the last image are errors (fabio fills
with zeros, and passes by). Where one header states the number of the images that follow it, all of them are
read.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from invae.data.formats.images.logged import strict_log
from invae.data.formats.images.values import plain
from invae.data.formats.source import Source
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["is_edf", "read_edf"]

_COUNTS = ("Num_Images", "NumImages", "Num_Frames", "NumFrames", "nframes")
_PADDING = b"\0 \t\r\n\x1a"


def is_edf(source: Source) -> bool:
    """Whether the first bytes are those of an ESRF data file."""
    start = source.head.lstrip()
    return start.startswith(b"{") and any(key in start for key in (b"HeaderID", b"Dim_1", b"EDF_"))


def read_edf(source: Source) -> list[Record]:
    """Read every image of an EDF file with its own header.

    Raises
    ------
    FormatError
        Damaged, cut off, or with bytes that no header accounts for.
    """
    images = _images(source)
    frames: list[Record] = []
    for index, image in enumerate(images):
        one = len(images) == 1
        frame = Frame(
            data=image["data"],
            units={"data": None},
            name=source.stem if one else f"{source.stem}/{index}",
            metadata={"format": "EDF", "fields": image["fields"]},
            header=image["header"],
            source=source.name if one else f"{source.name} image {index}",
        )
        frames.append(frame)
    return frames


def _images(source: Source) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fabio.edfimage import EdfImage
    raw, images, end = source.raw, [], 0
    with strict_log("fabio", source.label):
        try:
            with EdfImage().read(str(source.path)) as file:
                if not file._frames:
                    raise FormatError(f"{source.label}: an EDF file without an image")
                # Where each image lies is known to the frames alone, for which fabio has no public name.
                for index, frame in enumerate(file._frames):
                    size = int(frame.blobsize)
                    if frame.start + size > len(raw):
                        raise FormatError(
                            f"{source.label}: image {index} is cut off after {len(raw) - frame.start} of its "
                            f"{size} bytes"
                        )
                    data = np.array(frame.data)
                    _check_image(data, frame, raw, f"{source.label}: image {index}")
                    fields = {str(key): str(plain(value)) for key, value in frame.header.items()}
                    header = raw[end : frame.start].strip(_PADDING).decode("latin-1")
                    images.append({"data": data, "fields": fields, "header": header})
                    end = frame.start + size
        except FormatError:
            raise
        except Exception as error:  # of damaged files fabio raises what its parsing happens to meet
            raise FormatError(f"{source.label}: fabio cannot read it ({error})") from error
    rest = raw[end:]
    if rest.strip(_PADDING):
        return images + _further(images, rest, source.label)
    return images


def _check_image(data: np.ndarray, frame: Any, raw: bytes, place: str) -> None:
    """The block of one image holds this image and no other."""
    if data.dtype.kind not in "biuf" or data.size == 0:
        raise FormatError(f"{place} holds no real numbers")
    compressed = any(key.upper() == "COMPRESSION" and str(frame.header[key]).strip() for key in frame.header)
    size = int(frame.blobsize)
    if not compressed and size < data.nbytes:
        raise FormatError(f"{place} has {size} bytes, {data.nbytes} are needed for its shape {data.shape}")
    beyond = raw[frame.start + data.nbytes : frame.start + size]
    if not compressed and len(beyond) >= data.nbytes and beyond.strip(_PADDING):
        raise FormatError(
            f"{place} of shape {data.shape} is followed by {len(beyond)} bytes that its header does not "
            "explain"
        )


def _further(images: list[dict[str, Any]], rest: bytes, label: str) -> list[dict[str, Any]]:
    """Images behind the first one that share its header, where that states how many there are."""
    first = images[0]
    fields, data = first["fields"], first["data"]
    counts = {fields[key] for key in _COUNTS if key in fields}
    if len(images) != 1 or counts != {str(1 + len(rest) // data.nbytes)} or len(rest) % data.nbytes:
        raise FormatError(
            f"{label}: {len(rest)} bytes behind the last image are not accounted for by any header: further "
            "images, or a damaged file"
        )
    order = {"h": ">", "l": "<"}.get(fields.get("ByteOrder", "l").lower()[:1], "<")
    values = np.frombuffer(rest, data.dtype.newbyteorder(order)).astype(data.dtype)
    return [
        {"data": image, "fields": fields, "header": first["header"]}
        for image in values.reshape(-1, *data.shape)
    ]
