"""One signature for all compressors, measured: real bytes, seconds, and the error in units of the bound.

Every codec takes an array and an absolute bound (None: lossless) and gives bytes. Shape and dtype are handed
to `decode` for free, which favours the rivals. A lossy codec's result is decoded and checked; where it breaks
its own bound (SPERR does at times) the tolerance is shrunk until the bound holds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from invae.errors import BoundError, InputError
from invae.evaluation.errors import max_error_over_bound

__all__ = ["Codec", "Measurement", "bits_per_value", "measure", "ratio", "real_bytes", "timed"]

SHRINKS = (1.0, 1 - 1e-6, 1 - 1e-3, 0.99, 0.95, 0.9, 0.8, 0.7, 0.5, 0.35, 0.25)


class Codec:
    """A compressor of finite numeric arrays; subclasses fill in `_encode`, `_decode` and `supports`."""

    name = ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def supports(self, array: np.ndarray, abs_bound: float | None = None) -> bool:
        """Whether this codec takes such an array in this mode."""
        raise NotImplementedError

    def encode(self, array: np.ndarray, abs_bound: float | None = None) -> bytes:
        """Compressed bytes; every decoded value is within ``abs_bound`` (exact for None), verified here.

        Raises
        ------
        InputError
            The codec cannot take this array or mode.
        BoundError
            No tolerance was found that keeps the bound.
        """
        return measure(self, array, abs_bound).blob

    def decode(self, blob: bytes, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Array of the given shape and dtype."""
        return (
            np.asarray(self._decode(blob, tuple(shape), np.dtype(dtype)))
            .reshape(shape)
            .astype(dtype, copy=False)
        )

    def encoded(self, array: np.ndarray, tolerance: float | None) -> bytes:
        """Bytes of this codec at its own tolerance, which may break a bound of the same size."""
        return bytes(self._encode(array, tolerance))

    def _encode(self, array: np.ndarray, tolerance: float | None) -> bytes:
        raise NotImplementedError

    def _decode(self, blob: bytes, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True)
class Measurement:
    """What one codec did with one array: bytes, seconds, and the largest error in units of the bound."""

    blob: bytes
    decoded: np.ndarray
    encode_seconds: float
    decode_seconds: float
    max_error: float
    attempts: int

    @property
    def n_bytes(self) -> int:
        return len(self.blob)


def measure(
    codec: Codec,
    array: np.ndarray,
    abs_bound: float | None = None,
    repeats: int = 1,
    check: tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], float]] | None = None,
) -> Measurement:
    """Encode, decode, verify; times are the medians of ``repeats`` runs of the attempt that met the bound.

    Parameters
    ----------
    codec : Codec
    array : ndarray
    abs_bound : float or None
        None: lossless.
    repeats : int
    check : (back, error), optional
        For codecs that work in a transformed domain: ``back(decoded)`` gives the array in the data's units,
        ``error`` of that its largest error in units of the bound. Default: compare with ``array`` itself.
    """
    array = np.ascontiguousarray(array)
    if abs_bound is not None and not abs_bound > 0:
        raise BoundError(f"the absolute bound must be positive, got {abs_bound}; use None for lossless")
    if not codec.supports(array, abs_bound):
        mode = "losslessly" if abs_bound is None else f"with absolute bound {abs_bound:g}"
        raise InputError(
            f"{codec.name} cannot code an array of shape {array.shape}, dtype {array.dtype} {mode}"
        )
    back, error_of = check or (np.asarray, lambda y: max_error_over_bound(array, y, abs_bound or 0.0))
    error = float("inf")
    for attempt, shrink in enumerate(SHRINKS if abs_bound is not None else SHRINKS[:1], start=1):
        tolerance = None if abs_bound is None else abs_bound * shrink
        blob, encoding = timed(partial(codec.encoded, array, tolerance), repeats)
        decoded, decoding = timed(partial(codec.decode, blob, array.shape, array.dtype), repeats)
        decoded = back(decoded)
        error = error_of(decoded)
        if error <= 1:
            seconds = float(np.median(encoding)), float(np.median(decoding))
            return Measurement(blob, decoded, *seconds, error, attempt)
    raise BoundError(
        f"{codec.name} does not keep the bound {abs_bound or 'lossless'}: largest error {error:g} bounds"
    )


def real_bytes(stored: bytes | str | os.PathLike[str]) -> int:
    """Size of a blob, or of the file at a path: everything included."""
    return len(stored) if isinstance(stored, bytes | bytearray | memoryview) else Path(stored).stat().st_size


def ratio(original_bytes: float, stored_bytes: float) -> float:
    """How many times smaller the stored form is."""
    return original_bytes / stored_bytes if stored_bytes else float("inf")


def bits_per_value(stored_bytes: float, n_values: int) -> float:
    """Bits spent on each value, everything included."""
    return 8 * stored_bytes / n_values if n_values else float("nan")


def timed(call: Callable[[], Any], repeats: int = 1) -> tuple[Any, list[float]]:
    """What ``call`` returned at last, and the seconds of each of ``repeats`` runs."""
    seconds = []
    for _ in range(max(1, repeats)):
        start = time.perf_counter()
        value = call()
        seconds.append(time.perf_counter() - start)
    return value, seconds
