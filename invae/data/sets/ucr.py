"""Time-series sets of the UCR archive: one series per line, its class label first.

The 2018 archive separates by tabs, older copies by commas or blanks. Missing values are ``NaN``; series of
unequal length end in NaN. A copy saved as .npy holds the same columns.

References
----------
[1] Dau et al. (2018), The UCR time series classification archive.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from invae.data.arguments import file_path
from invae.errors import FileError, FormatError

__all__ = ["LabelledSeries", "read_ucr"]


class LabelledSeries(NamedTuple):
    """``series`` (N, T) float64, NaN where a value is missing; ``labels`` (N,), integers if all are whole."""

    series: np.ndarray
    labels: np.ndarray


def read_ucr(path: str | os.PathLike[str]) -> LabelledSeries:
    """Read one file of a UCR set.

    Raises
    ------
    FileError
        There is no such file.
    FormatError
        A line that is not numbers, or is longer or shorter than the first; the message gives the line.
    """
    path = file_path(path)
    if not path.is_file():
        raise FileError(f"no UCR file at {path}; `invae data fetch cbf` downloads the set CBF")
    table = _read_npy(path) if path.suffix == ".npy" else _read_text(path)
    labels = table[:, 0]
    if not np.isfinite(labels).all():
        line = int(np.argmin(np.isfinite(labels))) + 1
        raise FormatError(f"{path}:{line}: the class label, in the first column, is missing")
    whole = labels == np.round(labels)
    return LabelledSeries(table[:, 1:].copy(), labels.astype(np.int64) if whole.all() else labels.copy())


def _read_text(path: Path) -> np.ndarray:
    rows: list[np.ndarray] = []
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: byte {error.start} is not text; a UCR file is plain numbers") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        # Tabs and commas separate fields that may be empty; blanks only separate.
        fields = line.split("\t") if "\t" in line else line.split(",") if "," in line else line.split()
        try:
            row = np.array([float(field or "nan") for field in map(str.strip, fields)])
        except ValueError as error:
            raise FormatError(f"{path}:{number}: {error}; a UCR line is a label and numbers") from error
        if len(row) < 2:
            raise FormatError(f"{path}:{number}: only {len(row)} column; a UCR line is a label and a series")
        if rows and len(row) != len(rows[0]):
            raise FormatError(
                f"{path}:{number}: {len(row)} columns where the first line has {len(rows[0])}; "
                "pad shorter series with NaN"
            )
        rows.append(row)
    if not rows:
        raise FormatError(f"{path}: holds no series")
    return np.array(rows)


def _read_npy(path: Path) -> np.ndarray:
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(f"{path}: not an array of numbers: {error}") from error
    if table.ndim != 2 or table.shape[1] < 2 or len(table) == 0 or table.dtype.kind not in "fiu":
        raise FormatError(
            f"{path}: shape {table.shape} of {table.dtype}, expected (N, 1 + T) numbers, label first"
        )
    return table.astype(np.float64)
