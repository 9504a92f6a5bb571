"""Rates of one set under one bound: our bytes and those of every tuned rival, stacked and one by one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import invae
from experiments.compression.sets import TestSet
from experiments.shared.timing import REPEATS, time_call
from invae.codec.model import default_model
from invae.data.arrays.atomic import atomic_path
from invae.data.sets.manifest import cache_folder
from invae.evaluation import rivals, tuning
from invae.evaluation.domains import domain_for
from invae.evaluation.rivals import codecs
from invae.evaluation.tuning import Tuned, tuned_rivals

__all__ = [
    "BOUNDED",
    "TRIVIAL",
    "alone_rows",
    "best_bits",
    "kept_rivals",
    "set_rows",
    "timed_round_trip",
    "violations",
]

FAST = "invae, fast model"
LARGE_STACK = "SZ3, a larger stack"
BOUNDED = ("SZ3", "SPERR", "ZFP", LARGE_STACK)  # whom the targets name
TRIVIAL = "grid + best lossless"
PAIRS = 1e4  # samples over which a model's bytes are shared out
TIMED_BYTES = 4  # of a value, in MB/s

Rows = list[dict[str, Any]]


def violations(
    original: np.ndarray, decoded: np.ndarray, bound: str, sigma: Any = None, mask: Any = None
) -> int:
    """Number of values that break the bound, or that should be exact and are not."""
    if original.dtype != decoded.dtype or original.shape != decoded.shape:
        return original.size
    return int((invae.Bound.parse(bound).ratio(original, decoded, sigma, mask) > 1).sum())


def our_row(
    data: np.ndarray, bound: str, n_samples: int, curves: bool, model: str = "default"
) -> dict[str, Any]:
    """One archive of the whole array; every value decoded and checked."""
    blob, decoded, seconds = timed_round_trip(data, bound=bound, model=model)
    error = invae.Bound.parse(bound).max_ratio(data, decoded)
    row = row_of("invae" if model == "default" else FAST, "", len(blob), data.size, error, seconds)
    model_bytes = model_size(curves) if not curves or bound != "lossless" else 0
    row["with model"] = 8 * (len(blob) + model_bytes) / data.size
    row["model over 10^4"] = 8 * (len(blob) + model_bytes * n_samples / PAIRS) / data.size
    row["broken"] = violations(data, decoded, bound)
    return row


def timed_round_trip(data: np.ndarray, **options: Any) -> tuple[bytes, np.ndarray, tuple[float, float]]:
    """Archive, what it decodes to, and median seconds of either way."""
    encoding = time_call(lambda: invae.compress(data, **options))
    blob: bytes = encoding.value
    decoding = time_call(lambda: invae.decompress(blob))
    return blob, decoding.value, (encoding.median, decoding.median)


def model_size(curves: bool) -> int:
    """Bytes of the package's model for curves or for frames."""
    return len(default_model().to_bytes() if curves else default_model().frames.to_bytes())


def row_of(
    codec: str, variant: str, n_bytes: int, n_values: int, error: float, seconds: tuple[float, float]
) -> dict[str, Any]:
    size = n_values * TIMED_BYTES / 1e6
    return {
        "codec": codec,
        "variant": variant,
        "bytes": n_bytes,
        "bits / value": 8 * n_bytes / n_values,
        "max error / bound": float(error),
        "encode MB/s": size / max(seconds[0], 1e-9),
        "decode MB/s": size / max(seconds[1], 1e-9),
    }


def rival_row(tuned: Tuned, n_values: int) -> dict[str, Any]:
    seconds = tuned.encode_seconds, tuned.decode_seconds
    variant = f"{tuned.layout}, {tuned.setting}"
    return row_of(tuned.codec, variant, tuned.n_bytes, n_values, tuned.max_error, seconds)


def set_rows(tests: TestSet, efforts: Sequence[int], keep: bool = False) -> Rows:
    """All bounds of a set, the samples stacked in one array."""
    rows: Rows = []
    for bound in tests.bounds:
        labels = {"set": tests.name, "bound": bound, "samples": len(tests.data)}
        floor = {"floor": tests.floors[bound]} if bound in tests.floors else {}
        rows.append(labels | our_row(tests.data, bound, len(tests.data), tests.curves) | floor)
        if tests.curves:
            rows.append(labels | our_row(tests.data, bound, len(tests.data), True, "fast") | floor)
        for tuned in kept_rivals(tests.data, bound, efforts=tuple(efforts), keep=keep):
            rows.append(labels | rival_row(tuned, tests.data.size))
        if tests.more is not None and "SZ3" in codecs():
            rows.append(labels | large_stack_row(tests.more, bound))
    return rows


def large_stack_row(data: np.ndarray, bound: str) -> dict[str, Any]:
    """SZ3 with many more curves in one line, its best layout: its tables cost much in a smaller set."""
    domain = domain_for(data.reshape(-1), bound)
    result = domain.measure(codecs()["SZ3"], REPEATS)
    seconds = result.encode_seconds, result.decode_seconds
    variant = f"flat, {len(data)} curves"
    n_bytes = result.n_bytes + domain.side_bytes
    return row_of(LARGE_STACK, variant, n_bytes, data.size, result.max_error, seconds)


def alone_rows(tests: TestSet, sizes: Sequence[int], bounds: Sequence[str], keep: bool = False) -> Rows:
    """Small sets: ``n`` samples in one array; for n = 1 the mean over many single samples."""
    rows: Rows = []
    for n in sizes:
        pieces = [tests.data[:n]] if n > 1 else list(tests.data[: max(sizes)])
        n_values = sum(piece.size for piece in pieces)
        for bound in bounds:
            labels = {"set": tests.name, "bound": bound, "samples": n}
            ours = [our_row(piece, bound, n, tests.curves) for piece in pieces]
            rows.append(labels | summed(ours, n_values))
            others: dict[str, Rows] = {}
            for piece in pieces:
                for tuned in kept_rivals(piece, bound, efforts=(7,), keep=keep):
                    others.setdefault(tuned.codec, []).append(rival_row(tuned, piece.size))
            for each in others.values():
                if len(each) == len(pieces):
                    rows.append(labels | summed(each, n_values))
    return rows


def kept_rivals(
    array: np.ndarray,
    bound: str,
    sigma: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    *,
    efforts: tuple[int, ...] = (7, 9),
    keep: bool = False,
) -> list[Tuned]:
    """`tuned_rivals`; with ``keep`` taken from the cache folder where the same values were coded before.

    Rivals do not change when our codec does. Their speeds are then those of the first run.
    """
    if not keep:
        return tuned_rivals(array, bound, sigma, mask, efforts=efforts, repeats=REPEATS)
    digest = hashlib.sha256(repr((array.shape, array.dtype.str, bound, efforts, versions())).encode())
    for part in (array, sigma, mask):
        digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
    path = cache_folder() / "rivals" / f"{digest.hexdigest()[:32]}.json"
    if path.is_file():
        return [Tuned(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    tuned = tuned_rivals(array, bound, sigma, mask, efforts=efforts, repeats=REPEATS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps([vars(one) for one in tuned]), encoding="utf-8")
    return tuned


def versions() -> list[str]:
    """Of everything that the rivals' bytes depend on."""
    files = [Path(str(module.__file__)) for module in (tuning, rivals)]
    source = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    names = ("imagecodecs", "hdf5plugin", "zstandard")
    return source + [metadata.version(name) for name in names if importlib.util.find_spec(name)]


def summed(rows: Rows, n_values: int) -> dict[str, Any]:
    """One row for several pieces that are coded each on its own."""
    size = sum(row["bytes"] for row in rows)
    values = [row["bytes"] / row["bits / value"] for row in rows]
    total = {
        "codec": rows[0]["codec"],
        "variant": rows[0]["variant"] if len(rows) == 1 else "each its best",
        "bytes": size,
        "bits / value": 8 * size / n_values,
        "max error / bound": max(row["max error / bound"] for row in rows),
    }
    for key in ("encode MB/s", "decode MB/s"):
        total[key] = sum(values) / sum(v / row[key] for v, row in zip(values, rows, strict=True))
    if "broken" in rows[0]:
        total["broken"] = sum(row["broken"] for row in rows)
    return total


def best_bits(rows: Rows, names: Sequence[str]) -> tuple[str, float]:
    """Name and rate of the best of some codecs in rows of one set and bound; NaN where none is."""
    candidates = [(row["bits / value"], row["codec"]) for row in rows if row["codec"] in names]
    return (min(candidates)[1], min(candidates)[0]) if candidates else ("", float("nan"))
