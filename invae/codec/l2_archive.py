"""The L2 mode for whole arrays and records: values as sparse codes, everything else exact.

The bound holds for each item: ||v' - v|| <= X ||v - mean(v)||, where v are the values, or, of floats that are
positive everywhere, log10 of them. One-dimensional values are coded as a curve, cut to segments of about 256
points when longer than 512; arrays with more axes as frames over the last two, in patches of 16 x 16, all
frames of an array together being the item. The analytic models need no training and no bytes. Where the bound
cannot be met (NaN, infinities, integers after rounding) an item is stored exactly.

Layout: magic, tolerance, the number of items, a mode byte for each, for each family of rows of one length the
codes (`invae.codec.l2.encode_l2`), then a lossless archive that holds everything else and zeros in place of
the values.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from invae.codec.api import compress, decompress
from invae.codec.l2 import L2Model, analytic_model, decode_l2, encode_l2
from invae.codec.l2_model import checked
from invae.codec.varint import Reader, Writer
from invae.data.records import Curve, Frame
from invae.errors import BoundError, FormatError, InputError

__all__ = ["compress_l2", "decompress_l2", "is_l2", "parse_l2"]

MAGIC = b"IL2A\x01"
EXACT, LINEAR, LOG = 0, 1, 2
LONGEST, SEGMENT, PATCH = 512, 256, 16
FRAME_ATOMS = (f"dct{PATCH}", "impulse")


def compress_l2(data: Any, tolerance: float) -> bytes:
    """Compress within a relative L2 error of every item.

    Parameters
    ----------
    data : array_like, sequence of arrays, mapping of str to array, Curve, Frame, or sequence of these
        As for `invae.codec.api.compress`; real values.
    tolerance : float
        X, between 0 and 1.

    Raises
    ------
    BoundError
        X is not between 0 and 1.

    Examples
    --------
    >>> curve = 1 + np.exp(-np.linspace(0, 9, 300))
    >>> blob = compress_l2(curve, 0.01)
    >>> logs = np.log10(curve)
    >>> error = np.linalg.norm(np.log10(decompress_l2(blob)) - logs) / np.linalg.norm(logs - logs.mean())
    >>> len(blob) < 120, bool(error <= 0.01)
    (True, True)
    """
    if not 0 < tolerance < 1:
        raise BoundError(f"l2:{tolerance} is not understood: the relative error must be between 0 and 1")
    items = _items(data)
    values = [_values(item) for item in items]
    modes = [_mode(v) for v in values]
    first_modes = list(modes)
    blocks = _blocks(values, modes, tolerance)
    for family, block in blocks.items():
        members = _members(family, values, modes)
        decoded = decode_l2(block, _model(family)).reshape(len(members), -1, family[0])
        for i, pieces in zip(members, decoded):
            if not _good(values[i], _from_rows(pieces, values[i], modes[i]), modes[i], tolerance):
                modes[i] = EXACT
    if modes != first_modes:
        blocks = _blocks(values, modes, tolerance)  # without the items that turned out exact
    hollow = iter([v if m == EXACT else np.zeros_like(v) for v, m in zip(values, modes)])
    writer = Writer()
    writer.raw(MAGIC).real(tolerance).number(len(items)).raw(bytes(modes))
    for block in blocks.values():
        writer.block(block)
    writer.block(compress(_filled(data, hollow), "lossless"))
    body = bytes(writer.data)
    return body + zlib.crc32(body).to_bytes(4, "little")


def decompress_l2(blob: bytes) -> Any:
    """Give back what `compress_l2` was given.

    Raises
    ------
    FormatError
        Not such bytes, or damaged.
    """
    reader = Reader(checked(blob, MAGIC, "an L2 archive"))
    reader.raw(len(MAGIC))
    reader.real()
    modes = list(reader.raw(reader.number()))
    blocks = []
    while True:
        block = reader.block()
        if block[:4] != b"IL2\x01":
            break
        blocks.append(block)
    data = decompress(block)
    values = [_values(item) for item in _items(data)]
    families = list(_families(values, modes)) if len(values) == len(modes) else []
    if len(values) != len(modes) or len(families) != len(blocks):
        raise FormatError("an L2 archive does not hold what it announces")
    for family, coded in zip(families, blocks):
        members = _members(family, values, modes)
        decoded = decode_l2(coded, _model(family)).reshape(len(members), -1, family[0])
        for i, pieces in zip(members, decoded):
            values[i] = _from_rows(pieces, values[i], modes[i])
    return _filled(data, iter(values))


def parse_l2(text: str) -> float:
    """X of the text ``l2:X``.

    Raises
    ------
    BoundError
        Not a number.
    """
    try:
        return float(text.strip().lower().removeprefix("l2:"))
    except ValueError:
        raise BoundError(f"bound {text!r} is not understood: write l2:X with 0 < X < 1") from None


def is_l2(blob: bytes) -> bool:
    """Whether these are the bytes of `compress_l2`."""
    return bytes(blob[: len(MAGIC)]) == MAGIC


def _items(data: Any) -> list[Any]:
    if isinstance(data, Curve | Frame | np.ndarray) or np.isscalar(data):
        return [data]
    if isinstance(data, Mapping):
        return list(data.values())
    if isinstance(data, Sequence) and data and isinstance(data[0], Curve | Frame | np.ndarray):
        return list(data)
    return [np.asarray(data)]


def _filled(data: Any, values: Any) -> Any:
    """The same kind of thing with other values, taken in order."""

    def one(item: Any) -> Any:
        return item.replace(values=next(values)) if isinstance(item, Curve | Frame) else next(values)

    if isinstance(data, Mapping):
        return {name: one(item) for name, item in data.items()}
    if isinstance(data, Sequence) and data and isinstance(data[0], Curve | Frame | np.ndarray):
        return [one(item) for item in data]
    return one(data)


def _values(item: Any) -> np.ndarray:
    values = np.asarray(item.values if isinstance(item, Curve | Frame) else item)
    if values.dtype.kind not in "biuf":
        raise InputError(f"expected real numbers, got an array of dtype {values.dtype}")
    return values


def _blocks(values, modes, tolerance) -> dict[tuple[int, int, int], bytes]:
    """Codes of each family of items."""
    blocks = {}
    for family in _families(values, modes):
        members = _members(family, values, modes)
        rows = np.vstack([_rows(values[i], modes[i]) for i in members])
        budgets = np.array([_budget(values[i], modes[i], tolerance) for i in members])
        blocks[family] = encode_l2(rows, tolerance, _model(family), family[1], budgets)
    return blocks


def _budget(values: np.ndarray, mode: int, tolerance: float) -> float:
    """What ||v' - v|| may be, less a little for the cast to the stored dtype."""
    v = np.log10(values.astype(np.float64)) if mode == LOG else values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        room = tolerance * np.linalg.norm(v - v.mean())
    if values.dtype.kind in "iu":
        room -= 0.5 * math.sqrt(v.size)
    elif values.dtype.itemsize < 8:
        relative = float(np.finfo(values.dtype).eps)
        room -= relative * (math.sqrt(v.size) if mode == LOG else float(np.linalg.norm(v)))
    return float(room) if np.isfinite(room) and room > 0 else 0.0


def _mode(values: np.ndarray) -> int:
    if values.size < 4 or values.dtype.kind == "b" or not np.isfinite(values).all():
        return EXACT
    if values.min() == values.max():
        return EXACT  # the error is relative to the spread, and there is none
    return LOG if values.dtype.kind == "f" and (values > 0).all() else LINEAR


def _family(values: np.ndarray) -> tuple[int, int, int]:
    """Row length, rows an item, number of axes that matter: items of one family share a block."""
    if values.ndim == 1:
        n = len(values)
        pieces = 1 if n <= LONGEST else math.ceil(n / SEGMENT)
        return math.ceil(n / pieces), pieces, 1
    r, c = (math.ceil(side / PATCH) for side in values.shape[-2:])
    return PATCH**2, r * c * math.prod(values.shape[:-2]), 2


def _families(values: Sequence[np.ndarray], modes: Sequence[int]) -> list[tuple[int, int, int]]:
    return list(dict.fromkeys(_family(v) for v, m in zip(values, modes) if m != EXACT))


def _members(family: tuple[int, int, int], values, modes) -> list[int]:
    return [i for i, (v, m) in enumerate(zip(values, modes)) if m != EXACT and _family(v) == family]


def _model(family: tuple[int, int, int]) -> L2Model:
    return analytic_model(family[0]) if family[2] == 1 else analytic_model(family[0], FRAME_ATOMS)


def _rows(values: np.ndarray, mode: int) -> np.ndarray:
    v = np.log10(values.astype(np.float64)) if mode == LOG else values.astype(np.float64)
    length, pieces, axes = _family(values)
    if axes == 1:
        return np.pad(v, (0, length * pieces - len(v)), mode="edge").reshape(pieces, length)
    frames = v.reshape(-1, *v.shape[-2:])
    frames = np.pad(frames, [(0, 0), *((0, -side % PATCH) for side in frames.shape[1:])], mode="edge")
    N, r, c = frames.shape
    tiles = frames.reshape(N, r // PATCH, PATCH, c // PATCH, PATCH).swapaxes(2, 3)
    return tiles.reshape(pieces, length)


def _from_rows(rows: np.ndarray, like: np.ndarray, mode: int) -> np.ndarray:
    if like.ndim == 1:
        v = rows.ravel()[: like.size]
    else:
        r, c = (math.ceil(side / PATCH) for side in like.shape[-2:])
        tiles = rows.reshape(-1, r, c, PATCH, PATCH).swapaxes(2, 3)
        frames = tiles.reshape(-1, r * PATCH, c * PATCH)[:, : like.shape[-2], : like.shape[-1]]
        v = frames.reshape(like.shape)
    with np.errstate(over="ignore"):
        v = 10.0**v if mode == LOG else v
        if like.dtype.kind in "iu":
            info = np.iinfo(like.dtype)
            return np.clip(np.rint(v), float(info.min), float(info.max)).astype(like.dtype)
        return v.astype(like.dtype)


def _good(before: np.ndarray, after: np.ndarray, mode: int, tolerance: float) -> bool:
    """The promise, checked on the values as they will be given back."""
    a, b = before.astype(np.float64), after.astype(np.float64)
    if mode == LOG:
        if not (np.isfinite(b).all() and (b > 0).all()):
            return False
        a, b = np.log10(a), np.log10(b)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.linalg.norm(b - a) <= tolerance * np.linalg.norm(a - a.mean()))
