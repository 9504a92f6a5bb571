"""One exit to every format: what is written is read back and compared before the file appears."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from invae.data.arguments import file_path, one_of
from invae.data.arrays.atomic import atomic_path
from invae.data.formats.hdf5.write_nxcansas import write_nxcansas
from invae.data.formats.text.write_columns import columns_bytes
from invae.data.formats.write_cansas_xml import cansas_xml_bytes
from invae.data.read import read
from invae.data.records import Curve, Frame, Record, identical
from invae.errors import FormatError, InputError, InvaeError, InvaeWarning

__all__ = ["FORMATS", "Format", "write"]


class Format(NamedTuple):
    """A format: its usual endings, the most records it holds, and the writer of them to a path.

    The writer is called as ``write(records, temporary, target, with_notes)``: without notes first, and with
    them where the file would not give the records back.
    """

    endings: tuple[str, ...]
    most: float
    write: Callable[[list[Record], Path, Path, bool], object]


FORMATS = {
    "nxcansas": Format(
        (".h5", ".hdf5", ".hdf", ".nxs"),
        math.inf,
        lambda records, temporary, target, with_notes: write_nxcansas(records, temporary),
    ),
    "cansas_xml": Format(
        (".xml",),
        math.inf,
        lambda records, temporary, target, with_notes: temporary.write_bytes(
            cansas_xml_bytes(records, target, with_notes)
        ),
    ),
    "columns": Format(
        (".dat", ".txt", ".csv", ".abs", ".pdh", ".tsv"),
        1,
        lambda records, temporary, target, with_notes: temporary.write_bytes(
            columns_bytes(records[0], target, native=not with_notes)
        ),
    ),
}


def write(
    records: Record | Iterable[Record],
    path: str | os.PathLike[str],
    format: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write records so that `read` gives them back bit for bit; the file appears whole or not at all.

    Parameters
    ----------
    records : Curve, Frame or several of them
        Text tables hold one curve, canSAS XML curves, NXcanSAS any record.
    path : path
        Target; its ending names the format where ``format`` does not.
    format : {"nxcansas", "cansas_xml", "columns"}, optional
        Format of the file.
    overwrite : bool
        Replace a file that exists.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    InputError
        No record, an unknown format, or a record that the format cannot hold.
    FileError
        The file exists and ``overwrite`` is false, or the folder is missing.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from invae.data.read import read
    >>> curve = Curve(q=np.array([0.1, 0.2]), intensity=np.array([3.0, np.nan]), units={"q": "1/nm"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [again] = read(write(curve, f"{folder}/a.xml"))
    >>> again.units, again.intensity
    ({'q': '1/nm'}, array([ 3., nan]))
    """
    records = [records] if isinstance(records, Curve | Frame) else _checked(records)
    target = file_path(path)
    kind = _format(target, format)
    if not records:
        raise InputError(f"nothing to write to {target}: the list of records is empty")
    if len(records) > FORMATS[kind].most:
        raise InputError(
            f"a text table holds one curve, got {len(records)}; write .xml or .h5, or a file for each"
        )
    with atomic_path(target, overwrite) as temporary:
        # A record that came from the same format may need no note; whether its plain form is enough is tried.
        for with_notes in (False, True):
            FORMATS[kind].write(records, temporary, target, with_notes)
            if _comes_back(records, temporary):
                break
        else:
            raise FormatError(
                f"{target}: the records cannot be written as {kind} without loss; write .h5 instead"
            )
    return target


def _checked(records: Any) -> list[Record]:
    several = isinstance(records, Iterable) and not isinstance(records, str | bytes)
    listed = list(records) if several else [records]
    for record in listed:
        if not isinstance(record, Curve | Frame):
            raise InputError(
                "records must be Curve or Frame, got "
                f"{type(record).__module__}.{type(record).__qualname__}: make one, "
                "invae.Frame(data=array), or write the plain array with write_array"
            )
    return listed


def _format(target: Path, format: str | None) -> str:
    if format is not None:
        return one_of(format, FORMATS, "format")
    for kind, known in FORMATS.items():
        if target.suffix.lower() in known.endings:
            return kind
    listed = ", ".join(ending for known in FORMATS.values() for ending in known.endings)
    raise InputError(
        f"cannot tell the format of {target.name!r} from its ending; use {listed}, or pass format"
    )


def _comes_back(records: list[Record], temporary: Path) -> bool:
    """Whether reading gives the records again; the place where they were read is the only thing that may
    differ."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        try:
            again = read(temporary)
        except InvaeError:
            return False
    if len(again) != len(records):
        return False
    for record, other in zip(records, again):
        changes: dict[str, Any] = {"source": record.source}
        if other.name == temporary.stem:
            # The format has no place for a name: the file's name stands for it.
            changes["name"] = record.name
        # A unit of q that the user stated stands in no plain text table; it is stated again when reading.
        if "table" in record.metadata and other.units.get("q", "") is None:
            changes["units"] = dict(other.units) | {"q": record.units.get("q")}
        if not identical(record, other.replace(**changes)):
            return False
    return True
