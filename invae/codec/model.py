"""Codec models: what codes curves and what codes frames, together in one file, and how archives find them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.curves.model import CurveModel, fast_curve_model, shipped_curve_model
from invae.codec.frames.model import FrameModel, shipped_frame_model, untrained_frame_model
from invae.errors import ModelError

__all__ = [
    "REFERENCE",
    "CodecModel",
    "default_model",
    "fast_model",
    "find_model",
    "model_for_reading",
    "no_model",
]

MAGIC = b"INVM\3"
REFERENCE = 4  # bytes of the SHA-256 that stand for a model in an archive


class CodecModel:
    """Codes bounded values of curves, and frames, where that is shorter than the plain coder.

    Parameters
    ----------
    curves : CurveModel or None
        None: curves are coded without a model.
    frames : FrameModel, optional
        The one that ships with the package unless given.

    Attributes
    ----------
    digest : bytes
        SHA-256 of the stored form. With the package's frame model that is the stored form of ``curves``.
    """

    def __init__(self, curves: CurveModel | None, frames: FrameModel | None = None) -> None:
        self.curves = curves
        self.frames = shipped_frame_model() if frames is None else frames
        self.own_frames = frames is not None

    def without_curves(self) -> CodecModel:
        """Return the model for exact values, which no curve model codes."""
        return CodecModel(None, self.frames)

    def frame_model(self, reference: bytes) -> FrameModel:
        """Return the frame model whose SHA-256 begins with ``reference``.

        Raises
        ------
        ModelError
            It is neither this one's nor one of the package.
        """
        for model in (self.frames, shipped_frame_model(), untrained_frame_model()):
            if model.digest[:REFERENCE] == reference:
                return model
        raise missing(reference)

    def to_bytes(self) -> bytes:
        """Stored form."""
        curves = b"" if self.curves is None else self.curves.to_bytes()
        if not self.own_frames:
            return curves
        return bytes(Writer().raw(MAGIC).block(curves).block(self.frames.to_bytes()).data)

    @classmethod
    def from_bytes(cls, data: bytes) -> CodecModel:
        """Inverse of `to_bytes`.

        Raises
        ------
        ModelError
            Not a model, or of another version.
        """
        if data[: len(MAGIC)] != MAGIC:
            return cls(CurveModel.from_bytes(data))
        reader = Reader(data)
        reader.raw(len(MAGIC))
        try:
            curves, frames = reader.block(), reader.block()
        except ValueError as error:
            raise ModelError(f"the codec model is damaged ({error}); restore a copy") from error
        return cls(CurveModel.from_bytes(curves) if curves else None, FrameModel.from_bytes(frames))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the stored form."""
        return hashlib.sha256(self.to_bytes()).digest()

    def to_state(self) -> dict[str, Any]:
        """Return the stored form, for `invae.save`."""
        return {"data": np.frombuffer(self.to_bytes(), dtype=np.uint8)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CodecModel:
        """Inverse of `to_state`."""
        return cls.from_bytes(np.asarray(state["data"], dtype=np.uint8).tobytes())

    def __repr__(self) -> str:
        return f"<CodecModel {self.digest[:4].hex()}>"


def default_model() -> CodecModel:
    """Return the model that ships with the package, trained on simulated curves and frames."""
    return CodecModel(shipped_curve_model())


def fast_model() -> CodecModel:
    """Return the package's smaller model: curves take more bytes and less time.

    Its network for curves keeps no memory of the row. Frames are coded as by `default_model`.
    """
    return CodecModel(fast_curve_model())


def no_model() -> CodecModel:
    """Return what codes without anything learned beforehand."""
    return CodecModel(None, untrained_frame_model())


def find_model(reference: bytes, known: list[CodecModel]) -> CodecModel:
    """Return the model that an archive names (first bytes of its SHA-256) or embeds.

    Raises
    ------
    ModelError
        It is none of the known ones.
    """
    if len(reference) > REFERENCE:
        return CodecModel.from_bytes(reference)
    for model in [*known, default_model(), fast_model()]:
        if model.digest[:REFERENCE] == reference:
            return model
    raise missing(reference)


def model_for_reading(references: list[bytes], known: list[CodecModel]) -> CodecModel:
    """Return what reads an archive: the model that it names, or else the given one for its frames."""
    if references:
        return find_model(references[0], known)
    return known[0] if known else no_model()


def missing(reference: bytes) -> ModelError:
    return ModelError(
        f"the archive was made with a model of SHA-256 {reference.hex()}.., which is not at hand; "
        "pass that model file (model=...)"
    )
