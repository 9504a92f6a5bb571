"""What a learned model offers to integer planes, as far as this room knows of it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

__all__ = ["CurveCoder", "FrameCoder", "PlaneCoder", "PlaneModel"]


class CurveCoder(Protocol):
    """What codes planes of curves: `invae.codec.curves.model.CurveModel`."""

    def encode(self, plane: np.ndarray) -> bytes | None:
        """Bytes of a plane, or None where the model does not apply."""

    def decode(self, data: bytes, n_rows: int, n_columns: int) -> np.ndarray:
        """Inverse of `encode`."""


class PlaneCoder(Protocol):
    """What codes planes of stacked frames."""

    def encode(self, plane: np.ndarray, height: int, offsets: np.ndarray) -> bytes | None:
        """Bytes of a plane of frames of ``height`` rows, or None where it does not apply."""

    def decode(self, data: bytes, n_rows: int, n_columns: int, offsets: np.ndarray) -> np.ndarray:
        """Inverse of `encode`."""


class FrameCoder(PlaneCoder, Protocol):
    """A learned coder of frames: `invae.codec.frames.model.FrameModel`."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of its stored form."""


class PlaneModel(Protocol):
    """What codes planes in a learned way: `invae.codec.model.CodecModel`."""

    @property
    def curves(self) -> CurveCoder | None:
        """Coder of curves, if there is one."""

    @property
    def frames(self) -> FrameCoder:
        """Coder of frames."""

    def frame_model(self, reference: bytes) -> FrameCoder:
        """Coder of frames whose SHA-256 begins with ``reference``."""

    def without_curves(self) -> PlaneModel:
        """Return the model for exact values, which no curve model codes."""
