"""Samples that need not fit into memory: arrays, arrays on disk, and iterators of batches, all as
batches of rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from invae.errors import InputError
from invae.linalg.samples import as_rows

__all__ = ["is_stream", "row_batches", "shapes_of"]

LARGEST_IN_MEMORY = 2**30  # bytes of an array on disk that is read whole
BATCH_BYTES = 2**27  # in float64: small beside the moments, large enough for long products


def is_stream(samples: Any) -> bool:
    """Whether samples must be read in batches: an iterator, or a large array on disk (memory map, HDF5,
    zarr)."""
    if hasattr(samples, "__next__"):
        return True
    on_disk = isinstance(samples, np.memmap) or (
        hasattr(samples, "shape") and not isinstance(samples, np.ndarray)
    )
    return on_disk and math.prod(samples.shape) * np.dtype(samples.dtype).itemsize > LARGEST_IN_MEMORY


def row_batches(
    signals: Any, measurements: Any, shape_x: tuple[int, ...], shape_y: tuple[int, ...]
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Batches of rows (N_i, n) and, where there are measurements, (N_i, m).

    ``signals`` may be an iterator of arrays or of (signals, measurements) tuples, or an array of any
    kind that can be sliced; then so is ``measurements``.
    """
    for x, y in _raw_batches(signals, measurements):
        rows, _ = as_rows(x, shape_x, "a batch of signals")
        if y is None:
            yield rows, None
            continue
        images, _ = as_rows(y, shape_y, "a batch of measurements")
        if len(rows) != len(images):
            raise InputError(
                f"a batch pairs {len(rows)} signals with {len(images)} measurements; pass as many of each"
            )
        yield rows, images


def shapes_of(signals: Any, measurements: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...] | None]:
    """The signals, and the shapes of one signal and one measurement (None where there is none).

    An iterator is looked into and put together again.
    """
    if not hasattr(signals, "__next__"):
        shape_y = None if measurements is None else tuple(measurements.shape[1:])
        return signals, tuple(signals.shape[1:]), shape_y
    try:
        first = next(signals)
    except StopIteration:
        raise InputError("the iterator of batches is empty; pass at least one batch") from None
    x, y = first if isinstance(first, tuple) else (first, None)
    shape_y = None if y is None else tuple(np.shape(y)[1:])
    return itertools.chain([first], signals), tuple(np.shape(x)[1:]), shape_y


def _raw_batches(signals: Any, measurements: Any) -> Iterator[tuple[Any, Any]]:
    if hasattr(signals, "__next__"):
        if measurements is not None:
            raise InputError(
                "an iterator of batches brings its measurements along: yield (signals, measurements)"
            )
        for batch in signals:
            yield batch if isinstance(batch, tuple) else (batch, None)
        return
    if measurements is not None and len(measurements) != len(signals):
        raise InputError(
            f"{len(signals)} signals and {len(measurements)} measurements are no pairs; pass as many of each"
        )
    step = max(1, BATCH_BYTES // (8 * max(1, math.prod(signals.shape[1:]))))
    for start in range(0, len(signals), step):
        part = slice(start, start + step)
        yield np.asarray(signals[part]), None if measurements is None else np.asarray(measurements[part])
