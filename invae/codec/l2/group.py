"""Groups in the L2 mode: values as sparse codes or on grids, whichever is shorter; everything else exact.

The bound holds for each item: ||v' - v|| <= X ||v - mean(v)||, where v are the values, or, of floats that are
positive everywhere, log10 of them. One-dimensional values are coded as a curve, cut to segments of about 256
points when longer than 512; arrays with more axes as frames over the last two, in patches of 16 x 16, all
frames of an array together being the item. The analytic models need no training and no bytes. Where the bound
cannot be met (NaN, infinities, constants, integers after rounding) an item is stored exactly.

Layout: FORMAT.md, groups 4 (sparse codes) and 5 (grids, `invae.codec.l2.grids`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from invae.codec.bounds import Bound
from invae.codec.coding.transforms import exp10, rounded
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.group import decode_group, encode_group
from invae.codec.fields.plane_model import PlaneModel
from invae.codec.l2.bases import CURVE_ATOMS
from invae.codec.l2.codes import L2Model, analytic_model, decode_l2, encode_l2
from invae.codec.l2.grids import coarsest_step, decode_grids, encode_grids
from invae.data.records import Curve, Frame

__all__ = ["L2_GRID_GROUP", "L2_GROUP", "decode_l2_group", "encode_l2_group"]

L2_GROUP, L2_GRID_GROUP = 4, 5
EXACT, LINEAR, LOG = 0, 1, 2
LONGEST, SEGMENT, PATCH = 512, 256, 16
FEWEST = 4  # values
FRAME_ATOMS = (f"dct{PATCH}", "impulse")
Family = tuple[int, int, int]


def encode_l2_group(items: Sequence[Any], bound: Bound, model: PlaneModel) -> tuple[bytes, float]:
    """Code arrays or records within ``bound`` (``l2:X``); return bytes and the largest error in bounds."""
    return min(_encode_sparse(items, bound), _encode_on_grids(items, bound, model), key=lambda f: len(f[0]))


def _encode_on_grids(items: Sequence[Any], bound: Bound, model: PlaneModel) -> tuple[bytes, float]:
    values = [_values(item) for item in items]
    modes, steps, worst = [_mode(v) for v in values], [0] * len(items), 0.0
    for i, (v, mode) in enumerate(zip(values, modes)):
        if mode == EXACT:
            continue
        k = coarsest_step(
            _transformed(v, mode), _budget(v, mode, bound.value), partial(_within, bound, v, mode)
        )
        if k is None:
            modes[i] = EXACT
        else:
            steps[i] = k
    writer = _head(L2_GRID_GROUP, items, values, modes)
    for shape in _shapes(values, modes):
        members = _of_shape(shape, values, modes)
        places = [_transformed(values[i], modes[i]) for i in members]
        block = encode_grids(places, [steps[i] for i in members], model)
        writer.block(block)
        for i, w in zip(members, decode_grids(Reader(block), len(members), shape, model)):
            worst = max(worst, bound.max_ratio(values[i], _restored(w, values[i], modes[i])))
    return bytes(writer.data), worst


def _within(bound: Bound, values: np.ndarray, mode: int, v: np.ndarray) -> bool:
    """Whether ``v``, decoded, meets the bound."""
    return bound.max_ratio(values, _restored(v, values, mode)) <= 1


def _encode_sparse(items: Sequence[Any], bound: Bound) -> tuple[bytes, float]:
    tolerance = bound.value
    values = [_values(item) for item in items]
    modes = [_mode(v) for v in values]
    first_modes = list(modes)
    blocks = _blocks(values, modes, tolerance)
    worst = 0.0
    for family, block in blocks.items():
        members = _members(family, values, modes)
        decoded = decode_l2(block, _model(family)).reshape(len(members), -1, family[0])
        for i, pieces in zip(members, decoded):
            ratio = bound.max_ratio(values[i], _from_rows(pieces, values[i], modes[i]))
            if ratio > 1:
                modes[i] = EXACT
            else:
                worst = max(worst, ratio)
    if modes != first_modes:
        blocks = _blocks(values, modes, tolerance)  # without the items that turned out exact
    writer = _head(L2_GROUP, items, values, modes)
    for block in blocks.values():
        writer.block(block)
    return bytes(writer.data), worst


def _head(kind: int, items: Sequence[Any], values: Sequence[np.ndarray], modes: Sequence[int]) -> Writer:
    """Kind, modes, and the items without what is coded."""
    hollow = [
        item if mode == EXACT else _filled(item, np.zeros_like(v))
        for item, v, mode in zip(items, values, modes)
    ]
    exact = encode_group(hollow, Bound("lossless"), Bound("lossless"))[0]
    return Writer().byte(kind).raw(bytes(modes)).block(exact)


def decode_l2_group(data: bytes, origin: int, n_items: int, model: PlaneModel) -> list[Any]:
    """Inverse of `encode_l2_group`; ``origin`` is the offset of ``data`` in its file.

    Raises
    ------
    FormatError
        The bytes do not hold what they announce.
    """
    reader = Reader(data, origin)
    kind = reader.byte()
    modes = list(reader.raw(n_items))
    if max(modes, default=0) > LOG:
        raise reader.fail(f"mode {max(modes)} of an L2 group is unknown to this version")
    items = decode_group(reader.block(), origin, n_items)
    values = [_values(item) for item in items]
    if any(m != EXACT and v.size < FEWEST for v, m in zip(values, modes)):
        raise reader.fail("an item is too small to be coded by L2")
    if kind == L2_GRID_GROUP:
        for shape in _shapes(values, modes):
            members = _of_shape(shape, values, modes)
            start = reader.offset
            places = decode_grids(Reader(reader.block(), start), len(members), shape, model)
            for i, w in zip(members, places):
                items[i] = _filled(items[i], _restored(w, values[i], modes[i]))
        return items
    for family in _families(values, modes):
        members = _members(family, values, modes)
        block = reader.block()
        rows = decode_l2(block, _model(family))
        if rows.size != len(members) * family[0] * family[1]:
            raise reader.fail(f"{len(rows)} rows of codes where {len(members) * family[1]} belong")
        for i, pieces in zip(members, rows.reshape(len(members), -1, family[0])):
            items[i] = _filled(items[i], _from_rows(pieces, values[i], modes[i]))
    return items


def _filled(item: Any, values: np.ndarray) -> Any:
    return item.replace(values=values) if isinstance(item, Curve | Frame) else values


def _values(item: Any) -> np.ndarray:
    return np.asarray(item.values if isinstance(item, Curve | Frame) else item)


def _blocks(values: Sequence[np.ndarray], modes: Sequence[int], tolerance: float) -> dict[Family, bytes]:
    """Codes of each family of items."""
    blocks = {}
    for family in _families(values, modes):
        members = _members(family, values, modes)
        rows = np.vstack([_rows(values[i], modes[i]) for i in members])
        budgets = np.array([_budget(values[i], modes[i], tolerance) for i in members])
        blocks[family] = encode_l2(rows, tolerance, _model(family), family[1], budgets)
    return blocks


def _shapes(values: Sequence[np.ndarray], modes: Sequence[int]) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(v.shape for v, m in zip(values, modes) if m != EXACT))


def _of_shape(shape: tuple[int, ...], values: Sequence[np.ndarray], modes: Sequence[int]) -> list[int]:
    return [i for i, (v, m) in enumerate(zip(values, modes)) if m != EXACT and v.shape == shape]


def _transformed(values: np.ndarray, mode: int) -> np.ndarray:
    """What is coded, in float64."""
    v = values.astype(np.float64)
    return np.log10(v) if mode == LOG else v


def _restored(v: np.ndarray, like: np.ndarray, mode: int) -> np.ndarray:
    """Inverse of `_transformed`, in the dtype of ``like``."""
    if mode == LOG:
        v = exp10(v)
    if like.dtype.kind in "iu":
        return rounded(v, like.dtype)
    with np.errstate(over="ignore"):
        return v.astype(like.dtype)


def _budget(values: np.ndarray, mode: int, tolerance: float) -> float:
    """What ||v' - v|| may be, less a little for the cast to the stored dtype."""
    v = _transformed(values, mode)
    with np.errstate(over="ignore", invalid="ignore"):
        room = tolerance * np.linalg.norm(v - v.mean())
    if values.dtype.kind in "iu":
        room -= 0.5 * math.sqrt(v.size)
    elif values.dtype.itemsize < 8:
        relative = float(np.finfo(values.dtype).eps)
        room -= relative * (math.sqrt(v.size) if mode == LOG else float(np.linalg.norm(v)))
    return float(room) if np.isfinite(room) and room > 0 else 0.0


def _mode(values: np.ndarray) -> int:
    if values.size < FEWEST or values.dtype.kind == "b" or not np.isfinite(values).all():
        return EXACT
    if values.min() == values.max():
        return EXACT  # the error is relative to the spread, and there is none
    return LOG if values.dtype.kind == "f" and (values > 0).all() else LINEAR


def _family(values: np.ndarray) -> Family:
    """Row length, rows an item, number of axes that matter: items of one family share a block."""
    if values.ndim == 1:
        n = len(values)
        pieces = 1 if n <= LONGEST else math.ceil(n / SEGMENT)
        return math.ceil(n / pieces), pieces, 1
    r, c = (math.ceil(side / PATCH) for side in values.shape[-2:])
    return PATCH**2, r * c * math.prod(values.shape[:-2]), 2


def _families(values: Sequence[np.ndarray], modes: Sequence[int]) -> list[Family]:
    return list(dict.fromkeys(_family(v) for v, m in zip(values, modes) if m != EXACT))


def _members(family: Family, values, modes) -> list[int]:
    return [i for i, (v, m) in enumerate(zip(values, modes)) if m != EXACT and _family(v) == family]


def _model(family: Family) -> L2Model:
    return analytic_model(family[0], CURVE_ATOMS if family[2] == 1 else FRAME_ATOMS)


def _rows(values: np.ndarray, mode: int) -> np.ndarray:
    v = _transformed(values, mode)
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
    return _restored(v, like, mode)
