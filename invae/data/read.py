"""One entry to every format: the content decides, never the extension alone."""

from __future__ import annotations

import os
from pathlib import Path

from invae.data.arrays.files import split_inner_path
from invae.data.formats.columns import NOTE_PREFIX, read_columns
from invae.data.formats.foreign import refuse_foreign
from invae.data.formats.images import is_cbf, is_edf, is_tiff, read_cbf, read_edf, read_tiff
from invae.data.formats.isis2d import is_isis2d, read_isis2d
from invae.data.formats.nist_vax import is_nist_vax, read_nist_vax
from invae.data.formats.qxqy import is_danse, is_qxqy, read_danse, read_qxqy
from invae.data.records import Record
from invae.errors import FileError, FormatError

__all__ = ["read"]

_HDF5 = b"\x89HDF\r\n\x1a\n"


def read(path: str | os.PathLike[str], q_unit: str | None = None, lazy: bool | None = None) -> list[Record]:
    """Read every record of a scattering file.

    Parameters
    ----------
    path : path
        canSAS XML; NXcanSAS, canSAS2012 or NeXus HDF5; columns of text; two-dimensional text of NIST, ISIS
        and DANSE; NIST VAX binary; TIFF, CBF or EDF images. ``file.h5:/entry/data`` picks one group or data
        set of an HDF5 file.
    q_unit : str, optional
        Unit of q, for instance ``"1/nm"``, where the file does not state it. Without it such a file brings an
        `InvaeWarning` and its unit stays ``None``.
    lazy : bool, optional
        Leave stacks of HDF5 images on disk until they are sliced; by default those above 256 MiB.

    Returns
    -------
    list of Curve or Frame
        Never empty.

    Raises
    ------
    FileError
        The file is missing or cannot be opened.
    FormatError
        The content is of an unknown format or damaged; the message names the place.

    Examples
    --------
    >>> from importlib.resources import files
    >>> curves = read(files("sasdata") / "example_data" / "1d_data" / "ISIS_Polymer_Blend_TK49.xml")
    >>> curves[0].name, curves[0].shape, curves[0].units["q"]
    ('LOQ_Standard_TK49_SANS', (102,), '1/A')
    """
    file, inner = split_inner_path(path)
    head = _head(file)
    if head.startswith(_HDF5):
        from invae.data.formats.nxcansas import read_hdf5

        return read_hdf5(file, inner, lazy)
    if inner is not None:
        raise FormatError(f"{file.name} is not an HDF5 file, so it has no path {inner!r} inside")
    if not head:
        raise FormatError(f"{file.name}: the file is empty")
    if is_tiff(head):
        return list(read_tiff(file))
    refuse_foreign(file, head)
    raw = file.read_bytes()
    if NOTE_PREFIX.encode() in head:
        return [read_columns(file, raw, q_unit)]
    if is_cbf(head):
        return list(read_cbf(file, raw))
    if is_edf(head):
        return list(read_edf(file, raw))
    if is_nist_vax(raw):
        return [read_nist_vax(file, raw)]
    if _is_xml(head):
        from invae.data.formats.cansas_xml import read_cansas_xml

        return list(read_cansas_xml(file, raw))
    if is_danse(head):
        return [read_danse(file, raw)]
    if is_isis2d(head):
        return [read_isis2d(file, raw)]
    if is_qxqy(head):
        return [read_qxqy(file, raw, q_unit)]
    return [read_columns(file, raw, q_unit)]


def _head(file: Path) -> bytes:
    if file.is_dir():
        raise FileError(f"{file} is a folder; pass the files in it")
    if not file.exists():
        raise FileError(f"no file at {file}")
    try:
        with open(file, "rb") as stream:
            return stream.read(4096)
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error.strerror}") from error


def _is_xml(head: bytes) -> bool:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "ignore").encode()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"<"):
        return False
    # "<X> <Y>" is the usual label line of a text table, not a tag.
    return start.startswith((b"<?", b"<!")) or (
        start[1:2].isalpha() and not start[:3].upper().startswith(b"<X>")
    )
