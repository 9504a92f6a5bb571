"""compress and decompress: arrays or records to the bytes of an archive and back."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from invae.codec.bounds import Bound
from invae.codec.container.archive import Archive
from invae.codec.container.directory import MOST_RECORDS, Directory, assemble
from invae.codec.fields.field import BLOCK_VALUES
from invae.codec.fields.group import check_item, encode_group
from invae.codec.l2.group import L2_GRID_GROUP, encode_l2_group
from invae.codec.model import REFERENCE, CodecModel, default_model, fast_model, no_model
from invae.data.arrays.atomic import atomic_path
from invae.data.records import Curve, Frame, unique_names
from invae.errors import BoundError, FileError, FormatError, InputError
from invae.linalg.threads import workers

__all__ = ["compress", "decompress", "write_archive"]

# A group is what one reader decodes to reach one record: large enough that records predict each other, small
# enough to decode within a second.
GROUP_VALUES = 1 << 17
GROUP_RECORDS = 1024
MODELS = {"default": default_model, "fast": fast_model, None: no_model}


def compress(
    data: Any,
    bound: str | Bound = "lossless",
    *,
    sigma_bound: str | Bound = "lossless",
    sigma: Any = None,
    mask: Any = None,
    model: CodecModel | str | None = "default",
    embed: bool = False,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> bytes:
    """Compress an array, several arrays, or records, within an error bound on every value.

    Parameters
    ----------
    data : array_like, sequence of arrays, mapping of str to array, Curve, Frame, or sequence of these
        Arrays of any shape and any real dtype; datasets of an open HDF5 file are read block by block.
        `decompress` gives the same kind back.
    bound : str or Bound, default="lossless"
        ``abs:X``, ``rel:X``, ``log:X``, ``Ksigma`` or ``lossless``; of records it holds for ``intensity`` or
        ``data``; q, dq, masks, further columns and all texts are exact. See `Bound`. ``l2:X`` bounds the
        error of each record as a whole instead of every value, relative to the spread of its values or,
        where all are positive floats, of their logarithms: see `Bound`.
    sigma_bound : str or Bound, default="lossless"
        Bound on the standard deviations of records, and on ``sigma``. With a ``Ksigma`` bound the values
        follow the
        *decoded* deviations, never more than the original ones allow.
    sigma, mask : array_like like ``data``, optional
        For arrays: standard deviations for ``Ksigma``, and what must stay exact where non-zero. They are not
        given back.
    model : CodecModel, "default", "fast" or None
        Codes bounded values where that is shorter: the package's models, one from `train_codec`, or none.
        "fast" codes curves in two thirds of the time, in 5 to 22 % more bytes. The archive refers to its
        model by its SHA-256.
    embed : bool, default=False
        Put the model itself into the archive instead (up to 25 kB).
    jobs : int, default=1
        Threads; the bytes do not depend on it.
    progress : callable(done, total), optional
        Told after each group of records or block of rows.

    Returns
    -------
    blob : bytes
        An archive: write it to a file, or use `write_archive`.

    Raises
    ------
    InputError
        Data of another kind, or sigma or mask of another shape.
    BoundError
        The bound is not understood, or needs standard deviations that are not there.

    Examples
    --------
    >>> curve = np.exp(-np.linspace(0, 9, 1000))
    >>> blob = compress(curve, bound="abs:1e-3")
    >>> len(blob) < 250, bool(np.abs(decompress(blob) - curve).max() <= 1e-3)
    (True, True)
    """
    bound, sigma_bound = Bound.parse(bound), Bound.parse(sigma_bound)
    if bound.kind == "l2" and not (sigma is None and mask is None and sigma_bound.kind == "lossless"):
        raise BoundError("an l2 bound is on a record as a whole: sigma, mask and sigma_bound do not apply")
    if sigma_bound.kind in ("sigma", "l2"):
        raise BoundError(
            "sigma_bound is a bound on the deviations themselves: use rel:X, log:X, abs:X or lossless"
        )
    container, items, names = _items(data)
    if len(items) > MOST_RECORDS:
        raise InputError(
            f"{len(items)} items, an archive holds at most {MOST_RECORDS}; write several or stack arrays"
        )
    if container.endswith(("record", "records")) and (sigma is not None or mask is not None):
        raise InputError("records carry their own sigma and mask; sigma= and mask= are for arrays")
    sigmas = _beside("sigma", sigma, container, items, names)
    masks = _beside("mask", mask, container, items, names)
    spans = _spans(items)
    coder = MODELS[model]() if isinstance(model, str | None) and model in MODELS else model
    if not isinstance(coder, CodecModel):
        raise InputError(
            f"model is {model!r}; give a CodecModel (see train_codec), 'default', 'fast' or None"
        )

    def code(span: slice) -> tuple[bytes, float]:
        if bound.kind == "l2":
            return encode_l2_group(items[span], bound, coder)
        return encode_group(
            items[span],
            bound,
            sigma_bound,
            None if sigmas is None else sigmas[span],
            None if masks is None else masks[span],
            coder,
        )

    coded = []
    with workers(jobs) as map_:
        for group in map_(code, spans):
            coded.append(group)
            if progress is not None:
                progress(len(coded), len(spans))
    groups = [
        (s.stop - s.start, len(block), zlib.crc32(block), ratio) for s, (block, ratio) in zip(spans, coded)
    ]
    models = []
    if bound.kind == "l2":
        curves = any(block[0] == L2_GRID_GROUP for block, _ in coded)
    else:
        curves = _codes_curves(bound, sigma_bound, container, items, sigmas)
    if embed and model is not None and (curves or bound.kind != "l2"):
        models = [coder.to_bytes()]
    elif coder.curves is not None and curves:
        models = [coder.digest[:REFERENCE]]  # planes of frames name their model themselves
    directory = Directory(container, bound, sigma_bound, names, groups, models)
    return assemble(directory, [block for block, _ in coded])


def decompress(source: bytes | str | os.PathLike[str], model: CodecModel | None = None) -> Any:
    """Give back what `compress` was given: array, list or dict of arrays, record, or list of records.

    Parameters
    ----------
    source : bytes or path
    model : CodecModel, optional
        The model that the archive refers to, where that is not the one of the package.

    Raises
    ------
    FileError
        There is no such file.
    FormatError
        Not an archive, damaged, or of a newer version.
    ModelError
        The archive refers to a model that is not at hand.
    """
    with Archive(source, model) as archive:
        container = archive.directory.container
        if container == "stack":
            return _joined(archive)
        items = list(archive)
        if container in ("array", "record"):
            return items[0]
        return dict(zip(archive.names(), items)) if container == "named arrays" else items


def _joined(archive: Archive) -> np.ndarray:
    """The array that was cut into blocks of rows; no more of it in memory than itself and one block."""
    shapes, dtype = archive.block_shapes()
    shape = (sum(block[0] for block in shapes), *shapes[0][1:])
    try:
        out = np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:
        raise FormatError(f"an array of shape {shape} does not fit the memory; read blocks of it") from error
    row = 0
    for block in archive:
        out[row : row + len(block)] = block
        row += len(block)
    return out


def write_archive(
    path: str | os.PathLike[str],
    data: Any,
    bound: str | Bound = "lossless",
    *,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """`compress` into a file, whole or not at all; ``options`` as there.

    Raises
    ------
    FileError
        ``path`` exists and ``overwrite`` is false, or its folder is missing.
    """
    if Path(path).exists() and not overwrite:
        raise FileError(f"{path} exists already; choose another name or allow overwriting (--force)")
    blob = compress(data, bound, **options)
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(blob)
    return Path(path)


def _codes_curves(
    bound: Bound, sigma_bound: Bound, container: str, items: Sequence[Any], sigmas: Sequence[Any] | None
) -> bool:
    """Whether a model for curves may have a part: none in exact values, none in those in steps of sigma."""
    if bound.kind == "sigma" and sigma_bound.kind == "lossless":
        records = container in ("record", "records")
        return sigmas is None and not (records and all(item.sigma is not None for item in items))
    return {bound.kind, sigma_bound.kind} != {"lossless"}


def _items(data: Any) -> tuple[str, Sequence[Any], list[str] | None]:
    """Container kind, the items, and their names where they have some."""
    if isinstance(data, Curve | Frame):
        return "record", [check_item(data)], _record_names([data])
    if isinstance(data, Mapping):
        names = list(data)
        if not all(isinstance(name, str) and "\0" not in name for name in names):
            raise InputError("names of arrays must be texts without NUL characters")
        items = [check_item(value) for value in data.values()]
        if any(isinstance(item, Curve | Frame) for item in items):
            raise InputError("a mapping holds arrays; records carry their own names, give them as a list")
        return "named arrays", items, names if names else None
    if isinstance(data, list | tuple) and any(isinstance(item, Curve | Frame) for item in data):
        if not all(isinstance(item, Curve | Frame) for item in data):
            raise InputError("a list holds either records or arrays, not both; compress them apart")
        return "records", [check_item(item) for item in data], _record_names(data)
    if isinstance(data, list | tuple) and all(isinstance(item, np.ndarray) for item in data):
        return "arrays", [check_item(item) for item in data], None
    shape = getattr(data, "shape", None)  # None of a data set without values
    if shape is not None and hasattr(data, "dtype") and len(shape) > 1 and shape[0] > 1:
        n_values = math.prod(shape)
        if n_values > 2 * BLOCK_VALUES:
            return "stack", Blocks(data, max(1, data.shape[0] * BLOCK_VALUES // n_values)), None
    return "array", [check_item(data[...] if hasattr(data, "id") and shape is not None else data)], None


def _record_names(records: Sequence[Any]) -> list[str]:
    """Names in the directory, where NUL parts them: a blank stands for it. Records keep their own name."""
    plain = [r.replace(name=r.name.replace("\0", " ")) if "\0" in r.name else r for r in records]
    return unique_names(plain)


class Blocks(Sequence[Any]):
    """A large array, or one on disk such as an HDF5 dataset, as blocks of rows read when asked for."""

    def __init__(self, data: Any, n_rows: int) -> None:
        self.data = data
        self.n_rows = n_rows

    def __len__(self) -> int:
        return -(-self.data.shape[0] // self.n_rows)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return [self[k] for k in range(*key.indices(len(self)))]
        return check_item(self.data[key * self.n_rows : (key + 1) * self.n_rows])


def _beside(
    what: str, given: Any, container: str, items: Sequence[Any], names: list[str] | None
) -> Sequence[np.ndarray] | None:
    """sigma or mask as a list beside ``items``."""
    if given is None:
        return None
    if isinstance(items, Blocks):
        given = given if hasattr(given, "shape") else np.asarray(given)
        if tuple(given.shape) != tuple(items.data.shape):
            raise InputError(
                f"{what} has shape {given.shape}, its values have {items.data.shape}; they must agree"
            )
        return Blocks(given, items.n_rows)
    try:
        if container == "named arrays":
            values: Sequence[Any] = [given[name] for name in names or []]
        else:
            values = [given] if container == "array" else list(given)
    except (TypeError, LookupError) as error:
        raise InputError(
            f"{what} is no match for {container}: give one for each, by its name or in their order"
        ) from error
    if len(values) != len(items):
        raise InputError(f"{len(values)} arrays of {what} for {len(items)} arrays of values")
    arrays = [np.asarray(value) for value in values]
    for array, item in zip(arrays, items):
        if array.shape != item.shape:
            raise InputError(f"{what} has shape {array.shape}, its values have {item.shape}; they must agree")
    return arrays


def _spans(items: Sequence[Any]) -> list[slice]:
    """Consecutive items in groups of about `GROUP_VALUES` values."""
    if isinstance(items, Blocks):
        return [slice(k, k + 1) for k in range(len(items))]
    spans, start, size = [], 0, 0
    for k, item in enumerate(items):
        values = math.prod(item.shape if isinstance(item, np.ndarray) else item.values.shape)
        if k > start and (size + values > GROUP_VALUES or k - start >= GROUP_RECORDS):
            spans.append(slice(start, k))
            start, size = k, 0
        size += values
    return [*spans, slice(start, len(items))] if items else []
