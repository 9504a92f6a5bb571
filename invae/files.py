"""From file to file, batch by batch: memory stays bounded, an interrupted reconstruction is continued."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from invae.data.arrays.files import split_inner_path, write_array
from invae.data.arrays.rows import RowWriter, identity, open_rows
from invae.errors import FileError, FormatError, InputError, InvaeWarning

__all__ = ["check_pairs", "check_measurements", "fit_file", "reconstruct_file"]

BATCH_VALUES = 2**22
IN_MEMORY_BYTES = 2**30


def fit_file(
    model: Any,
    signals: str | os.PathLike[str],
    measurements: str | os.PathLike[str] | None = None,
    *,
    in_memory: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Fit a model to signals (and measurements) on disk; files of more than a gigabyte are read in batches.

    Parameters
    ----------
    model : estimator
        With ``fit(signals, measurements)`` that also takes an iterator of arrays or of pairs of arrays.
    signals, measurements : path
        One sample per row, in .npy, HDF5 (``file.h5:/path``) or TIFF.
    in_memory : bool
        Read everything at once whatever the size: for models that take no iterator.
    checkpoint : path, optional
        File that keeps the sums of batches while they are read: after an interruption the same call goes on
        from there. It is left for the caller to delete once the model is stored.
    overwrite : bool
        Forget the checkpoint of another fit.
    progress : callable(done, total), optional
        Rows read.

    Returns
    -------
    int
        Number of samples.

    Raises
    ------
    InputError
        Not as many measurements as signals, or rows with NaN or infinite values.
    """
    with ExitStack() as stack:
        check_pairs(signals, measurements)
        files = [stack.enter_context(open_rows(path)) for path in (signals, measurements) if path is not None]
        n_rows = files[0].shape[0]
        n_bytes = sum(math.prod(file.shape) * file.dtype.itemsize for file in files)
        if in_memory or n_bytes <= IN_MEMORY_BYTES:
            model.fit(*(np.asarray(file[...]) for file in files))
            return n_rows
        step = max(1, BATCH_VALUES * n_rows // sum(math.prod(file.shape) for file in files))
        options, first = {}, 0
        if checkpoint is not None:
            from invae.autoencoders.bayes_risk.checkpoint import Checkpoint

            paths = [identity(path) for path in (signals, measurements) if path is not None]
            kept = Checkpoint(checkpoint, {"model": repr(model), "data": paths}, overwrite)
            options, first = {"checkpoint": kept}, kept.n_rows

        def batches() -> Iterator[Any]:
            for start in range(first, n_rows, step):
                stop = min(start + step, n_rows)
                found = [
                    _batch(file, start, stop, False, path)
                    for file, path in zip(files, (signals, measurements))
                ]
                if progress:
                    progress(stop, n_rows)
                yield tuple(found) if len(found) == 2 else found[0]

        model.fit(batches(), **options)
        return n_rows


def check_pairs(
    signals: str | os.PathLike[str], measurements: str | os.PathLike[str] | None = None
) -> tuple[int, ...]:
    """Shape of the signals in a file, after a look at the headers only.

    Raises
    ------
    InputError
        Not one signal per row, or not as many measurements as signals.
    """
    with open_rows(signals) as rows:
        shape = tuple(rows.shape)
    if len(shape) < 2 or shape[0] == 0:
        raise InputError(
            f"{signals} holds an array of shape {shape}; expected one signal per row, (N, n) or "
            "(N, height, width)"
        )
    if measurements is not None:
        with open_rows(measurements) as rows:
            n_measured = rows.shape[0] if rows.shape else 0
        if n_measured != shape[0]:
            raise InputError(
                f"{signals} holds {shape[0]} signals and {measurements} {n_measured} measurements; "
                "give as many of each"
            )
    return shape


def check_measurements(path: str | os.PathLike[str], shape_y: tuple[int, ...] | None) -> None:
    """Refuse measurements whose shape is not that of a model's, after a look at the header only.

    Raises
    ------
    InputError
        Neither (N, *shape_y), (N, m) nor one measurement of ``shape_y``.
    """
    with open_rows(path) as rows:
        shape = tuple(rows.shape)
    if shape != shape_y:
        _check_shape(shape, shape_y, path)


def reconstruct_file(
    model: Any,
    measurements: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    std_output: str | os.PathLike[str] | None = None,
    job: dict[str, Any] | None = None,
    batch: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[int, ...]:
    """Reconstruct every row of a measurement file with a fitted model.

    Measurements that the model was not made for (other units, raw counts, another kind of object) are told in
    one `InvaeWarning`, by the first batch; see `invae.autoencoders.bayes_risk.screening`.

    Parameters
    ----------
    model : estimator
        Fitted, with ``predict(measurements) -> signals``.
    measurements : path
        (N, m), (N, *measurement shape) or one measurement, in .npy, HDF5 (``file.h5:/path``) or TIFF.
    output : path
        .npy, .h5 or .tif; float32 for float32 measurements, else float64.
    std_output : path, optional
        Where the posterior standard deviation goes: one map (*signal shape) if it is the same for every row,
        else (N, *signal shape).
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
    for path in _outputs(output, std_output):
        file, _ = split_inner_path(path)
        if file.exists() and not overwrite:
            raise FileError(f"{file} exists already; choose another name or allow overwriting (--force)")
    from invae.autoencoders.bayes_risk.screening import unlike_training

    with open_rows(measurements) as rows:
        shape_y = _measurement_shape(model)
        single = tuple(rows.shape) == shape_y
        if not single:
            _check_shape(rows.shape, shape_y, measurements)
        n_rows = 1 if single else rows.shape[0]
        step = batch or max(1, min(n_rows, BATCH_VALUES // max(1, math.prod(shape_y or rows.shape[1:]))))

        def predict(start: int, stop: int) -> tuple[np.ndarray, ...]:
            values = _batch(rows, start, stop, single, measurements)
            made = model.predict(values, return_std=True) if std_output else (model.predict(values),)
            if start == 0 and (strange := unlike_training(model, values, made[0])):
                warnings.warn(f"{measurements}: {strange}", InvaeWarning, stacklevel=3)
            return made

        first = predict(0, min(step, n_rows))
        if single:
            for path, values in zip(_outputs(output, std_output), first):
                write_array(path, values[0], overwrite)
            if progress:
                progress(1, 1)
            return first[0].shape[1:]
        shape = (n_rows, *first[0].shape[1:])
        # The deviation of a linear map is the same for every row: then it is one map, not one for each row.
        one_std = std_output is not None and (first[1].strides[0] == 0 or n_rows == 1)
        paths = [output] if one_std else _outputs(output, std_output)
        facts = {**(job or {}), "measurements": identity(measurements)}
        with ExitStack() as stack:
            writers = [
                stack.enter_context(RowWriter(path, shape, values.dtype, facts, overwrite))
                for path, values in zip(paths, first)
            ]
            done = min(writer.done for writer in writers)
            for writer in writers:
                writer.rewind(done)
            if progress:
                progress(done, n_rows)
            for start in range(done, n_rows, step):
                stop = min(start + step, n_rows)
                found = first if (start, stop) == (0, len(first[0])) else predict(start, stop)
                for writer, values in zip(writers, found):
                    writer.write(values)
                if progress:
                    progress(stop, n_rows)
        if one_std and std_output is not None:
            write_array(std_output, first[1][0], overwrite)
    return shape


def _outputs(output: Any, std_output: Any) -> list[Any]:
    return [output] if std_output is None else [output, std_output]


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
    shape = getattr(model, "shape_y_", None) or getattr(
        getattr(model, "reconstructor_", None), "shape_y_", None
    )
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
