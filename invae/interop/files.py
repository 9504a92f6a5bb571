"""Reconstruction from file to file, batch by batch: memory stays bounded, an interrupted run is continued."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from invae.data.arrays import write_array
from invae.data.batches import RowWriter, identity, open_rows
from invae.errors import FormatError, InputError

__all__ = ["reconstruct_file"]

BATCH_VALUES = 2**22


def reconstruct_file(
    model: Any,
    measurements: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    job: dict[str, Any] | None = None,
    batch: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[int, ...]:
    """Reconstruct every row of a measurement file with a fitted model.

    Parameters
    ----------
    model : estimator
        Fitted, with ``predict(measurements) -> signals``.
    measurements : path
        (N, m), (N, *measurement shape) or one measurement, in .npy, HDF5 (``file.h5:/path``) or TIFF.
    output : path
        .npy, .h5 or .tif; float32 for float32 measurements, else float64.
    job : dict, optional
        What pins down the model, so that the finished rows of an interrupted run are taken over only from the
        same job; the measurement file is always part of it.
    batch : int, optional
        Rows at a time; by default about four million values.
    overwrite : bool
    progress : callable(done, total), optional

    Returns
    -------
    tuple of int
        Shape of what was written.

    Raises
    ------
    InputError
        Wrong shape, or rows with NaN or infinite values; the message counts rows from 0 in the file.
    FileError, FormatError
        A file is missing, in the way, or of another format.
    """
    with open_rows(measurements) as rows:
        shape_y = _measurement_shape(model)
        single = tuple(rows.shape) == shape_y
        if not single:
            _check_shape(rows.shape, shape_y, measurements)
        n_rows = 1 if single else rows.shape[0]
        step = batch or max(1, min(n_rows, BATCH_VALUES // max(1, math.prod(shape_y or rows.shape[1:]))))
        first = _batch(rows, 0, min(step, n_rows), single, measurements)
        signals = model.predict(first)
        shape = (n_rows, *signals.shape[1:])
        facts = {**(job or {}), "measurements": identity(measurements)}
        if single:
            return _write_one(output, signals[0], overwrite, progress)
        with RowWriter(output, shape, signals.dtype, facts, overwrite) as out:
            if progress:
                progress(out.done, n_rows)
            for start in range(out.done, n_rows, step):
                stop = min(start + step, n_rows)
                if (start, stop) != (0, len(signals)):
                    signals = model.predict(_batch(rows, start, stop, single, measurements))
                out.write(signals)
                if progress:
                    progress(stop, n_rows)
    return shape


def _write_one(output: Any, signal: np.ndarray, overwrite: bool, progress: Any) -> tuple[int, ...]:
    write_array(output, signal, overwrite)
    if progress:
        progress(1, 1)
    return signal.shape


def _batch(rows: Any, start: int, stop: int, single: bool, path: Any) -> np.ndarray:
    values = np.asarray(rows[...])[None] if single else np.asarray(rows[start:stop])
    if values.dtype.kind not in "biuf":
        raise FormatError(f"{path} holds values of dtype {values.dtype}; expected real numbers")
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if bad.any():
            where = start + int(np.argmax(bad))
            raise InputError(f"{path}: row {where} has NaN or infinite values; repair it, or take it out")
        if not values.dtype.isnative or values.dtype.itemsize not in (4, 8):
            values = values.astype(np.float32 if values.dtype.itemsize <= 4 else np.float64)
    return values


def _measurement_shape(model: Any) -> tuple[int, ...] | None:
    shape = getattr(model, "shape_y_", None)
    return None if shape is None else tuple(shape)


def _check_shape(shape: tuple[int, ...], wanted: tuple[int, ...] | None, path: Any) -> None:
    if wanted is None:
        return
    fits = tuple(shape[1:]) == wanted or (len(shape) == 2 and shape[1] == math.prod(wanted))
    if not fits or shape[0] == 0:
        sizes = ", ".join(map(str, wanted))
        flat = f" or (N, {math.prod(wanted)})" if len(wanted) > 1 else ""
        raise InputError(
            f"{path} holds an array of shape {tuple(shape)}; the model was made for measurements "
            f"(N, {sizes}){flat}: give data of the same geometry, or fit a model for these"
        )
