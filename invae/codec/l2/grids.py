"""The L2 mode by plain grids: each item on a grid as coarse as its budget allows, coded by the causal coder.

Items of one shape are stacked: for each a signed k of its step s = 2^(k/8), then the integer plane of n =
rint(v / s), rows of a frame below each other. Values are n s, one product of doubles each. Where neighbours
predict curves or frames better than atoms do, this is shorter than sparse codes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.integers import decode_integers, encode_integers
from invae.codec.fields.plane_model import PlaneModel
from invae.codec.l2.codes import EIGHTHS

__all__ = ["coarsest_step", "decode_grids", "encode_grids"]

LARGEST = 1 << 27  # of a grid integer; finer grids cost more bits than the values themselves in float32
TRIED = 48  # eighths of an octave that are tried: from half an octave above that of uniform errors down
MOST_EIGHTHS = 8000  # steps from 2^-1000 to 2^1000: their products with grid integers stay doubles


def coarsest_step(v: np.ndarray, budget: float, fits: Callable[[np.ndarray], bool]) -> int | None:
    """k of the coarsest step at which what is decoded ``fits``, or None where there is none."""
    if not budget > 0:
        return None
    start = math.floor(8 * math.log2(budget * math.sqrt(12 / v.size))) + 12
    for k in range(start, start - TRIED, -1):
        if abs(k) > MOST_EIGHTHS or np.abs(v).max() >= LARGEST * _step(k):
            return None
        if fits(_place(v, k) * _step(k)):
            return k
    return None


def encode_grids(values: Sequence[np.ndarray], steps: Sequence[int], model: PlaneModel) -> bytes:
    """Code items of one shape, each in steps of its own."""
    out = Writer()
    for k in steps:
        out.signed(k)
    shape = values[0].shape
    planes = [_place(v, k).reshape(-1, shape[-1]) for v, k in zip(values, steps)]
    return bytes(out.raw(encode_integers(np.concatenate(planes), model, _height(shape))).data)


def decode_grids(reader: Reader, n_items: int, shape: tuple[int, ...], model: PlaneModel) -> list[np.ndarray]:
    """Inverse of `encode_grids`, from the rest of ``reader``."""
    steps = [reader.signed() for _ in range(n_items)]
    if any(abs(k) > MOST_EIGHTHS for k in steps):
        raise reader.fail("a step is out of range")
    n_rows = math.prod(shape[:-1])
    plane = decode_integers(reader, n_items * n_rows, shape[-1], model)
    parts = plane.reshape(n_items, *shape)
    return [part * _step(k) for part, k in zip(parts, steps)]


def _height(shape: tuple[int, ...]) -> int:
    return shape[-2] if len(shape) > 1 else 0


def _place(v: np.ndarray, k: int) -> np.ndarray:
    return np.rint(v / _step(k)).astype(np.int64)


def _step(k: int) -> float:
    return math.ldexp(EIGHTHS[k % 8], k // 8)
