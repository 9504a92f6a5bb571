"""Groups in the L2 mode: values as sparse codes or on grids, whichever is shorter; everything else exact.

The bound holds for each item: ||v' - v|| <= X ||v - mean(v)||, where v are the values, or, of floats that are
all positive, log10 of them; masked points, sentinels, NaN and infinities are exact and no part of v. One-
dimensional values are coded as a curve, cut to segments of about 256 points when longer than 512; arrays with
more axes as frames over the last two, in patches of 16 x 16, all frames of an array together being the item.
The analytic models need no training and no bytes. Where the bound cannot be met (constants, integers after
rounding) an item is stored exactly.

Layout: FORMAT.md, groups 4 (sparse codes) and 5 (grids, `invae.codec.l2.grids`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from invae.codec.bounds import Bound
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.group import decode_group, encode_group
from invae.codec.fields.plane_model import PlaneModel
from invae.codec.l2.bases import CURVE_ATOMS
from invae.codec.l2.codes import L2Model, analytic_model, decode_l2, encode_l2
from invae.codec.l2.grids import coarsest_step, decode_grids, encode_grids
from invae.codec.l2.values import EXACT, FEWEST, LOG, L2Values

__all__ = ["L2_GRID_GROUP", "L2_GROUP", "decode_l2_group", "encode_l2_group"]

L2_GROUP, L2_GRID_GROUP = 4, 5
# Longer curves are cut: a dictionary for n points holds n^2 numbers and more. A patch is as long as a row.
LONGEST, SEGMENT, PATCH = 512, 256, 16
FRAME_ATOMS = (f"dct{PATCH}", "impulse")
RowShape = tuple[int, int, int]


def encode_l2_group(items: Sequence[Any], bound: Bound, model: PlaneModel) -> tuple[bytes, float]:
    """Code arrays or records within ``bound`` (``l2:X``); return bytes and the largest error in bounds."""
    return min(_encode_sparse(items, bound), _encode_on_grids(items, bound, model), key=lambda f: len(f[0]))


def _encode_on_grids(items: Sequence[Any], bound: Bound, model: PlaneModel) -> tuple[bytes, float]:
    every, steps, worst = [L2Values.to_code(item) for item in items], [0] * len(items), 0.0
    for i, item in enumerate(every):
        if item.mode == EXACT:
            continue
        k = coarsest_step(item.coded(), item.budget(bound.value), partial(item.keeps, bound))
        if k is None:
            item.mode = EXACT
        else:
            steps[i] = k
    writer = _head(L2_GRID_GROUP, every)
    for shape, members in _of_shapes(every).items():
        block = encode_grids([every[i].coded() for i in members], [steps[i] for i in members], model)
        writer.block(block)
        for i, v in zip(members, decode_grids(Reader(block), len(members), shape, model)):
            worst = max(worst, every[i].ratio(bound, v))
    return bytes(writer.data), worst


def _encode_sparse(items: Sequence[Any], bound: Bound) -> tuple[bytes, float]:
    every, worst, missed = [L2Values.to_code(item) for item in items], 0.0, False
    blocks = _blocks(every, bound.value)
    for (shape, members), block in zip(_of_row_shapes(every).items(), blocks):
        decoded = decode_l2(block, _model(shape)).reshape(len(members), -1, shape[0])
        for i, rows in zip(members, decoded):
            ratio = every[i].ratio(bound, _from_rows(rows, every[i].shape))
            if ratio > 1:
                every[i].mode, missed = EXACT, True
            else:
                worst = max(worst, ratio)
    if missed:
        blocks = _blocks(every, bound.value)  # without the items that turned out exact
    writer = _head(L2_GROUP, every)
    for block in blocks:
        writer.block(block)
    return bytes(writer.data), worst


def _head(kind: int, every: Sequence[L2Values]) -> Writer:
    """Kind, modes, and the items without what is coded."""
    exact = encode_group([item.hollow() for item in every], Bound("lossless"), Bound("lossless"))[0]
    return Writer().byte(kind).raw(bytes(item.mode for item in every)).block(exact)


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
    every = [L2Values.to_decode(item, mode) for item, mode in zip(items, modes)]
    if any(item.mode != EXACT and item.values.size < FEWEST for item in every):
        raise reader.fail("an item is too small to be coded by L2")
    if kind == L2_GRID_GROUP:
        for grid_shape, members in _of_shapes(every).items():
            start = reader.offset
            decoded = decode_grids(Reader(reader.block(), start), len(members), grid_shape, model)
            for i, v in zip(members, decoded):
                items[i] = every[i].restored_item(v)
        return items
    for shape, members in _of_row_shapes(every).items():
        rows = decode_l2(reader.block(), _model(shape))
        if rows.size != len(members) * shape[0] * shape[1]:
            raise reader.fail(f"{len(rows)} rows of codes where {len(members) * shape[1]} belong")
        for i, own in zip(members, rows.reshape(len(members), -1, shape[0])):
            items[i] = every[i].restored_item(_from_rows(own, every[i].shape))
    return items


def _blocks(every: Sequence[L2Values], tolerance: float) -> list[bytes]:
    """Codes of the items of each shape of rows."""
    blocks = []
    for shape, members in _of_row_shapes(every).items():
        rows = np.vstack([_rows(every[i].coded()) for i in members])
        budgets = np.array([every[i].budget(tolerance) for i in members])
        blocks.append(encode_l2(rows, tolerance, _model(shape), shape[1], budgets))
    return blocks


def _of_shapes(every: Sequence[L2Values]) -> dict[tuple[int, ...], list[int]]:
    """Numbers of the coded items of each shape, in the order of their first items."""
    members: dict[tuple[int, ...], list[int]] = {}
    for i, item in enumerate(every):
        if item.mode != EXACT:
            members.setdefault(item.shape, []).append(i)
    return members


def _of_row_shapes(every: Sequence[L2Values]) -> dict[RowShape, list[int]]:
    """Numbers of the coded items of each shape of rows, in the order of their first items."""
    members: dict[RowShape, list[int]] = {}
    for i, item in enumerate(every):
        if item.mode != EXACT:
            members.setdefault(_row_shape(item.shape), []).append(i)
    return members


def _row_shape(shape: tuple[int, ...]) -> RowShape:
    """Row length, rows an item, number of axes that matter: items that agree in these share a block."""
    if len(shape) == 1:
        n = shape[0]
        pieces = 1 if n <= LONGEST else math.ceil(n / SEGMENT)
        return math.ceil(n / pieces), pieces, 1
    r, c = (math.ceil(side / PATCH) for side in shape[-2:])
    return PATCH**2, r * c * math.prod(shape[:-2]), 2


def _model(shape: RowShape) -> L2Model:
    return analytic_model(shape[0], CURVE_ATOMS if shape[2] == 1 else FRAME_ATOMS)


def _rows(v: np.ndarray) -> np.ndarray:
    length, pieces, axes = _row_shape(v.shape)
    if axes == 1:
        return np.pad(v, (0, length * pieces - len(v)), mode="edge").reshape(pieces, length)
    frames = v.reshape(-1, *v.shape[-2:])
    frames = np.pad(frames, [(0, 0), *((0, -side % PATCH) for side in frames.shape[1:])], mode="edge")
    N, r, c = frames.shape
    tiles = frames.reshape(N, r // PATCH, PATCH, c // PATCH, PATCH).swapaxes(2, 3)
    return tiles.reshape(pieces, length)


def _from_rows(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 1:
        return rows.ravel()[: shape[0]]
    r, c = (math.ceil(side / PATCH) for side in shape[-2:])
    tiles = rows.reshape(-1, r, c, PATCH, PATCH).swapaxes(2, 3)
    frames = tiles.reshape(-1, r * PATCH, c * PATCH)[:, : shape[-2], : shape[-1]]
    return frames.reshape(shape)
