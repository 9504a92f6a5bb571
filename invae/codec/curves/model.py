"""The model of learned coding of curves: taps of the learned experts, the network, trained mixers and tables.

A stored model holds every array on a coarse grid, and of the tables only the cells that training met often;
the rest starts from even odds. What codes is always the stored form, so a model that was saved and loaded
codes the same bytes as before.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

import numpy as np

from invae.codec.coding import decisions, network
from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH, mixing_tables
from invae.codec.coding.varint import Reader, Writer
from invae.codec.curves import base, experts, kernel, memory
from invae.codec.fields.integers import decode_integers, encode_integers
from invae.codec.fields.stored import (
    MOST_32,
    MOST_64,
    Part,
    empty_arrays,
    network_parts,
    read_parts,
    write_parts,
)
from invae.errors import ModelError

__all__ = ["NETWORK", "CurveModel", "fast_curve_model", "shipped_curve_model"]

WITH_MEMORY, WITHOUT_MEMORY = b"INVM\4", b"INVM\2"
MOST_BYTES = 25_000
RATES = np.array([8, 2, 255, 3], dtype=np.int64)  # mixers, last mixer, count limit, LMS step
LARGEST = 1 << 48
FEWEST_COLUMNS = 8
WEIGHT_STEP, CHANCE_STEP, TAP_STEP, NETWORK_STEP = 1024, 64, 8, 4
TRUST = 40  # count given to the stored cells

_WEIGHTS = (decisions.N_SETS, decisions.N_DECISIONS, decisions.SELECTORS)
_TAPS = (
    Part("A", (experts.N_A, experts.LENGTH_A), np.int32, TAP_STEP, MOST_32),
    Part("B", (experts.N_B, experts.LENGTH_B), np.int32, TAP_STEP, MOST_32),
)
_MIXERS = Part(
    "V", (decisions.N_DECISIONS, decisions.SELECTORS, decisions.N_SETS), np.int32, WEIGHT_STEP, MOST_32
)
_ERRORS = (Part("C", (25, 16), np.int64, 4, MOST_64), Part("F", (64, 2), np.int64, 1, 65535))
_LEARNING = (
    Part("W", (*_WEIGHTS, kernel.N_INPUTS), np.int32, WEIGHT_STEP, MOST_32),
    _MIXERS,
    Part("L", (16, experts.N_MEAN), np.int64, 16, MOST_64),
    *_ERRORS,
)
_MEMORY, _INWARD = memory.MEMORY, memory.INWARD
_PARTS = (
    *_TAPS,
    Part("M1", (memory.N_SEEN[1] + 1, _INWARD), np.int16, NETWORK_STEP, network.MOST),
    Part("M2", (_INWARD + _MEMORY + 1, 2 * _MEMORY), np.int16, NETWORK_STEP, network.MOST),
    *network_parts(memory.N_SEEN[1] + _MEMORY, memory.HIDDEN[1], NETWORK_STEP),
    *_LEARNING,
)
# of models whose network has no memory
_FAST_PARTS = (*_TAPS, *network_parts(memory.N_SEEN[0], memory.HIDDEN[0]), *_LEARNING)
_LAYOUTS = {WITH_MEMORY: _PARTS, WITHOUT_MEMORY: _FAST_PARTS}
NETWORK = ("M1", "M2", "N1", "N2", "N3")


class CurveModel:
    """Codes integer planes of curves; see `invae.codec.curves.kernel`.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Arrays ``A, B, M1, M2, N1, N2, N3, W, V, L, C, F`` and ``T`` of the shapes in this module.

    Attributes
    ----------
    digest : bytes
        SHA-256 of the stored form.

    Examples
    --------
    >>> model = shipped_curve_model()
    >>> plane = np.rint(1000 * np.exp(-np.linspace(0, 9, 200)))[None].astype(np.int64)
    >>> data = model.encode(plane)
    >>> bool((model.decode(data, 1, 200) == plane).all()), len(data) < 100
    (True, True)
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._stored: bytes | None = None  # the bytes it came from, while nothing was learned since

    @classmethod
    def untrained(cls) -> CurveModel:
        """Return a model that knows nothing: learned experts repeat the last value, all odds are even."""
        arrays = empty_arrays(_PARTS)
        arrays["W"][...] = 8192
        arrays["W"][..., -1] = 32768
        arrays["V"][...] = 65536 // decisions.N_SETS
        arrays["F"][:, 0] = 32768
        arrays["T"] = np.full(
            (kernel.N_TABLES, decisions.TABLE, decisions.N_DECISIONS), 1 << 29, dtype=np.int32
        )
        return cls(arrays)

    @property
    def without_memory(self) -> bool:
        """Whether its network has no memory: such a model codes but learns no more."""
        return "M2" not in self._arrays

    @property
    def network(self) -> list[np.ndarray]:
        """Weights of the memory (M1, M2), where there is one, and of the network's three layers."""
        return self.arrays(*(name for name in NETWORK if name in self._arrays))

    def arrays(self, *names: str) -> list[np.ndarray]:
        """Copies of some arrays."""
        return [self._arrays[name].copy() for name in names]

    def set_arrays(self, **arrays: np.ndarray) -> None:
        """Replace the content of some arrays."""
        self._stored = None
        for name, array in arrays.items():
            self._arrays[name][...] = array

    def learn(self, plane: np.ndarray, rates: tuple[int, int, int, int]) -> int:
        """Code a plane and keep what mixers and tables learned; returns the bytes it took."""
        self._stored = None
        return len(_run(self._arrays, plane, np.array(rates, dtype=np.int64)))

    def watch(self, plane: np.ndarray, rates: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        """As `learn`; returns what was seen before each value but a row's first, and the targets there.

        Shapes (rows, columns - 1, seen + 1), int8, the sign being last, and (rows, columns - 1, 2): mirrored
        distance to the centre and size z of cells.
        """
        self._stored = None
        seen = np.zeros((*plane.shape, memory.N_SEEN[0 if self.without_memory else 1] + 1), dtype=np.int8)
        targets = np.zeros((*plane.shape, 2), dtype=np.int64)
        watched = kernel.Watched(seen, targets)
        _run(self._arrays, plane, np.array(rates, dtype=np.int64), watched)
        return seen[:, 1:], targets[:, 1:]

    def encode(self, plane: np.ndarray) -> bytes | None:
        """Code an int64 plane (rows are curves), or None where the model does not apply."""
        if (
            plane.shape[1] < FEWEST_COLUMNS
            or plane.size == 0
            or np.abs(plane.astype(np.float64)).max() > LARGEST
        ):
            return None
        return _run({name: array.copy() for name, array in self._arrays.items()}, plane, RATES)

    def decode(self, data: bytes, n_rows: int, n_columns: int) -> np.ndarray:
        """Rebuild the plane."""
        plane = np.zeros((n_rows, n_columns), dtype=np.int64)
        arrays = {name: array.copy() for name, array in self._arrays.items()}
        start = _start_value(data[0]) if data else 0
        _code(arrays, np.frombuffer(data[1:], dtype=np.uint8).copy(), plane, True, start, RATES)
        return plane

    def to_bytes(self) -> bytes:
        """Stored form of at most `MOST_BYTES` bytes: cells that training met too rarely are left out."""
        if self._stored is not None:
            return self._stored
        head = Writer().raw(WITH_MEMORY)
        write_parts(head, self._arrays, _PARTS)
        T = self._arrays["T"]
        counts, stretched = T & 1023, np.rint(STRETCH[T >> 18] / CHANCE_STEP).astype(np.int64)
        fewest = 16
        while True:
            used = counts >= fewest
            out = Writer().raw(bytes(head.data)).block(encode_integers(_table_plane(used.astype(np.int64))))
            out.block(encode_integers(_table_plane(stretched)[_table_plane(used)][None, :]))
            if len(out.data) <= MOST_BYTES or fewest > 1000:
                return bytes(out.data)
            fewest = fewest * 5 // 4

    @classmethod
    def from_bytes(cls, data: bytes) -> CurveModel:
        """Inverse of `to_bytes`.

        Raises
        ------
        ModelError
            Not a model, or of another version.
        """
        magic = data[: len(WITH_MEMORY)]
        if magic not in _LAYOUTS:
            raise ModelError(
                f"these {len(data)} bytes are no codec model of this version; train one with invae train"
            )
        reader = Reader(data)
        reader.raw(len(magic))
        try:
            arrays = read_parts(reader, _LAYOUTS[magic])
            shape = (kernel.N_TABLES * decisions.N_DECISIONS, decisions.TABLE)
            used = decode_integers(Reader(reader.block()), *shape) != 0
            values = decode_integers(Reader(reader.block()), 1, int(used.sum()))[0]
        except ValueError as error:
            raise ModelError(f"the codec model is damaged ({error}); restore a copy") from error
        chances, counts = arrays["F"].T
        if chances.min() < 1 or counts.min() < 0:
            raise ModelError("the codec model is damaged (a chance that cannot be); restore a copy")
        stretched = np.zeros(shape, dtype=np.int64)
        stretched[used] = np.clip(values * CHANCE_STEP, -S_MAX, S_MAX)
        cells = (SQUASH[stretched + S_MAX] << 14) | np.where(used, TRUST, 0)
        cells = cells.reshape(kernel.N_TABLES, decisions.N_DECISIONS, decisions.TABLE).transpose(0, 2, 1)
        arrays["T"] = np.ascontiguousarray(cells, dtype=np.int32)
        model = cls(arrays)
        model._stored = data
        return model

    @property
    def digest(self) -> bytes:
        """SHA-256 of the stored form."""
        return hashlib.sha256(self.to_bytes()).digest()

    def settled(self) -> CurveModel:
        """Return the model as it will be after saving and loading: the one to code with."""
        return CurveModel.from_bytes(self.to_bytes())

    def __repr__(self) -> str:
        return f"<CurveModel {self.digest[:4].hex()}>"


def shipped_curve_model() -> CurveModel:
    """Return the model for curves that ships with the package, trained on simulated curves."""
    return _packaged("curves")


def fast_curve_model() -> CurveModel:
    """Return the package's model without memory: more bytes, less time."""
    return _packaged("curves_fast")


@lru_cache(maxsize=2)
def _packaged(name: str) -> CurveModel:
    return CurveModel.from_bytes(files("invae.codec").joinpath(f"models/{name}.invm").read_bytes())


NO_MEMORY = np.zeros((0, 0), dtype=np.int16)
UNWATCHED = kernel.Watched(np.zeros((0, 0, 0), dtype=np.int8), np.zeros((0, 0, 0), dtype=np.int64))


def _run(
    arrays: dict[str, np.ndarray],
    plane: np.ndarray,
    rates: np.ndarray,
    watched: kernel.Watched = UNWATCHED,
) -> bytes:
    plane = np.array(plane, dtype=np.int64, order="C")
    number = _start_number(plane)
    room, n = 4 * plane.size + 16384, -1
    kept = {name: array.copy() for name, array in arrays.items()}
    while n < 0:
        buffer = np.empty(room, dtype=np.uint8)
        n = _code(arrays, buffer, plane, False, _start_value(number), rates, watched)
        if n < 0:
            for name, array in kept.items():
                arrays[name][...] = array
        room *= 4
    return bytes([number]) + buffer[:n].tobytes()


def _code(
    arrays: dict[str, np.ndarray],
    stream: np.ndarray,
    plane: np.ndarray,
    decoding: bool,
    start: int,
    rates: np.ndarray,
    watched: kernel.Watched = UNWATCHED,
) -> int:
    a = arrays
    own = kernel.Arrays(
        experts.Taps(a["A"], a["B"]),
        memory.Recurrence(a.get("M1", NO_MEMORY), a.get("M2", NO_MEMORY)),
        network.Network(a["N1"], a["N2"], a["N3"]),
        base.Corrections(a["L"], a["C"]),
        a["F"],
    )
    mixer = decisions.Mixer(a["W"], a["V"], a["T"], rates)
    return kernel.code_plane(stream, decoding, plane, start, own, mixer, mixing_tables(), watched)


def _start_number(plane: np.ndarray) -> int:
    """Half-octave number of the error to expect at the head of a row: the size of its first differences."""
    typical = float(np.median(np.abs(np.diff(plane[:, :FEWEST_COLUMNS].astype(np.float64), axis=1))))
    number = 0
    while number < 40 and _start_value(number + 1) <= 256 * typical:
        number += 1
    return number


def _start_value(number: int) -> int:
    return (16 if number % 2 == 0 else 23) << min(number // 2, 20)


def _table_plane(cells: np.ndarray) -> np.ndarray:
    """Cells of one table and one decision in a row: neighbours in it are neighbouring contexts."""
    return np.ascontiguousarray(cells.transpose(0, 2, 1)).reshape(-1, decisions.TABLE)
