"""The model of learned coding of frames: taps, the network, trained mixers and corrections.

Coded frames are: varint rows of a frame h, two varints for each frame (twice the centre of symmetry plus one,
0 0 for none), and the code of `invae.codec.frames.kernel`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

import numpy as np

from invae.codec.coding import decisions, network
from invae.codec.coding.tables import mixing_tables
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.integers import NO_OFFSETS
from invae.codec.fields.stored import (
    MOST_32,
    MOST_64,
    Part,
    empty_arrays,
    network_parts,
    read_parts,
    write_parts,
)
from invae.codec.frames import base, experts, kernel
from invae.codec.frames.centres import find_centres
from invae.codec.frames.observe import N_SEEN
from invae.errors import ModelError

__all__ = ["FrameModel", "shipped_frame_model", "untrained_frame_model"]

MAGIC = b"INVF\1"
RATES = np.array([8, 2, 500, 3], dtype=np.int64)  # mixers, last mixer, count limit, step of the sum
LARGEST = 1 << 28
FEWEST = 256  # pixels below which mixing has nothing to learn from
FEWEST_COLUMNS = 4
WEIGHT_STEP = 256
_PARTS = (
    Part("A", (experts.N_CLASSES, experts.N_TAPS), np.int32, 8, MOST_32),
    *network_parts(N_SEEN, kernel.HIDDEN),
    Part("W", (decisions.N_SETS, decisions.N_DECISIONS, kernel.N_INPUTS), np.int32, WEIGHT_STEP, MOST_32),
    Part("V", (decisions.N_DECISIONS, decisions.N_SETS), np.int32, WEIGHT_STEP, MOST_32),
    Part("L", (base.N_WIDTHS, experts.N_MEAN), np.int64, 16, MOST_64),
    Part("C", (base.N_SIDES, base.N_WIDTHS), np.int64, 4, MOST_64),
)


class FrameModel:
    """Codes integer planes of stacked frames; see `invae.codec.frames.kernel`.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Arrays ``A, N1, N2, N3, W, V, L, C`` of the shapes in this module. Mixers (W, V) are the same for all
        contexts at the start; tables start from even odds.

    Attributes
    ----------
    digest : bytes
        SHA-256 of the stored form.

    Examples
    --------
    >>> model = shipped_frame_model()
    >>> y, x = np.indices((32, 32))
    >>> plane = np.rint(300 * np.exp(-np.hypot(y - 16, x - 12) / 9)).astype(np.int64)
    >>> data = model.encode(plane, 32)
    >>> bool((model.decode(data, 32, 32) == plane).all()), len(data) < 300
    (True, True)
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays
        out = Writer().raw(MAGIC)
        write_parts(out, arrays, _PARTS)
        self._stored = bytes(out.data)

    @classmethod
    def untrained(cls) -> FrameModel:
        """Return a model that knows nothing: taps repeat the pixel on the left, all odds are even."""
        arrays = empty_arrays(_PARTS)
        arrays["W"][...] = 8192
        arrays["V"][...] = 65536 // decisions.N_SETS
        return cls(arrays)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Copies of all arrays."""
        return {name: array.copy() for name, array in self._arrays.items()}

    @property
    def network(self) -> list[np.ndarray]:
        """Weights of the network's three layers."""
        return [self._arrays[name].copy() for name in ("N1", "N2", "N3")]

    def encode(self, plane: np.ndarray, height: int, offsets: np.ndarray = NO_OFFSETS) -> bytes | None:
        """Code an int64 plane of frames of ``height`` rows, or None where the model does not apply.

        ``offsets`` are those of a known dither, in 1/256, see `invae.codec.frames.kernel.code_frames`.
        """
        n_columns = plane.shape[1]
        if plane.size < FEWEST or n_columns < FEWEST_COLUMNS or plane.shape[0] % height:
            return None
        if np.abs(plane.astype(np.float64)).max() > LARGEST:
            return None
        plane = np.array(plane, dtype=np.int64, order="C")
        centres = np.array(find_centres(plane.reshape(-1, height, n_columns)), dtype=np.int64)
        head = Writer().number(height)
        for row, column in centres.tolist():
            head.number(row).number(column)
        hints = kernel.Hints(centres, offsets)
        room, n = 4 * plane.size + 65536, -1
        while n < 0:
            buffer = np.empty(room, dtype=np.uint8)
            full = working_arrays(self._arrays)
            n = run_frames(full, buffer, plane, False, height, hints, RATES)
            room *= 4
        return bytes(head.data) + buffer[:n].tobytes()

    def decode(
        self, data: bytes, n_rows: int, n_columns: int, offsets: np.ndarray = NO_OFFSETS
    ) -> np.ndarray:
        """Rebuild the plane."""
        reader = Reader(data)
        height = reader.number()
        if not 0 < height <= n_rows or n_rows % height or n_columns < FEWEST_COLUMNS:
            raise reader.fail(f"frames of {height} rows do not fit {n_rows} x {n_columns} pixels")
        centres = [(reader.number(), reader.number()) for _ in range(n_rows // height)]
        if any(row > 2 * height or column > 2 * n_columns for row, column in centres):
            raise reader.fail("a centre outside of its frame is not possible")
        plane = np.zeros((n_rows, n_columns), dtype=np.int64)
        stream = np.frombuffer(reader.rest(), dtype=np.uint8).copy()
        hints = kernel.Hints(np.array(centres, dtype=np.int64), offsets)
        run_frames(working_arrays(self._arrays), stream, plane, True, height, hints, RATES)
        return plane

    def to_bytes(self) -> bytes:
        """Stored form."""
        return self._stored

    @classmethod
    def from_bytes(cls, data: bytes) -> FrameModel:
        """Inverse of `to_bytes`.

        Raises
        ------
        ModelError
            Not a model of frames, or of another version.
        """
        if data[: len(MAGIC)] != MAGIC:
            raise ModelError(
                f"these {len(data)} bytes are no frame model of this version; train one with invae train"
            )
        reader = Reader(data)
        reader.raw(len(MAGIC))
        try:
            arrays = read_parts(reader, _PARTS)
        except ValueError as error:
            raise ModelError(f"the frame model is damaged ({error}); restore a copy") from error
        return cls(arrays)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the stored form."""
        return hashlib.sha256(self._stored).digest()

    def __repr__(self) -> str:
        return f"<FrameModel {self.digest[:4].hex()}>"


@lru_cache(maxsize=1)
def shipped_frame_model() -> FrameModel:
    """Return the model for frames that ships with the package, trained on simulated frames."""
    return FrameModel.from_bytes(files("invae.codec").joinpath("models/frames.invm").read_bytes())


@lru_cache(maxsize=1)
def untrained_frame_model() -> FrameModel:
    """Return the model that knows nothing, for archives that are to depend on none."""
    return FrameModel.untrained()


def working_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copies of a model's arrays as the coder wants them: mixers for every context, fresh tables."""
    full = {name: array.copy() for name, array in arrays.items()}
    full["W"] = np.repeat(arrays["W"][:, :, None, :], decisions.SELECTORS, axis=2)
    full["V"] = np.repeat(arrays["V"][:, None, :], decisions.SELECTORS, axis=1)
    full["T"] = np.full((kernel.N_TABLES, decisions.TABLE, decisions.N_DECISIONS), 1 << 29, dtype=np.int32)
    return full


_NOTHING = np.zeros((0, 0, 0), dtype=np.int64)
UNWATCHED = kernel.Watched(np.zeros((0, 0, 0), dtype=np.int8), _NOTHING, _NOTHING)


def run_frames(
    full: dict[str, np.ndarray],
    stream: np.ndarray,
    plane: np.ndarray,
    decoding: bool,
    height: int,
    hints: kernel.Hints,
    rates: np.ndarray,
    watched: kernel.Watched = UNWATCHED,
) -> int:
    """Run the coder on working arrays, which learn; see `invae.codec.frames.kernel.code_frames`."""
    a = full
    own = kernel.Arrays(a["A"], network.Network(a["N1"], a["N2"], a["N3"]), base.Corrections(a["L"], a["C"]))
    mixer = decisions.Mixer(a["W"], a["V"], a["T"], rates)
    return kernel.code_frames(stream, decoding, plane, height, hints, own, mixer, mixing_tables(), watched)
