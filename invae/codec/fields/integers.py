"""Any plane of integers to bytes and back: the best of several predictors, then the adaptive coder.

Layout: one byte ``method``; 0: all values equal, then the value (signed varint); 1 + k: residuals of
predictor k by `invae.codec.coding.entropy`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from invae.codec.coding import predictors
from invae.codec.coding.entropy import decode_plane, encode_plane
from invae.codec.coding.varint import Reader, Writer

__all__ = ["NO_OFFSETS", "PlaneModel", "decode_integers", "encode_integers"]

LEARNED, FRAMES = 255, 252
REFERENCE = 4  # bytes of a frame model's SHA-256
NO_OFFSETS = np.zeros((0, 0), dtype=np.int64)
FEWEST_ROWS = 8
ALONG_ROWS = ("left", "line", "bend")
SAMPLE_ROWS = 256
TRIED = 2  # predictors that are coded in full when the plane is small
SMALL = 1 << 16
NEAR = 0.05


class CurveCoder(Protocol):
    """What codes planes of curves: `invae.codec.curves.model.CurveModel`."""

    def encode(self, plane: np.ndarray) -> bytes | None:
        """Bytes of a plane, or None where the model does not apply."""

    def decode(self, data: bytes, n_rows: int, n_columns: int) -> np.ndarray:
        """Inverse of `encode`."""


class FrameCoder(Protocol):
    """What codes planes of stacked frames: `invae.codec.frames.model.FrameModel`."""

    @property
    def digest(self) -> bytes:
        """What it is known by."""

    def encode(self, plane: np.ndarray, height: int, offsets: np.ndarray) -> bytes | None:
        """Bytes of a plane of frames of ``height`` rows, or None where the model does not apply."""

    def decode(self, data: bytes, n_rows: int, n_columns: int, offsets: np.ndarray) -> np.ndarray:
        """Inverse of `encode`."""


class PlaneModel(Protocol):
    """What codes planes in a learned way: `invae.codec.model.CodecModel`."""

    @property
    def curves(self) -> CurveCoder | None:
        """Coder of curves, if there is one."""

    @property
    def frames(self) -> FrameCoder:
        """Coder of frames."""

    def frame_model(self, reference: bytes) -> FrameCoder:
        """Coder of frames that is known by ``reference``."""

    def without_curves(self) -> PlaneModel:
        """Return the model for exact values, which no curve model codes."""


def encode_integers(
    plane: np.ndarray, model: PlaneModel | None = None, height: int = 0, offsets: np.ndarray = NO_OFFSETS
) -> bytes:
    """Code an int64 plane of shape (rows, columns), by the model or as frames where that is shorter.

    ``height`` is the number of rows of a frame when the plane is a stack of frames, else 0; ``offsets`` are
    where pixels truly lie, in 1/256, which frames are coded with.
    """
    plane = np.ascontiguousarray(plane, dtype=np.int64)
    if plane.size == 0:
        return b"\0\0"
    first = int(plane.flat[0])
    if (plane == first).all():
        return bytes(Writer().byte(0).signed(first).data)
    best = b""
    names = _promising(plane)
    for name in names:
        coded = encode_plane(predictors.residuals(plane, name))
        if not best or len(coded) + 1 < len(best):
            best = bytes([1 + predictors.PREDICTORS.index(name)]) + coded
    if model is not None and model.curves is not None:
        best = _shorter(best, bytes([LEARNED]), model.curves.encode(plane))
    if model is not None and height >= FEWEST_ROWS and names[0] not in ALONG_ROWS:
        head = bytes([FRAMES]) + model.frames.digest[:REFERENCE]
        best = _shorter(best, head, model.frames.encode(plane, height, offsets))
    return best


def decode_integers(
    reader: Reader,
    n_rows: int,
    n_columns: int,
    model: PlaneModel | None = None,
    offsets: np.ndarray = NO_OFFSETS,
) -> np.ndarray:
    """Rebuild the int64 plane from the rest of ``reader``."""
    method = reader.byte()
    if method == 0:
        value = reader.signed()
        if not -(1 << 63) <= value < 1 << 63:
            raise reader.fail("a constant is longer than 64 bits")
        return np.full((n_rows, n_columns), value, dtype=np.int64)
    if method == LEARNED:
        if model is None or model.curves is None:
            raise reader.fail("these integers were coded by a model, but the archive names none")
        return model.curves.decode(reader.rest(), n_rows, n_columns)
    if method == FRAMES:
        if model is None:
            raise reader.fail("these frames were coded by a model, but none is given")
        frames = model.frame_model(reader.raw(REFERENCE))
        return frames.decode(reader.rest(), n_rows, n_columns, offsets)
    if method > len(predictors.PREDICTORS):
        raise reader.fail(f"predictor {method} is unknown to this version")
    plane = decode_plane(reader.rest(), n_rows, n_columns)
    return predictors.restore(plane, predictors.PREDICTORS[method - 1])


def _shorter(best: bytes, head: bytes, coded: bytes | None) -> bytes:
    return best if coded is None or len(head) + len(coded) >= len(best) else head + coded


def _promising(plane: np.ndarray) -> list[str]:
    """Names of the predictors worth coding, best estimate first."""
    rows = plane
    if plane.shape[0] > SAMPLE_ROWS:  # blocks of neighbouring rows, so that the rows above are there
        n = SAMPLE_ROWS // 4
        middle = plane.shape[0] // 2
        rows = np.concatenate([plane[:n], plane[middle : middle + 2 * n], plane[-n:]])
    names = predictors.PREDICTORS[:4] if plane.shape[0] == 1 else predictors.PREDICTORS
    costs = {name: predictors.cost(predictors.residuals(rows, name)) for name in names}
    ranked = sorted(costs, key=costs.__getitem__)
    near = [name for name in ranked if costs[name] - costs[ranked[0]] <= NEAR * abs(costs[ranked[0]])]
    return near[: TRIED if plane.size <= SMALL else 1]
