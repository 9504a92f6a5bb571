"""NIST raw SANS files of the VAX: 128 x 128 counts behind a header of 512 bytes.

The file is a chain of VMS records, each behind a mark of two bytes (3: whole, 1: first, 0: middle, 2: last
segment): one record of header, then 17 segments of 1021 counts or fewer. Counts are 16-bit integers; a
number c <= -10000 stands for (-c mod 10000) * 10^(-c div 10000). Floats are VAX F: words swapped, exponent
two larger than IEEE's.

References
----------
NCNR SANS data format description, section "SANS File Format".
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from invae.data.formats.source import Source
from invae.data.records import Frame, Record
from invae.errors import FormatError

__all__ = ["is_nist_vax", "read_nist_vax"]

_SIZE = 33316
_PIXELS = 128
_HEADER = 514
_SEGMENT = 1021
_BASE = 10000

# Name, byte offset, kind: f VAX float, i 32-bit integer, or the length of a text.
_FIELDS: tuple[tuple[str, int, str | int], ...] = (
    ("file_name", 2, 21),
    ("prefactors", 23, "i"),
    ("count_time_per_prefactor_s", 27, "i"),
    ("count_time_s", 31, "i"),
    ("runs", 35, "i"),
    ("monitor_count", 39, "f"),
    ("detector_count", 47, "f"),
    ("attenuator", 51, "f"),
    ("date_time", 55, 20),
    ("type", 75, 3),
    ("folder", 78, 11),
    ("mode", 89, 1),
    ("label", 98, 60),
    ("transmission", 158, "f"),
    ("thickness_cm", 162, "f"),
    ("sample_position", 166, "f"),
    ("rotation_degree", 170, "f"),
    ("table", 174, "i"),
    ("holder", 178, "i"),
    ("temperature_C", 186, "f"),
    ("field", 190, "f"),
    ("temperature_unit", 202, 6),
    ("field_unit", 208, 6),
    ("detector_type", 214, 6),
    ("pixel_x_mm", 220, "f"),
    ("pixel_y_mm", 232, "f"),
    ("beam_x_pixel", 252, "f"),
    ("beam_y_pixel", 256, "f"),
    ("detector_distance_m", 260, "f"),
    ("detector_offset_cm", 264, "f"),
    ("detector_width_cm", 268, "f"),
    ("beamstop_diameter_mm", 272, "f"),
    ("source_aperture_mm", 280, "f"),
    ("sample_aperture_mm", 284, "f"),
    ("aperture_distance_m", 288, "f"),
    ("wavelength_A", 292, "f"),
    ("wavelength_spread", 296, "f"),
    ("lens", 300, "f"),
    ("beamstop_x_cm", 368, "f"),
    ("beamstop_y_cm", 372, "f"),
    ("transmission_count", 388, "f"),
    ("whole_detector_transmission", 392, "f"),
    ("associated_files", 404, 42),
)


def is_nist_vax(source: Source) -> bool:
    """Whether size and first bytes are those of such a file."""
    return source.size == _SIZE and source.head[:2] == b"\x03\0" and source.head[75:78] == b"RAW"


def read_nist_vax(source: Source) -> list[Record]:
    """Read the counts as int32 (128, 128), rows along y; the raw header bytes are the record's ``header``
    (Latin-1).

    Raises
    ------
    FormatError
        The record marks are not where they must be.
    """
    raw = source.raw
    words = np.frombuffer(raw, "<i2", offset=_HEADER)
    marks = words[:: _SEGMENT + 1]
    expected = [1] + [0] * (len(marks) - 2) + [2]
    if marks.tolist() != expected:
        bad = int(np.argmax(marks != expected))
        byte = _HEADER + 2 * bad * (_SEGMENT + 1)
        raise FormatError(
            f"{source.label} byte {byte}: record mark {marks[bad]}, expected {expected[bad]}: damaged file"
        )
    counts = np.delete(words, np.arange(0, len(words), _SEGMENT + 1)).astype(np.int64)
    packed = counts <= -_BASE
    counts[packed] = (-counts[packed] % _BASE) * 10 ** (-counts[packed] // _BASE)
    fields = {name: _field(raw, offset, kind) for name, offset, kind in _FIELDS}
    frame = Frame(
        data=counts.astype(np.int32).reshape(_PIXELS, _PIXELS),
        units={"data": "counts"},
        name=source.name,
        metadata={"format": "NIST VAX", "fields": fields},
        header=raw[:_HEADER].decode("latin-1"),
        source=source.name,
    )
    return [frame]


def _field(raw: bytes, offset: int, kind: str | int) -> Any:
    if isinstance(kind, int):
        return raw[offset : offset + kind].decode("latin-1").rstrip(" \0")
    if kind == "i":
        return struct.unpack_from("<i", raw, offset)[0]
    return _vax_float(raw[offset : offset + 4])


def _vax_float(four: bytes) -> float:
    """Value of four bytes in VAX F format.

    Examples
    --------
    >>> _vax_float(bytes.fromhex("80400000")), _vax_float(bytes.fromhex("a2415c8f"))
    (1.0, 5.079999923706055)
    """
    high, low = struct.unpack("<HH", four)
    sign, exponent, fraction = high >> 15, (high >> 7) & 0xFF, ((high & 0x7F) << 16) | low
    if exponent == 0:
        return 0.0
    return (-1.0) ** sign * (1 + fraction / 2**23) * 2.0 ** (exponent - 129)
