"""Files that are something else: what they are, and the way out, in one sentence."""

from __future__ import annotations

import re

from invae.data.formats.source import Source
from invae.data.records import Record
from invae.errors import FormatError

__all__ = ["is_foreign", "refuse_foreign"]

_MARKS = {
    b"\x93NUMPY": "a NumPy array",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"\xff\xd8\xff": "a JPEG picture",
}
_BSL_NAME = re.compile(r"[A-Z]\d{5}\.[A-Z0-9]{3}")  # A00000.XYZ: letter, run and day, file of the set, kind


def is_foreign(source: Source) -> bool:
    """Whether name and first bytes say that this is no scattering file, or one of a kind not read."""
    return _what(source) is not None


def refuse_foreign(source: Source) -> list[Record]:
    """Say what the file is, and the way out.

    Raises
    ------
    FormatError
        Always.
    """
    raise FormatError(f"{source.label} {_what(source)}")


def _what(source: Source) -> str | None:
    head = source.head
    for mark, what in _MARKS.items():
        if head.startswith(mark):
            return f"is {what}, not a scattering file"
    if head.startswith(b"BM") and b"\0" in head[:16]:
        return "is a BMP picture, not a scattering file"
    if _BSL_NAME.fullmatch(source.name.upper()):
        return (
            "belongs to a BSL / OTOKO data set, which is not read: convert it to NXcanSAS or to columns of "
            "text, "
            "for instance with the file converter of SasView"
        )
    if head.startswith(b"#F ") and re.search(rb"^#(E|D|S) ", head, re.MULTILINE):
        return (
            "is a log of SPEC, scans of motors and counters: give the reduced curve or the detector's images "
            "instead"
        )
    return None
