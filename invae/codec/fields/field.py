"""One array under one bound to bytes and back; the unit that archives are made of.

Layout: a head of one byte (8 x dtype number + dimensions; 7 stands for a further byte with their number), the
dimensions as varints, one byte ``mode``, then by mode:

========= = ===============================================================================================
EXACT     0 an exact plane (`invae.codec.fields.exact`)
ABS, LOG  1 X as a short real, escapes, integer plane (`invae.codec.fields.grid`)
REL       3 X, byte 1 and a block with the integer plane of signs (or byte 0), escapes, integer plane
COUNTS    5 K, largest count (varint), escapes, integer plane of cells (`invae.codec.sigma.counts`)
STEPS     7 K, varint seed of the dither, escapes, numbers; needs decoded sigma (`invae.codec.sigma.dithered`)
BLOCKS    8 a large stack of frames: varint number of frames in a block, then every block, itself a field
DITHERED  9 as COUNTS, with the varint seed of the dither behind the largest count
========= = ===============================================================================================

The plane of an array of shape (.., n) is (product of the others, n). Every array is decoded before it is
handed out, and the largest error in units of the bound comes from that.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np

from invae.codec.bounds import Bound, poisson_sigma
from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact import (
    decode_escapes,
    decode_exact,
    encode_escapes,
    encode_exact,
    sentinels,
)
from invae.codec.fields.grid import grid_codes, grid_values
from invae.codec.fields.integers import PlaneModel, decode_integers, encode_integers
from invae.codec.sigma import counts
from invae.codec.sigma.dithered import DitheredSteps
from invae.errors import InputError

__all__ = ["decode_field", "encode_field", "field_info"]

DTYPES = (
    "|b1",
    "|i1",
    "|u1",
    *(f"{order}{kind}" for kind in ("i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8") for order in "<>"),
)
EXTENDED = 31  # head number of a dtype that is written out, such as long doubles
EXACT, ABS, LOG, REL, COUNTS, STEPS, BLOCKS, DITHERED = 0, 1, 2, 3, 5, 7, 8, 9
BLOCK_VALUES = 1 << 19  # of a block; stacks of twice as many values are cut
SEED = 0
N_SEEDS, MOST_SEED = 128, 1 << 16
ON_COUNTS = (COUNTS, DITHERED)
MODE_OF = {"abs": ABS, "log": LOG, "rel": REL}
KIND_OF = {mode: kind for kind, mode in MODE_OF.items()}
MOST_VALUES = 1 << 36


def encode_field(
    array: Any,
    bound: Bound,
    sigma: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    model: PlaneModel | None = None,
) -> tuple[bytes, float]:
    """Code an array of any shape and real dtype.

    Parameters
    ----------
    array : ndarray
        Of a stack of frames any object with ``shape``, ``dtype`` and slices, which are read block by block.
    bound : Bound
    sigma : ndarray of the same shape, optional
        Standard deviations as the decoder will have them; only ``Ksigma`` uses them.
    mask : ndarray of the same shape, optional
        Non-zero: exact.
    model : CodecModel, optional
        Codes the integers of bounded values where that is shorter.

    Returns
    -------
    data : bytes
    max_ratio : float
        Largest error in units of the bound, found by decoding ``data``.

    Raises
    ------
    InputError
        The dtype is not real, or sigma or mask have another shape.
    BoundError
        ``Ksigma`` without sigma for data that are not integer counts.
    """
    if len(np.shape(array)) > 2 and array.shape[0] > 1 and math.prod(array.shape) > 2 * BLOCK_VALUES:
        return _encode_blocks(array, bound, sigma, mask, model)
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(f"arrays of dtype {array.dtype} cannot be compressed; give real numbers or booleans")
    for name, other in (("sigma", sigma), ("mask", mask)):
        if other is not None and np.shape(other) != array.shape:
            raise InputError(
                f"{name} has shape {np.shape(other)}, the values have {array.shape}; they must agree"
            )
    head = _head(array)
    if bound.kind == "sigma" and sigma is None:
        poisson_sigma(array[:0] if array.ndim else array)  # raises for data that have no sigma
    plane = _plane(array)
    height = array.shape[-2] if array.ndim > 1 else 0
    bounded = None
    if bound.kind != "lossless" and plane.dtype.kind != "b" and plane.dtype.itemsize <= 8 and plane.size:
        bounded = _encode_bounded(
            plane,
            bound,
            None if sigma is None else _plane(np.asarray(sigma)),
            None if mask is None else _plane(np.asarray(mask)) != 0,
            model,
            height,
        )
    if bounded is not None and len(bounded) < plane.nbytes // 8:
        candidates = [bounded]
    else:
        candidates = [bytes([EXACT]) + encode_exact(plane, height, model)] + (
            [bounded] if bounded is not None else []
        )
    for body in sorted(candidates, key=len):
        data = head + body
        ratio = bound.max_ratio(array, decode_field(data, sigma, 0, model), sigma, mask)
        if ratio <= 1.0:
            return data, ratio
    data = head + bytes([EXACT, 0]) + plane.astype(plane.dtype.newbyteorder("<")).tobytes()
    return data, bound.max_ratio(array, decode_field(data), sigma, mask)


def decode_field(
    data: bytes, sigma: np.ndarray | None = None, origin: int = 0, model: PlaneModel | None = None
) -> np.ndarray:
    """Rebuild the array; ``origin`` is the offset of ``data`` in its file, for messages.

    Raises
    ------
    FormatError
        The bytes are not those of a field.
    """
    reader = Reader(data, origin)
    dtype, shape = _read_head(reader)
    native = dtype.newbyteorder("=")
    if sigma is not None and sigma.shape != shape:
        raise reader.fail(f"standard deviations of shape {sigma.shape} for values of shape {shape}")
    n_rows, n_columns = _plane_shape(shape)
    mode = reader.byte()
    if mode == BLOCKS:
        return _decode_blocks(reader, dtype, shape, sigma, model)
    if mode == EXACT:
        plane = decode_exact(reader, native, n_rows, n_columns, model)
    elif mode in (ABS, LOG, REL, COUNTS, STEPS, DITHERED):
        plane = _decode_bounded(reader, mode, native, (n_rows, n_columns), sigma, model)
    else:
        raise reader.fail(f"field mode {mode} is unknown to this version")
    return plane.reshape(shape).astype(dtype, copy=False)


def field_info(data: bytes) -> tuple[str, tuple[int, ...], int]:
    """dtype, shape and mode of a field, without decoding it."""
    reader = Reader(data)
    dtype, shape = _read_head(reader)
    return dtype.str, shape, reader.byte()


def _encode_blocks(
    array: Any, bound: Bound, sigma: Any, mask: Any, model: PlaneModel | None
) -> tuple[bytes, float]:
    n_frames = array.shape[0]
    step = max(1, n_frames * BLOCK_VALUES // math.prod(array.shape))
    out, worst = Writer().raw(_head(array)).byte(BLOCKS).number(step), 0.0
    for start in range(0, n_frames, step):
        part = slice(start, min(start + step, n_frames))
        own_sigma, own_mask = (None if other is None else np.asarray(other[part]) for other in (sigma, mask))
        data, ratio = encode_field(np.asarray(array[part]), bound, own_sigma, own_mask, model)
        out.block(data)
        worst = max(worst, ratio)
    return bytes(out.data), worst


def _decode_blocks(
    reader: Reader,
    dtype: np.dtype,
    shape: tuple[int, ...],
    sigma: np.ndarray | None,
    model: PlaneModel | None,
) -> np.ndarray:
    step = reader.number()
    if len(shape) < 3 or not 0 < step <= shape[0]:
        raise reader.fail(f"blocks of {step} frames do not fit an array of shape {shape}")
    blocks = []
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        place, data = reader.offset, reader.block()
        if field_info(data)[:2] != (dtype.str, (stop - start, *shape[1:])) or field_info(data)[2] == BLOCKS:
            raise reader.fail("a block is not the part of its stack that it should be")
        blocks.append(decode_field(data, None if sigma is None else sigma[start:stop], place, model))
    return np.concatenate(blocks)


def _encode_bounded(
    plane: np.ndarray,
    bound: Bound,
    sigma: np.ndarray | None,
    mask: np.ndarray | None,
    model: PlaneModel | None,
    height: int,
) -> bytes | None:
    """Bytes of the bounded form behind the head, or None where there is none."""
    exact = sentinels(plane) | (~np.isfinite(plane) if plane.dtype.kind == "f" else False)
    if mask is not None:
        exact = exact | mask
    if bound.kind == "sigma":
        return (
            _encode_counts(plane, bound, exact, model, height)
            if sigma is None
            else _encode_steps(plane, bound, sigma, exact)
        )
    known = np.where(exact, np.zeros((), plane.dtype), plane)
    codes, outside = grid_codes(known, bound)
    negative = known < 0 if bound.kind == "rel" else None
    decoded = grid_values(codes, bound, plane.dtype, negative)
    escaped = exact | outside | ~bound.check(plane, decoded)
    out = Writer().byte(MODE_OF[bound.kind]).short(bound.value)
    if negative is not None:
        signs = (negative & ~escaped).astype(np.int64)
        out.byte(int(signs.any()))
        if signs.any():
            out.block(encode_integers(signs))
    out.raw(encode_escapes(escaped, plane)).raw(encode_integers(fill_gaps(codes, escaped), model, height))
    return bytes(out.data)


def _encode_steps(plane: np.ndarray, bound: Bound, sigma: np.ndarray, exact: np.ndarray) -> bytes | None:
    # Another dither for other data, so that errors of like curves are independent, too.
    seed = zlib.crc32(plane.astype(plane.dtype.newbyteorder("<"), copy=False).tobytes()) % N_SEEDS
    steps = DitheredSteps(bound.value, sigma, plane.dtype, seed)
    if not steps.usable.any():
        return None
    n, outside = steps.numbers(np.where(exact, np.zeros((), plane.dtype), plane))
    escaped = exact | outside | ~steps.usable | ~bound.check(plane, steps.values(n), sigma)
    out = Writer().byte(STEPS).short(bound.value).number(seed).raw(encode_escapes(escaped, plane))
    return bytes(out.raw(steps.encode(n, escaped)).data)


def _encode_counts(
    plane: np.ndarray, bound: Bound, exact: np.ndarray, model: PlaneModel | None, height: int
) -> bytes | None:
    exact = exact | (plane < 0)
    top = int(plane[~exact].max()) if not exact.all() else 0
    if top < counts.MOST_DITHERED:
        return _encode_dithered(plane, bound, exact, top, model, height)
    table = counts.cells(bound.value, top) if top < 1 << 62 else None
    if table is None:
        return None
    safe = np.where(exact, 0, plane).astype(np.int64)
    codes = counts.counts_to_cells(safe, table)
    decoded = _fit(counts.cells_to_counts(codes, table), plane.dtype)
    escaped = exact | ~bound.check(plane, decoded)
    out = Writer().byte(COUNTS).short(bound.value).number(top)
    out.raw(encode_escapes(escaped, plane)).raw(encode_integers(fill_gaps(codes, escaped), model, height))
    return bytes(out.data)


def _encode_dithered(
    plane: np.ndarray, bound: Bound, exact: np.ndarray, top: int, model: PlaneModel | None, height: int
) -> bytes:
    scale = counts.DitheredCells(bound.value, top)
    u = counts.dither(plane.size, SEED).reshape(plane.shape)
    codes = scale.numbers(np.where(exact, 0, plane).astype(np.int64), u)
    escaped = exact | ~bound.check(plane, _fit(scale.counts(codes, u), plane.dtype))
    offsets = fill_gaps(scale.offsets(u), escaped)
    out = Writer().byte(DITHERED).short(bound.value).number(top).number(SEED)
    out.raw(encode_escapes(escaped, plane))
    out.raw(encode_integers(fill_gaps(codes, escaped), model, height, offsets))
    return bytes(out.data)


def _decode_bounded(
    reader: Reader,
    mode: int,
    dtype: np.dtype,
    shape: tuple[int, int],
    sigma: np.ndarray | None,
    model: PlaneModel | None,
) -> np.ndarray:
    value = reader.short()
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or (mode in ON_COUNTS and dtype.kind == "f"):
        raise reader.fail(f"field mode {mode} does not fit dtype {dtype}")
    if mode == STEPS and (sigma is None or sigma.size == 0):
        raise reader.fail("the standard deviations that this field needs are missing")
    if mode == STEPS:
        seed = reader.number()
        if seed > MOST_SEED:
            raise reader.fail(f"seed {seed} is too large")
        positions, values = decode_escapes(reader, dtype, *shape)
        steps = DitheredSteps(value, _plane(np.asarray(sigma)), dtype, seed)
        skip = np.zeros(shape, dtype=bool) if positions is None else positions
        plane = steps.values(steps.decode(reader.rest(), skip))
    elif mode == COUNTS:
        top = reader.number()
        table = counts.cells(value, top) if top < 1 << 62 else None
        if table is None:
            raise reader.fail(f"largest count {top} is too large")
        positions, values = decode_escapes(reader, dtype, *shape)
        plane = _fit(counts.cells_to_counts(decode_integers(reader, *shape, model), table), dtype)
    elif mode == DITHERED:
        top, seed = reader.number(), reader.number()
        if top >= counts.MOST_DITHERED or seed > MOST_SEED:
            raise reader.fail(f"largest count {top} or seed {seed} is too large")
        positions, values = decode_escapes(reader, dtype, *shape)
        u = counts.dither(shape[0] * shape[1], seed).reshape(shape)
        scale = counts.DitheredCells(value, top)
        offsets = scale.offsets(u) if positions is None else fill_gaps(scale.offsets(u), positions)
        plane = _fit(scale.counts(decode_integers(reader, *shape, model, offsets), u), dtype)
    else:
        bound = Bound(KIND_OF[mode], value) if mode != REL or value < 1 else None
        if bound is None:
            raise reader.fail(f"rel:{value} is not possible")
        negative = None
        if mode == REL and reader.byte():
            start = reader.offset
            negative = decode_integers(Reader(reader.block(), start), *shape) != 0
        positions, values = decode_escapes(reader, dtype, *shape)
        plane = grid_values(decode_integers(reader, *shape, model), bound, dtype, negative)
    if positions is not None:
        plane[positions] = values
    return plane


def _fit(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.clip(values, info.min, min(info.max, (1 << 63) - 1)).astype(dtype)


def _plane(array: np.ndarray) -> np.ndarray:
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native).reshape(_plane_shape(array.shape))


def _plane_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    n_columns = shape[-1] if shape else 1
    return math.prod(shape[:-1]), n_columns


def _head(array: np.ndarray) -> bytes:
    text = "|b1" if array.dtype.kind == "b" else array.dtype.str
    number = DTYPES.index(text) if text in DTYPES else EXTENDED
    out = Writer().byte(8 * number + min(array.ndim, 7))
    if array.ndim >= 7:
        out.byte(array.ndim)
    if number == EXTENDED:
        if array.dtype.kind != "f":
            raise InputError(
                f"arrays of dtype {array.dtype} cannot be compressed; give real numbers or booleans"
            )
        out.block(text.encode())
    for length in array.shape:
        out.number(length)
    return bytes(out.data)


def _read_head(reader: Reader) -> tuple[np.dtype, tuple[int, ...]]:
    number, ndim = divmod(reader.byte(), 8)
    if ndim == 7:
        ndim = reader.byte()
    if number == EXTENDED:
        text = reader.block()
        if text not in (b"<f16", b">f16", b"<f12", b">f12"):
            raise reader.fail(f"dtype {text!r} is not a real one")
        try:
            dtype = np.dtype(text.decode())
        except TypeError:
            raise reader.fail(f"this machine has no dtype {text.decode()}") from None
    elif number < len(DTYPES):
        dtype = np.dtype(DTYPES[number])
    else:
        raise reader.fail(f"dtype number {number} is unknown to this version")
    shape = tuple(reader.number() for _ in range(ndim))
    if ndim > 64 or math.prod(n for n in shape if n) > MOST_VALUES:
        raise reader.fail(f"shape {shape} is not possible")
    return dtype, shape
