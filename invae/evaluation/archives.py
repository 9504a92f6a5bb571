"""What an archive changed in its records: errors in units of the bound, rates, and the science.

One call, `evaluate_archive`, gives results that a report draws: a table of totals, one of all records, one of
Rg, I(0), Porod constant and invariant as shifts in their own sigma, and figures of the worst records.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from invae.data.records import Curve, Frame, unique_names
from invae.errors import InputError, InvaeError
from invae.evaluation.archive_figures import worst_curves, worst_frames
from invae.evaluation.compare import compare_codecs
from invae.evaluation.frames import ring_shifts
from invae.evaluation.rates import bits_per_value, ratio
from invae.evaluation.results import Results, Table
from invae.evaluation.scattering import compare_physics, error_statistics

__all__ = ["evaluate_archive"]

log = logging.getLogger(__name__)

Item = Curve | Frame | np.ndarray


def evaluate_archive(
    originals: Sequence[Item],
    decoded: Sequence[Item],
    bound: Any,
    *,
    sigma_bound: Any = "lossless",
    names: Sequence[str] | None = None,
    source_bytes: int | None = None,
    stored_bytes: int | None = None,
    rivals: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Compare decoded records or arrays with the original ones.

    Parameters
    ----------
    originals, decoded : sequence of Curve, Frame or ndarray
        In the same order.
    bound : Bound or str
        What was promised for the values.
    sigma_bound : Bound or str
        What was promised for the standard deviations of records.
    names : sequence of str, optional
        Names of the records.
    source_bytes, stored_bytes : int, optional
        Real sizes, for the rates; by default that of the arrays, and none.
    rivals : bool
        Also code the values of all records (alone, without q and texts) with every rival that is installed.
    progress : callable(done, total), optional

    Returns
    -------
    Results
        Tables ``totals``, ``records`` and, where curves carry sigma, ``physics``; ``rivals`` if asked for.

    Raises
    ------
    InputError
        The two do not hold the same number of records, or records of other shapes.
    """
    from invae.codec.bounds import Bound

    bound, sigma_bound = Bound.parse(bound), Bound.parse(sigma_bound)
    if len(originals) != len(decoded):
        raise InputError(
            f"{len(decoded)} decoded records for {len(originals)} original ones; give all that it was made of"
        )
    if not originals:
        raise InputError("there is no record to compare")
    names = _names(originals) if names is None else list(names)
    rows, physics = [], []
    for done, (name, a, b) in enumerate(zip(names, originals, decoded)):
        if progress:
            progress(done, len(originals))
        rows.append(_record_row(name, a, b, bound, sigma_bound))
        physics += _physics_rows(name, a, b)
    if progress:
        progress(len(originals), len(originals))
    totals = _totals(rows, physics, originals, bound, source_bytes, stored_bytes)
    tables = [
        Table("totals", "The whole archive", totals),
        Table("records", "Every record; what must be exact and is not counts as infinite.", rows),
    ]
    if physics:
        caption = "Derived quantities of curves with error bars, worst valid ones first."
        tables.append(
            Table(
                "physics",
                caption,
                sorted(physics, key=lambda row: (not row["valid"], -abs(row["shift / sigma"] or 0))),
            )
        )
    if rivals:
        tables.append(_rivals_table(originals, bound))
    order = sorted(range(len(rows)), key=lambda i: -_badness(rows[i]))
    figures = [
        *worst_curves(names, originals, decoded, bound, order),
        *worst_frames(names, originals, decoded, bound, order),
    ]
    largest = max(row["max error / bound"] for row in rows)
    kept = largest <= 1 and all(row["rest exact"] for row in rows)
    summary = (
        f"{len(rows)} record{'s' * (len(rows) != 1)} under the bound {bound.text}: "
        f"the largest error is {largest:.3g} of it. "
        + (
            "Everything else in the records came back bit for bit."
            if kept
            else "The promise is not kept: see the table of records."
        )
    )
    config = {"bound": bound.text, "sigma_bound": sigma_bound.text, "kept": kept}
    return Results("archive", "Decoded against original", summary, config, tables, figures)


def _record_row(name: str, a: Item, b: Item, bound: Any, sigma_bound: Any) -> dict[str, Any]:
    if _kind(a) is not _kind(b) or a.shape != b.shape:
        raise InputError(
            f"{name}: the original is {_what(a)}, the decoded one {_what(b)}; are they of one source?"
        )
    x, sigma, mask = _values(a)
    y, _, _ = _values(b)
    row: dict[str, Any] = {
        "record": name,
        "values": x.size,
        "max error / bound": bound.max_ratio(x, y, sigma, mask),
        "rest exact": _rest_is_exact(a, b, sigma_bound),
    }
    if sigma is None and x.dtype.kind in "iu" and bound.kind == "sigma":
        sigma = np.where(x < 0, np.nan, np.sqrt(np.maximum(x.astype(np.float64), 1)))
    good = np.isfinite(x.astype(np.float64)) & np.isfinite(y.astype(np.float64))
    error = np.abs(y[good].astype(np.float64) - x[good].astype(np.float64))
    row["max |error|"] = float(error.max(initial=0.0))
    if sigma is not None:
        keep = np.ones(x.shape, bool) if mask is None else np.asarray(mask) == 0
        usable = good & keep & np.isfinite(sigma) & (np.asarray(sigma) > 0)
        if usable.any():
            statistics = error_statistics(x[usable], y[usable], np.asarray(sigma)[usable])
            row["max |error| / sigma"] = statistics["max"]
            row["rms error / sigma"] = statistics["rms"]
            row["noise inflation"] = statistics["noise_inflation"]
            row["lag-1 correlation"] = statistics["lag_1"]
    if not isinstance(a, Curve) and (rings := ring_shifts(a, b)) is not None:
        row["max |ring z|"] = rings.max_abs
        row["rms ring z"] = rings.rms
    return row


def _physics_rows(name: str, a: Item, b: Item) -> list[dict[str, Any]]:
    if not isinstance(a, Curve) or a.sigma is None or not isinstance(b, Curve):
        return []
    keep = np.ones(a.shape, bool) if a.mask is None else np.asarray(a.mask) == 0
    try:
        quantities = compare_physics(a.q[keep], a.intensity[keep], b.intensity[keep], a.sigma[keep])
    except InvaeError as error:
        log.info("%s: no derived quantities: %s", name, error)
        return []
    return [
        {
            "record": name,
            "quantity": row["quantity"],
            "original": row["original"],
            "decoded": row["decoded"],
            "sigma": row["sigma"],
            "shift / sigma": row["shift"] if np.isfinite(row["shift"]) else None,
            "valid": bool(row["valid"]),
            "note": row["note"],
        }
        for row in quantities
    ]


def _rivals_table(originals: Sequence[Item], bound: Any) -> Table:
    parts = [_values(item) for item in originals]
    kept = [part for part in parts if part[0].size and part[0].dtype.kind in "iuf"]
    if not kept:
        raise InputError("no record holds numbers that the rivals could code")
    values, sigmas, masks = (list(column) for column in zip(*kept))
    caption = f"The values of all {len(kept)} records, each coded alone, under the same bound {bound.text}."
    return compare_codecs(values, bound.text, sigmas=sigmas, masks=masks, name="rivals", caption=caption)


def _totals(rows, physics, originals, bound, source_bytes, stored_bytes) -> list[dict[str, Any]]:
    n_values = sum(row["values"] for row in rows)
    source = sum(_n_bytes(item) for item in originals) if source_bytes is None else source_bytes
    facts: list[tuple[str, Any]] = [
        ("records", len(rows)),
        ("values", n_values),
        ("bytes of the source", source),
    ]
    if stored_bytes is not None:
        facts += [
            ("bytes of the archive", stored_bytes),
            ("ratio", ratio(source, stored_bytes)),
            ("bits per value", bits_per_value(stored_bytes, n_values)),
        ]
    facts.append((f"largest error / bound ({bound.text})", max(row["max error / bound"] for row in rows)))
    for column in ("max |error| / sigma", "max |ring z|"):
        values = [row[column] for row in rows if column in row]
        if values:
            facts.append((f"largest {column.removeprefix('max ')}", max(values)))
    for quantity in dict.fromkeys(row["quantity"] for row in physics):
        shifts = [
            row["shift / sigma"]
            for row in physics
            if row["quantity"] == quantity and row["valid"] and row["shift / sigma"] is not None
        ]
        if shifts:
            rms = float(np.sqrt(np.mean(np.square(shifts))))
            facts.append((f"rms shift of {quantity} / sigma ({len(shifts)} curves)", rms))
    return [{"quantity": key, "value": value} for key, value in facts]


def _rest_is_exact(a: Item, b: Item, sigma_bound: Any) -> bool:
    """Whether all but the values (and sigma, where that is lossy) came back bit for bit."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype
    (arrays_a, rest_a), (arrays_b, rest_b) = a.to_parts(), b.to_parts()
    if rest_a != rest_b or list(arrays_a) != list(arrays_b):
        return False
    lossy = {"intensity", "data"} | ({"sigma"} if sigma_bound.kind != "lossless" else set())
    exact = all(
        x.dtype == arrays_b[key].dtype and x.tobytes() == arrays_b[key].tobytes()
        for key, x in arrays_a.items()
        if key not in lossy
    )
    sigma_kept = (
        sigma_bound.kind == "lossless" or a.sigma is None or bool(sigma_bound.check(a.sigma, b.sigma).all())
    )
    return exact and sigma_kept and a.values.dtype == b.values.dtype


def _values(item: Item) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    if isinstance(item, np.ndarray):
        return item, None, None
    return np.asarray(item.values), item.sigma, item.mask


def _badness(row: dict[str, Any]) -> float:
    return row.get("max |error| / sigma", row["max error / bound"])


def _names(items: Sequence[Item]) -> list[str]:
    records = [item for item in items if isinstance(item, Curve | Frame)]
    if len(records) == len(items):
        return unique_names(records)
    return [f"array {i}" for i in range(len(items))]


def _n_bytes(item: Item) -> int:
    arrays = [item] if isinstance(item, np.ndarray) else item.to_parts()[0].values()
    return sum(array.nbytes for array in arrays)


def _kind(item: Item) -> type:
    return np.ndarray if isinstance(item, np.ndarray) else type(item)


def _what(item: Item) -> str:
    shape = " x ".join(map(str, item.shape))
    return f"an array {shape}" if isinstance(item, np.ndarray) else f"a {type(item).__name__.lower()} {shape}"
