"""One entry to every format: the content decides, never the extension alone.

`FORMATS` is the one place where a format is added: its name, the test that knows it by its first bytes, and
its reader.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from invae.data.arrays.files import split_inner_path
from invae.data.formats.cansas_xml import is_xml, read_cansas_xml
from invae.data.formats.foreign import is_foreign, refuse_foreign
from invae.data.formats.hdf5.nxcansas import read_hdf5
from invae.data.formats.images.cbf import is_cbf, read_cbf
from invae.data.formats.images.edf import is_edf, read_edf
from invae.data.formats.images.nist_vax import is_nist_vax, read_nist_vax
from invae.data.formats.images.tiff import read_tiff
from invae.data.formats.source import Source, is_hdf5, is_tiff
from invae.data.formats.text.columns import has_note, read_columns
from invae.data.formats.text.isis2d import is_isis2d, read_isis2d
from invae.data.formats.text.nist_ascii import is_nist_ascii, read_nist_ascii
from invae.data.formats.text.qxqy import is_danse, is_qxqy, read_danse, read_qxqy
from invae.data.records import Record
from invae.errors import FormatError

__all__ = ["FORMATS", "Format", "read"]


class Format(NamedTuple):
    """A format: what it is called, the test by which it is known, and its reader."""

    name: str
    known: Callable[[Source], bool]
    read: Callable[[Source], list[Record]]


# In this order: marks of binary files first, then texts, the least certain last.
FORMATS = (
    Format("HDF5: NXcanSAS, canSAS2012, NeXus", is_hdf5, read_hdf5),
    Format("TIFF", is_tiff, read_tiff),
    Format("a file of another kind", is_foreign, refuse_foreign),
    Format("text with a note of invae", has_note, read_columns),
    Format("CBF", is_cbf, read_cbf),
    Format("EDF", is_edf, read_edf),
    Format("NIST VAX", is_nist_vax, read_nist_vax),
    Format("canSAS XML", is_xml, read_cansas_xml),
    Format("DANSE pixel list", is_danse, read_danse),
    Format("ISIS 2-D text", is_isis2d, read_isis2d),
    Format("NIST 2-D text", is_nist_ascii, read_nist_ascii),
    Format("Qx-Qy text", is_qxqy, read_qxqy),
    Format("columns of text", lambda source: True, read_columns),
)


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
        Leave stacks of HDF5 and TIFF images on disk until they are sliced; by default those above 256 MiB.

    Returns
    -------
    list of Curve or Frame
        Never empty.

    Raises
    ------
    FileError
        The file is missing, cannot be opened, or is being written by another program.
    FormatError
        The content is of an unknown format or damaged; the message names the file and the place in it.

    Examples
    --------
    >>> from importlib.resources import files
    >>> curves = read(files("sasdata") / "example_data" / "1d_data" / "ISIS_Polymer_Blend_TK49.xml")
    >>> curves[0].name, curves[0].shape, curves[0].units["q"]
    ('LOQ_Standard_TK49_SANS', (102,), '1/A')
    """
    file, inner = split_inner_path(path)
    source = Source(file, inner, q_unit, lazy)
    if not source.head:
        raise FormatError(f"{source.label}: the file is empty")
    chosen = next(known for known in FORMATS if known.known(source))
    if inner is not None and chosen.known is not is_hdf5:
        raise FormatError(f"{source.label} is not an HDF5 file, so it has no path {inner!r} inside")
    return chosen.read(source)
