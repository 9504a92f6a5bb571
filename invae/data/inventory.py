"""What every file of a folder holds, as rows for a table: one row a file, read or refused."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.arguments import file_path
from invae.data.read import read
from invae.data.records import Curve, Record
from invae.errors import FileError, InvaeError, InvaeWarning

__all__ = ["inventory", "inventory_row"]


def inventory(folder: str | os.PathLike[str], q_unit: str | None = None) -> list[dict[str, Any]]:
    """Read every file at or below ``folder`` and say what was kept, or why it was refused.

    Returns
    -------
    list of dict
        One JSON-able row for each file, in order of its path: `inventory_row`.

    Raises
    ------
    FileError
        ``folder`` is no folder.
    """
    folder = file_path(folder, "folder")
    if not folder.is_dir():
        raise FileError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [{"file": path.relative_to(folder).as_posix()} | inventory_row(path, q_unit) for path in paths]


def inventory_row(path: Path, q_unit: str | None = None) -> dict[str, Any]:
    """Row of one file.

    Keys: ``bytes, format, records, values, shape`` (of the first record), ``dtype``, ``kept`` (arrays beside
    the values), ``nan``, ``negative``, ``q_zero``, ``q_unsorted`` (counts over all records),
    ``header_characters``, ``q_unit``, ``warning`` and ``error``; what does not apply is None.
    """
    row: dict[str, Any] = {"bytes": path.stat().st_size, "format": None, "records": 0, "error": None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InvaeWarning)
        try:
            records = read(path, q_unit)
        except InvaeError as error:
            return row | {"error": str(error)}
    told = [str(item.message) for item in caught if issubclass(item.category, InvaeWarning)]
    return row | _of_records(records) | {"warning": told[0] if told else None}


def _of_records(records: list[Record]) -> dict[str, Any]:
    first = records[0]
    values = [np.asarray(record.values) for record in records]
    curves = [record for record in records if isinstance(record, Curve)]
    kept = {key for record in records for key in record.arrays()} - {"q", "intensity", "data"}
    return {
        "format": first.metadata.get("format"),
        "records": len(records),
        "values": sum(array.size for array in values),
        "shape": " x ".join(map(str, first.shape)),
        "dtype": first.values.dtype.str,
        "kept": sorted(key.removeprefix("columns/") for key in kept),
        "nan": sum(int(np.isnan(array).sum()) for array in values if array.dtype.kind == "f"),
        "negative": sum(int((array < 0).sum()) for array in values if array.dtype.kind in "if"),
        "q_zero": sum(int((curve.q == 0).sum()) for curve in curves) if curves else None,
        "q_unsorted": sum(int((np.diff(curve.q) < 0).sum()) for curve in curves) if curves else None,
        "header_characters": sum(len(record.header) for record in records),
        "q_unit": first.units.get("q", first.units.get("qx")),
    }
