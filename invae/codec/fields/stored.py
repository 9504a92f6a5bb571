"""Stored forms of models: named arrays of whole numbers on coarse grids, each a block of integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from invae.codec.coding.network import MOST_WEIGHTS, N_LOGITS
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["MOST_32", "MOST_64", "Part", "empty_arrays", "network_parts", "read_parts", "write_parts"]

MOST_32, MOST_64 = (1 << 31) - 1, 1 << 40  # of taps and mixers, of sums of errors


class Part(NamedTuple):
    """An array of a model: its name, shape and dtype, the step of its grid, the largest size of a value."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    step: int
    most: int


def network_parts(n_inputs: int, hidden: tuple[int, int], step: int = 1) -> tuple[Part, ...]:
    """Layers of a network (`invae.codec.coding.network`)."""
    rows, columns = (n_inputs, hidden[0] + 1, hidden[1] + 1), (*hidden, N_LOGITS)
    return tuple(Part(f"N{k + 1}", (rows[k], columns[k]), np.int16, step, MOST_WEIGHTS[k]) for k in range(3))


def empty_arrays(parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Zeros for every part."""
    return {part.name: np.zeros(part.shape, dtype=part.dtype) for part in parts}


def write_parts(out: Writer, arrays: Mapping[str, np.ndarray], parts: Sequence[Part]) -> None:
    """Append a block for each part."""
    for part in parts:
        array = arrays[part.name]
        codes = np.rint(array / part.step).astype(np.int64)
        out.block(encode_integers(codes.reshape(-1, array.shape[-1])))


def read_parts(reader: Reader, parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Inverse of `write_parts`; a `ValueError` where the bytes are none of that.

    Values beyond what a part may hold are refused: kernels trust their model.
    """
    arrays = {}
    for part in parts:
        n_rows = int(np.prod(part.shape[:-1]))
        plane = decode_integers(Reader(reader.block()), n_rows, part.shape[-1])
        limit = part.most // part.step
        if plane.min() < -limit or plane.max() > limit:
            raise reader.fail(f"a value of {part.name} beyond {part.most}")
        arrays[part.name] = (plane * part.step).astype(part.dtype).reshape(part.shape)
    return arrays
