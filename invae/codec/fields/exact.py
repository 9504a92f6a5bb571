"""Exact coding of a plane of numbers: the smallest of several forms.

========= ====== ===================================================================================
mode      number content behind the mode byte
========= ====== ===================================================================================
RAW       0      little-endian values
SHUFFLE   1      zstd of the values, the k-th bytes of all values together
WHOLE     2      integer types: varint shift, then the integer plane >> shift (uint64 by its bits)
ORDERED   3      floats: varint shift, then the plane of ordered bits (magnitude >> shift; ~ if negative)
FIXED     4      floats that were decimal text: k, escapes, plane n (x = n 10^-k)
DIGITS    5      floats that were decimal text: d, escapes, plane of d-digit codes
NARROW    6      float64 that holds float32 values: an exact plane of float32
MARKED    7      integer types with marks of dead pixels: escapes, then the integer plane (uint64 by its bits)
========= ====== ===================================================================================

*escapes*: varint count; when it is not 0, a block with the 0/1 integer plane of positions and a block with
an exact plane (one row) of values.
"""

from __future__ import annotations

import numpy as np
import zstandard

from invae.codec.bounds import same_bits
from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.decimals import decimal_forms, fixed_to_values, scientific_to_values
from invae.codec.fields.integers import PlaneModel, decode_integers, encode_integers

__all__ = ["decode_escapes", "decode_exact", "encode_escapes", "encode_exact", "sentinels"]

RAW, SHUFFLE, WHOLE, ORDERED, FIXED, DIGITS, NARROW, MARKED = range(8)
SENTINELS = (2**16 - 1, 2**31 - 1, 2**32 - 1)


def encode_exact(plane: np.ndarray, height: int = 0, model: PlaneModel | None = None) -> bytes:
    """Code a plane (rows, columns) of any native real dtype; ``height`` as for `encode_integers`.

    Of ``model`` only what codes frames is used.
    """
    model = None if model is None else model.without_curves()
    plane = np.ascontiguousarray(plane)
    little = plane.astype(plane.dtype.newbyteorder("<"), copy=False)
    raw = little.tobytes()
    forms = [bytes([RAW]) + raw]
    if plane.size == 0:
        return forms[0]
    if plane.dtype.kind in "biu":
        marks = sentinels(plane)
        if marks.any() and not marks.all():
            out = Writer().byte(MARKED).raw(encode_escapes(marks, plane))
            out.raw(encode_integers(fill_gaps(_bits(plane), marks), model, height))
            forms.append(bytes(out.data))
        else:
            forms.append(_encode_whole(plane, height, model))
    elif plane.dtype.itemsize <= 8:
        forms += _float_forms(plane)
    smallest = min(forms, key=len)
    if plane.dtype.itemsize > 8 or (
        len(smallest) > len(raw) // 8 and smallest[0] not in (FIXED, DIGITS, NARROW)
    ):
        forms.append(_encode_shuffled(little))
    return min(forms, key=len)


def decode_exact(
    reader: Reader, dtype: np.dtype, n_rows: int, n_columns: int, model: PlaneModel | None = None
) -> np.ndarray:
    """Rebuild the plane of native ``dtype`` from the rest of ``reader``."""
    shape, size = (n_rows, n_columns), n_rows * n_columns
    mode = reader.byte()
    if mode == RAW:
        return (
            np.frombuffer(reader.raw(size * dtype.itemsize), dtype=dtype.newbyteorder("<"))
            .astype(dtype)
            .reshape(shape)
        )
    if mode == SHUFFLE:
        return _decode_shuffled(reader, dtype, shape)
    if mode == WHOLE and dtype.kind in "biu":
        shift = _shift(reader)
        return _from_bits(decode_integers(reader, n_rows, n_columns, model) << shift, dtype)
    if mode == MARKED and dtype.kind in "iu":
        positions, values = decode_escapes(reader, dtype, n_rows, n_columns)
        plane = _from_bits(decode_integers(reader, n_rows, n_columns, model), dtype)
        if positions is not None:
            plane[positions] = values
        return plane
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise reader.fail(f"mode {mode} does not fit dtype {dtype}")
    if mode == ORDERED:
        shift = _shift(reader)
        return _from_ordered(decode_integers(reader, n_rows, n_columns), shift, dtype)
    if mode in (FIXED, DIGITS):
        number = reader.byte()
        if number > 22 or (mode == DIGITS and not 1 <= number <= 15):
            raise reader.fail(f"{number} decimal digits are not possible")
        positions, values = decode_escapes(reader, dtype, n_rows, n_columns)
        codes = decode_integers(reader, n_rows, n_columns)
        with np.errstate(over="ignore"):
            plane = (fixed_to_values if mode == FIXED else scientific_to_values)(codes, number).astype(dtype)
        if positions is not None:
            plane[positions] = values
        return plane
    if mode == NARROW and dtype.itemsize == 8:
        return widened(decode_exact(reader, np.dtype(np.float32), n_rows, n_columns))
    raise reader.fail(f"mode {mode} is unknown to this version")


def encode_escapes(positions: np.ndarray, plane: np.ndarray) -> bytes:
    """Code where ``positions`` (a boolean plane) is true and the exact values of ``plane`` there."""
    count = int(np.count_nonzero(positions))
    out = Writer().number(count)
    if count:
        out.block(encode_integers(positions.astype(np.int64)))
        out.block(encode_exact(plane[positions][None, :]))
    return bytes(out.data)


def decode_escapes(
    reader: Reader, dtype: np.dtype, n_rows: int, n_columns: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the boolean plane and the values behind it, or two None."""
    count = reader.number()
    if count == 0:
        return None, None
    start = reader.offset
    inner = reader.block()
    positions = decode_integers(Reader(inner, start), n_rows, n_columns) != 0
    if np.count_nonzero(positions) != count:
        raise reader.fail(f"{count} exact values announced, {np.count_nonzero(positions)} places given")
    start = reader.offset
    inner = reader.block()
    return positions, decode_exact(Reader(inner, start), dtype, 1, count)[0]


def widened(plane: np.ndarray) -> np.ndarray:
    """float32 to float64 with NaN bits shifted as they are, which a hardware cast does not promise."""
    with np.errstate(invalid="ignore"):
        wide = plane.astype(np.float64)
    nan = np.isnan(plane)
    if nan.any():
        bits = plane[nan].view(np.uint32).astype(np.uint64)
        wide[nan] = (
            ((bits & np.uint64(0x80000000)) << np.uint64(32))
            | np.uint64(0x7FF0000000000000)
            | ((bits & np.uint64(0x007FFFFF)) << np.uint64(29))
        ).view(np.float64)
    return wide


def _float_forms(plane: np.ndarray) -> list[bytes]:
    """Candidates for a float plane, the cheap ones only where they can win."""
    if plane.dtype.itemsize == 8:
        with np.errstate(over="ignore", invalid="ignore"):
            narrow = plane.astype(np.float32)
        if same_bits(widened(narrow), plane).all():
            return [bytes([NARROW]) + encode_exact(narrow)]
    forms: list[bytes] = []
    finite = np.isfinite(plane)
    for name, number, codes in decimal_forms(np.where(finite, plane, 0).ravel()):
        codes = codes.reshape(plane.shape)
        with np.errstate(over="ignore"):
            back = (fixed_to_values if name == "fixed" else scientific_to_values)(codes, number).astype(
                plane.dtype
            )
        wrong = ~same_bits(back, plane)
        if np.count_nonzero(wrong) * 4 > plane.size:
            continue
        out = Writer().byte(FIXED if name == "fixed" else DIGITS).byte(number)
        out.raw(encode_escapes(wrong, plane)).raw(encode_integers(fill_gaps(codes, wrong)))
        forms.append(bytes(out.data))
    return forms or [_encode_ordered(plane)]


def sentinels(plane: np.ndarray) -> np.ndarray:
    """Where integer data hold marks of dead pixels instead of values."""
    if plane.dtype.kind not in "iu":
        return np.zeros(plane.shape, dtype=bool)
    info = np.iinfo(plane.dtype)
    found = np.zeros(plane.shape, dtype=bool)
    for value in (*SENTINELS, info.max):
        if plane.dtype.itemsize > 1 and value <= info.max:
            found |= plane == value
    below = plane < 0
    if below.any() and np.unique(plane[below][: 1 << 16]).size <= 4 and np.unique(plane[below]).size <= 4:
        found |= below
    return found


def _bits(plane: np.ndarray) -> np.ndarray:
    return plane.view(np.int64) if plane.dtype == np.uint64 else plane.astype(np.int64)


def _from_bits(bits: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return bits.view(np.uint64) if dtype == np.uint64 else bits.astype(dtype)


def _encode_whole(plane: np.ndarray, height: int, model: PlaneModel | None) -> bytes:
    bits = _bits(plane)
    shift = _common_zeros(bits)
    return bytes(Writer().byte(WHOLE).number(shift).raw(encode_integers(bits >> shift, model, height)).data)


def _encode_ordered(plane: np.ndarray) -> bytes:
    width = 8 * plane.dtype.itemsize
    bits = plane.view(f"i{plane.dtype.itemsize}").astype(np.int64)
    magnitude = bits & ((1 << (width - 1)) - 1)
    shift = _common_zeros(magnitude)
    magnitude >>= shift
    return bytes(
        Writer()
        .byte(ORDERED)
        .number(shift)
        .raw(encode_integers(np.where(bits < 0, ~magnitude, magnitude)))
        .data
    )


def _from_ordered(codes: np.ndarray, shift: int, dtype: np.dtype) -> np.ndarray:
    negative = codes < 0
    magnitude = np.where(negative, ~codes, codes) << shift
    sign = np.uint64(1 << (8 * dtype.itemsize - 1))
    bits = magnitude.view(np.uint64) | np.where(negative, sign, np.uint64(0))
    return bits.astype(f"u{dtype.itemsize}").view(dtype)


def _common_zeros(bits: np.ndarray) -> int:
    """Number of low bits that are zero in every value (0 when all values are)."""
    union = int(np.bitwise_or.reduce(bits, axis=None))
    return (union & -union).bit_length() - 1 if union else 0


def _shift(reader: Reader) -> int:
    shift = reader.number()
    if shift > 63:
        raise reader.fail(f"a shift by {shift} bits is not possible")
    return shift


def _encode_shuffled(little: np.ndarray) -> bytes:
    bytes_apart = little.reshape(-1).view(np.uint8).reshape(-1, little.dtype.itemsize).T
    return bytes([SHUFFLE]) + zstandard.ZstdCompressor(level=12).compress(
        np.ascontiguousarray(bytes_apart).tobytes()
    )


def _decode_shuffled(reader: Reader, dtype: np.dtype, shape: tuple[int, int]) -> np.ndarray:
    wanted = shape[0] * shape[1] * dtype.itemsize
    plain = reader.unpacked(reader.rest(), wanted)
    if len(plain) != wanted:
        raise reader.fail(f"{wanted} bytes wanted, zstd gave {len(plain)}")
    apart = np.frombuffer(plain, dtype=np.uint8).reshape(dtype.itemsize, -1)
    values = np.ascontiguousarray(apart.T).view(dtype.newbyteorder("<"))
    return values.reshape(shape).astype(dtype)
