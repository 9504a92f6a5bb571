"""A group: records coded together, so that like arrays predict each other and texts are stored once.

Arrays of records of one *signature* (same array names, dtypes and shapes) are stacked along a new first axis
and coded as one field each. The layout is in FORMAT.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import zstandard

from invae.codec.bounds import Bound, poisson_sigma, sentinels
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.field import decode_field, encode_field
from invae.codec.fields.plane_model import PlaneModel
from invae.data.arguments import real_array
from invae.data.records import Curve, Frame, from_parts
from invae.errors import BoundError, FormatError, ModelError

__all__ = ["ARRAYS", "ARRAYS_WITH_SIGMA", "ONE_ARRAY", "decode_group", "encode_group"]

ARRAYS, RECORDS, ARRAYS_WITH_SIGMA, ONE_ARRAY = range(4)
VALUES = {"curve": "intensity", "frame": "data"}
MOST_AXES = 32  # of an array: what NumPy holds in every version that can read the archive
MOST_TEXT = 1 << 31  # bytes that texts may unpack to: an end to what a damaged archive may ask for


def encode_group(
    items: Sequence[Any],
    bound: Bound,
    sigma_bound: Bound,
    sigma: Sequence[np.ndarray] | None = None,
    mask: Sequence[np.ndarray] | None = None,
    model: PlaneModel | None = None,
) -> tuple[bytes, float]:
    """Code arrays (with sigma and mask, if any) or records; return bytes and the largest error in bounds."""
    if items and not isinstance(items[0], np.ndarray):
        return _encode_records(items, bound, sigma_bound, model)
    # Standard deviations that the decoder needs travel in front of the values.
    with_sigma = bound.kind == "sigma" and sigma is not None
    if len(items) == 1 and not with_sigma:
        data, worst = encode_field(items[0], bound, None, None if mask is None else mask[0], model)
        return bytes([ONE_ARRAY]) + data, worst
    out = Writer().byte(ARRAYS_WITH_SIGMA if with_sigma else ARRAYS)
    worst = 0.0
    s: np.ndarray | None
    classes = _classes([(a.dtype.str, a.shape) for a in items])
    _write_classes(out, classes, len(items))
    for members in classes:
        stack = _stack([items[k] for k in members])
        s = None
        limit = bound
        if with_sigma and sigma is not None:
            data, ratio = encode_field(
                _stack([np.asarray(sigma[k]) for k in members]), sigma_bound, model=model
            )
            out.block(data)
            worst = max(worst, ratio)
            s = decode_field(data, model=model)
            limit = _tightened(bound, _stack([np.asarray(sigma[k]) for k in members]), s)
        masks = None if mask is None else [np.asarray(mask[k]) for k in members]
        exact = _exact([items[k] for k in members], masks, bound)
        data, ratio = encode_field(stack, limit, s, exact, model)
        out.block(data)
        worst = max(worst, ratio)
    return bytes(out.data), worst


def decode_group(data: bytes, origin: int, n_items: int, model: PlaneModel | None = None) -> list[Any]:
    """Rebuild the ``n_items`` arrays or records; ``origin`` is the offset of ``data`` in its file."""
    reader = Reader(data, origin)
    kind = reader.byte()
    if kind == RECORDS:
        return _decode_records(reader, n_items, model)
    if kind == ONE_ARRAY and n_items == 1:
        return [decode_field(reader.rest(), None, origin + 1, model)]
    if kind not in (ARRAYS, ARRAYS_WITH_SIGMA):
        raise reader.fail(f"group kind {kind} is unknown to this version")
    with_sigma = kind == ARRAYS_WITH_SIGMA
    items: list[Any] = [None] * n_items
    for members in _read_classes(reader, n_items):
        sigma = _read_field(reader, None, model) if with_sigma else None
        for k, array in zip(members, _unstack(_read_field(reader, sigma, model), len(members), reader)):
            items[k] = array
    return items


def _encode_records(
    records: Sequence[Any], bound: Bound, sigma_bound: Bound, model: PlaneModel | None
) -> tuple[bytes, float]:
    parts = [(record.arrays(), record.description()) for record in records]
    out = Writer().byte(RECORDS)
    signatures = [tuple((key, a.dtype.str, a.shape) for key, a in arrays.items()) for arrays, _ in parts]
    classes = _classes([(rest["kind"], *signature) for (_, rest), signature in zip(parts, signatures)])
    _write_classes(out, classes, len(records))
    texts = {
        "records": [rest for _, rest in parts],
        "arrays": [[key for key, _, _ in signatures[c[0]]] for c in classes],
    }
    plain = json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    packed = zstandard.ZstdCompressor(level=19).compress(plain)
    out.byte(int(len(packed) < len(plain))).block(min(packed, plain, key=len))
    worst = 0.0
    for members in classes:
        arrays = {key: _stack([parts[k][0][key] for k in members]) for key, _, _ in signatures[members[0]]}
        values_key = VALUES[parts[members[0]][1]["kind"]]
        sigma: np.ndarray | None = None
        for key in _order(list(arrays)):
            if key == values_key:
                s = sigma if bound.kind == "sigma" else None
                if bound.kind == "sigma" and s is None:
                    _explain_missing_sigma(arrays[key], records[members[0]])
                limit = bound if s is None else _tightened(bound, arrays["sigma"], s)
                masks = [parts[k][0]["mask"] for k in members] if "mask" in arrays else None
                exact = _exact([parts[k][0][key] for k in members], masks, bound)
                data, ratio = encode_field(arrays[key], limit, s, exact, model)
            elif key == "sigma":
                data, ratio = encode_field(arrays[key], sigma_bound, model=model)
                sigma = decode_field(data, model=model)
            else:
                data, ratio = encode_field(arrays[key], Bound("lossless"), model=model)
            out.block(data)
            worst = max(worst, ratio)
    return bytes(out.data), worst


def _decode_records(reader: Reader, n_items: int, model: PlaneModel | None) -> list[Any]:
    classes = _read_classes(reader, n_items)
    form, plain = reader.byte(), reader.block()
    try:
        if form:
            plain = reader.unpacked(plain, MOST_TEXT)
        texts = json.loads(plain.decode("utf-8", "surrogatepass"))
        rests, keys = texts["records"], texts["arrays"]
        arrays: list[dict[str, np.ndarray]] = [
            {key: np.empty(0) for key in keys[c]} for c in _of(classes, n_items)
        ]
        for c, members in enumerate(classes):
            sigma = None
            for key in _order(keys[c]):
                stack = _read_field(reader, sigma if key in VALUES.values() else None, model)
                if key == "sigma":
                    sigma = stack
                for k, array in zip(members, _unstack(stack, len(members), reader)):
                    arrays[k][key] = array
        return [from_parts(a, rest) for a, rest in zip(arrays, rests, strict=True)]
    except (FormatError, ModelError):
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise reader.fail(f"the texts of the group cannot be read ({error})") from error


def _exact(members: list[np.ndarray], masks: list[np.ndarray] | None, bound: Bound) -> np.ndarray | None:
    """Non-zero where a stack of arrays must be exact: masked points and the sentinels of each array.

    A field takes the sentinels of all its values together, so those of several arrays are looked for here.
    """
    if len(members) == 1 or bound.kind == "lossless" or members[0].dtype.kind not in "iu":
        return None if masks is None else _stack(masks)
    marks = np.stack([sentinels(values) for values in members])
    return marks if masks is None else marks | (np.stack(masks) != 0)


def _tightened(bound: Bound, sigma: np.ndarray, decoded: np.ndarray) -> Bound:
    """The K for decoded deviations that keeps the promise for the original ones."""
    valid = np.isfinite(sigma) & (sigma > 0) & np.isfinite(decoded) & (decoded > 0)
    if not valid.any():
        return bound
    ratio = float((sigma[valid].astype(np.float64) / decoded[valid].astype(np.float64)).min())
    return bound if ratio >= 1.0 else Bound("sigma", bound.value * ratio * (1.0 - 1e-12))


def _explain_missing_sigma(values: np.ndarray, record: Any) -> None:
    try:
        poisson_sigma(np.empty(0, values.dtype))
    except BoundError as error:
        raise BoundError(f"record {record.name!r}: {error}") from error


def _order(keys: list[str]) -> list[str]:
    """sigma first, because the values may need it; then as they come."""
    return sorted(keys, key=lambda key: key != "sigma")


def _classes(signatures: list[Any]) -> list[list[int]]:
    """Indices of equal signatures together, in order of first appearance."""
    members: dict[Any, list[int]] = {}
    for k, signature in enumerate(signatures):
        members.setdefault(signature, []).append(k)
    return list(members.values())


def _of(classes: list[list[int]], n: int) -> list[int]:
    of = [0] * n
    for c, members in enumerate(classes):
        for k in members:
            of[k] = c
    return of


def _write_classes(out: Writer, classes: list[list[int]], n: int) -> None:
    out.number(len(classes))
    if 1 < len(classes):
        for c in _of(classes, n):
            out.number(c)


def _read_classes(reader: Reader, n: int) -> list[list[int]]:
    n_classes = reader.number()
    if n_classes > n:
        raise reader.fail(f"{n_classes} classes for {n} records")
    if n_classes <= 1:
        return [list(range(n))] * n_classes
    classes: list[list[int]] = [[] for _ in range(n_classes)]
    for k in range(n):
        c = reader.number()
        if c >= n_classes:
            raise reader.fail(f"class {c} of {n_classes}")
        classes[c].append(k)
    if not all(classes):
        raise reader.fail("a class without records")
    return classes


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.stack(arrays)


def _unstack(stack: np.ndarray, n: int, reader: Reader) -> list[np.ndarray]:
    if n == 1:
        return [stack]
    if stack.ndim == 0 or len(stack) != n:
        raise reader.fail(f"a stack of shape {stack.shape} for {n} records")
    return [np.array(stack[k]) for k in range(n)]


def _read_field(reader: Reader, sigma: np.ndarray | None, model: PlaneModel | None) -> np.ndarray:
    n = reader.number()
    start = reader.offset
    return decode_field(reader.raw(n), sigma, start, model)


def check_item(item: Any) -> Any:
    """Return an array for what becomes one, records as they are.

    Raises
    ------
    InputError
        Neither an array of real numbers nor a record.
    """
    if isinstance(item, Curve | Frame):
        return item
    return real_array(item, "array", most_axes=MOST_AXES)
