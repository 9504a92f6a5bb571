"""The L2 mode: sparse codes on a learned dictionary, with a bound on the relative L2 error of each row.

    ||x' - x|| <= X ||x - mean(x)||      for every record x: a row, or several rows that belong together

A row is its mean, a scale, and integers on the atoms of an overcomplete dictionary (`invae.codec.l2.search`
finds them, `invae.codec.l2.entropy` writes them). The dictionary is 8-bit, so that decoding sums integers and
multiplies each row by one scale: decoded values do not depend on BLAS or batch. Rows that are constant, not
finite, or whose bound cannot be met are stored exactly.

>>> rows = np.sin(np.outer(np.linspace(1, 3, 50), np.linspace(0, 6, 32)))
>>> model = analytic_model(32)
>>> decoded = decode_l2(encode_l2(rows, 0.02, model), model)
>>> size = np.linalg.norm(rows - rows.mean(axis=1, keepdims=True), axis=1)
>>> bool((np.linalg.norm(decoded - rows, axis=1) <= 0.02 * size).all())
True

This is no pointwise bound: single values may be far off where a row is large elsewhere. For curves that span
decades code log10 of the intensity.
"""

from __future__ import annotations

import math
import zlib
from itertools import accumulate

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.l2.entropy import decode_codes, encode_codes
from invae.codec.l2.model import (
    SCALE_BITS,
    STEPS,
    L2Model,
    analytic_model,
    checked,
    search,
)
from invae.errors import InputError, ModelError

__all__ = [
    "L2Model",
    "analytic_model",
    "decode_l2",
    "encode_l2",
    "identity_of",
    "sparse_codes",
]

MAGIC = b"IL2\x01"
EIGHTHS = (  # 2^(k/8), written out so that no machine's libm decides
    1.0,
    1.0905077326652577,
    1.189207115002721,
    1.2968395546510096,
    1.4142135623730951,
    1.5422108254079407,
    1.681792830507429,
    1.8340080864093424,
)
MOST_VALUES = 1 << 31
SHARES = (1.12, 1.25, 1.4, 1.6, 1.85, 2.2)  # of an even share of the budget of a record
LARGEST, SMALLEST = 1e140, 1e-140  # squares beyond these are not numbers any more


def encode_l2(
    rows: np.ndarray,
    tolerance: float,
    model: L2Model,
    n_pieces: int = 1,
    budgets: np.ndarray | None = None,
) -> bytes:
    """Code rows so that each record meets the bound.

    Parameters
    ----------
    rows : ndarray of shape (N, n)
        Real; n is the model's. Rows with NaN or infinities are stored exactly.
    tolerance : float
        X, between 0 and 1.
    model : L2Model
        Needed again to decode; its identity is stored, its bytes are not.
    n_pieces : int
        Consecutive rows that make one record: segments of a long curve, patches of a frame. The bound holds
        for the record as a whole, and its pieces share the budget.
    budgets : ndarray of shape (N / n_pieces,), optional
        Most ||x' - x|| of each record, in place of X ||x - mean(x)||: for records that were padded. A record
        with budget 0 is exact.

    Raises
    ------
    InputError
        Another row length than the model's, or a tolerance outside (0, 1).
    """
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(model.atoms):
        raise InputError(f"rows have shape {rows.shape}, the model codes rows of length {len(model.atoms)}")
    if not 0 < tolerance < 1:
        raise InputError(f"a relative L2 bound of {tolerance} makes no sense; use one between 0 and 1")
    if n_pieces < 1 or len(rows) % n_pieces:
        raise InputError(f"{len(rows)} rows are no whole number of records of {n_pieces} pieces")
    if n_pieces == 1:
        side, codes, exact = _encode_rows(rows, _budgets(rows, tolerance, budgets), model)
    else:
        side, codes, exact = _encode_records(rows, tolerance, model, n_pieces, budgets)
    writer = Writer()
    writer.raw(MAGIC).raw(model.identity).number(len(rows)).number(rows.shape[1]).real(tolerance)
    writer.number(len(exact))
    for before, place in zip([0, *exact], exact):
        writer.number(int(place) - int(before))
    writer.block(zlib.compress(rows[exact].astype("<f8").tobytes(), 9) if len(exact) else b"")
    writer.block(encode_codes(codes, side, model.usage, model.stride))
    data = bytes(writer.data)
    return data + zlib.crc32(data).to_bytes(4, "little")


def sparse_codes(rows: np.ndarray, tolerance: float, model: L2Model) -> np.ndarray:
    """The integer codes (N, l) that `encode_l2` would write: to count nonzeros, and to look at them."""
    rows = np.asarray(rows, np.float64)
    return _encode_rows(rows, _budgets(rows, tolerance, None), model)[1]


def identity_of(data: bytes) -> bytes:
    """Identity of the model that L2 data were coded with."""
    return data[len(MAGIC) : len(MAGIC) + 8]


def decode_l2(data: bytes, model: L2Model) -> np.ndarray:
    """Rows (N, n), float64.

    Raises
    ------
    FormatError
        Damaged, or not L2 data.
    ModelError
        Coded with another model.
    """
    reader = Reader(checked(data, MAGIC, "L2 data"))
    reader.raw(len(MAGIC))
    if reader.raw(8) != model.identity:
        raise ModelError("these data were coded with another dictionary: load the model they were coded with")
    N, n = reader.number(), reader.number()
    reader.real()
    n_exact = reader.number()
    if n != len(model.atoms) or n_exact > N or N * n > MOST_VALUES:
        raise reader.fail(f"{N} rows of length {n} with {n_exact} exact ones do not fit the model")
    exact = list(accumulate(reader.number() for _ in range(n_exact)))
    if n_exact and exact[-1] >= N:
        raise reader.fail("an exact row lies beyond the last row")
    packed = reader.block()
    codes, side = decode_codes(reader.block(), (N, model.atoms.shape[1]), 3, model.usage, model.stride)
    if (side[:, 2] < 0).any() or (side[:, 2] >= len(STEPS)).any() or (np.abs(side[:, 0]) > 16000).any():
        raise reader.fail("a scale or a step is out of range")
    rows = _synthesise(side, codes, model)
    if n_exact:
        try:
            plain = zlib.decompressobj().decompress(packed, 8 * n_exact * n)
            rows[exact] = np.frombuffer(plain, "<f8").reshape(n_exact, n)
        except (zlib.error, ValueError) as error:
            raise reader.fail(f"exact rows cannot be unpacked ({error})") from error
    return rows


def _budgets(records: np.ndarray, tolerance: float, given: np.ndarray | None) -> np.ndarray:
    """Most ||x' - x|| of each record; 0 where it must be exact."""
    budget = np.zeros(len(records))
    with np.errstate(invalid="ignore"):
        finite = (np.abs(records) < LARGEST).all(axis=1)
    if given is None:
        centred = records[finite] - records[finite].mean(axis=1, keepdims=True)
        budget[finite] = tolerance * np.linalg.norm(centred, axis=1)
    else:
        budget[finite] = np.asarray(given, np.float64)[finite]
    return np.where(budget > SMALLEST, budget, 0.0)


def _encode_records(rows, tolerance, model, n_pieces, budgets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Like `_encode_rows`, for records of several rows: pieces that need less leave more to the others."""
    records = rows.reshape(-1, n_pieces * rows.shape[1])
    budget = _budgets(records, tolerance, budgets)
    even = np.repeat(budget / math.sqrt(n_pieces), n_pieces)
    best = _encode_rows(rows, even, model)
    for factor in SHARES:
        side, codes, exact = _encode_rows(rows, factor * even, model)
        error = _synthesise(side, codes, model) - rows
        error[exact] = 0.0
        good = np.repeat(
            np.linalg.norm(error.reshape(len(records), -1), axis=1) <= budget * (1 - 1e-12), n_pieces
        )
        for new, kept in zip((side, codes), best[:2]):
            kept[good] = new[good]
        places = np.arange(len(rows))
        best = (*best[:2], np.flatnonzero(np.where(good, np.isin(places, exact), np.isin(places, best[2]))))
    return best


def _encode_rows(rows, budget, model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Side integers (N, 3): scale, mean, step; codes (N, l); places of the rows to store exactly."""
    N, n = rows.shape
    side, codes = np.zeros((N, 3), np.int64), np.zeros((N, model.atoms.shape[1]), np.int64)
    todo = np.flatnonzero(budget > 0)
    mean = np.zeros(N)
    mean[todo] = rows[todo].mean(axis=1)
    coarse = np.abs(mean[todo]) / budget[todo] * _mean_divisor(n) < 2.0**40
    todo = todo[coarse]
    met = np.zeros(N, bool)
    for shrink in range(4):
        if not len(todo):
            break
        k = np.floor(8 * np.log2(budget[todo])).astype(np.int64) - shrink
        unit = _scale(k)
        side[todo, 0] = k
        side[todo, 1] = np.rint(mean[todo] / unit * _mean_divisor(n))
        target = (rows[todo] - (side[todo, 1] * (unit / _mean_divisor(n)))[:, None]) / unit[:, None]
        codes[todo], choices = search(target, model)
        side[todo, 2] = np.maximum(choices, 0)
        decoded = _synthesise(side[todo], codes[todo], model)
        good = (choices >= 0) & (np.linalg.norm(decoded - rows[todo], axis=1) <= budget[todo])
        met[todo[good]] = True
        todo = todo[~good]
    exact = np.flatnonzero(~met)
    codes[exact] = 0
    for place in exact:  # cheap side values: those of the row before
        side[place] = side[place - 1] if place else 0
    return side, codes, exact


def _synthesise(side: np.ndarray, codes: np.ndarray, model: L2Model) -> np.ndarray:
    """Values from integers: exact integer sums in float64 (below 2^53), then one scale and one mean a row."""
    weighted = (codes * model.scales).astype(np.float64)
    sums = weighted @ model.atoms.T.astype(np.float64)
    unit = _scale(side[:, 0])
    mean = side[:, 1] * (unit / _mean_divisor(len(model.atoms)))
    factor = unit * np.array(STEPS)[side[:, 2]] / 2.0**SCALE_BITS
    return mean[:, None] + factor[:, None] * sums


def _scale(k: np.ndarray) -> np.ndarray:
    """2^(k/8)."""
    return np.ldexp(np.array(EIGHTHS)[k % 8], k // 8)


def _mean_divisor(n: int) -> float:
    """Steps of the mean in a scale: their rounding takes about a fiftieth of the squared budget."""
    return 2.0 ** (math.ceil(math.log2(math.sqrt(n))) + 1)
