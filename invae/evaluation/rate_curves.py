"""Rates of every codec over a range of bounds: one table, one figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from invae.errors import InputError
from invae.evaluation.compare import compare_codecs
from invae.evaluation.domains import bound_text
from invae.evaluation.results import Figure, Table

__all__ = ["compare_rates"]


def compare_rates(
    arrays: Any,
    bounds: Sequence[str | float],
    *,
    name: str = "rates",
    caption: str = "",
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> tuple[Table, Figure]:
    """Code arrays under several bounds of one kind with every codec.

    Parameters
    ----------
    arrays : as for `invae.evaluation.compare.compare_codecs`
    bounds : sequence of str or float
        Of one kind, e.g. ``["log:0.1", "log:0.01"]``.
    name, caption : str
        Of the table and the figure.
    progress : callable(done, total), optional
        Counts bounds.
    **options
        Further options of `compare_codecs`: ``sigmas``, ``masks``, ``rivals``, ``ours``, ``repeats``.

    Returns
    -------
    Table
        One row per bound and codec; the best of each bound is marked.
    Figure
        Of kind ``scatter``: bits per value against the bound, one line per codec that coded everything.

    Examples
    --------
    >>> import numpy as np
    >>> table, figure = compare_rates(np.sin(np.arange(400) / 9).reshape(4, 100), [0.1, 0.01], rivals=[])
    >>> table.column("bound"), figure.kind
    (['abs:0.1', 'abs:0.01'], 'scatter')
    """
    from invae.codec.bounds import Bound

    parsed = [Bound.parse(bound_text(bound)) for bound in bounds]
    kinds = {bound.kind for bound in parsed}
    if len(kinds) != 1 or "lossless" in kinds:
        raise InputError(f"bounds must be lossy and of one kind, got {[bound.text for bound in parsed]}")
    rows: list[dict[str, Any]] = []
    for done, bound in enumerate(parsed):
        if progress:
            progress(done, len(parsed))
        rows += compare_codecs(arrays, bound.text, labels={"bound": bound.text}, **options).rows
    if progress:
        progress(len(parsed), len(parsed))
    series = []
    for codec in dict.fromkeys(row["codec"] for row in rows):
        points = [
            (row["bits / value"], bound.value)
            for bound in parsed
            for row in rows
            if row["codec"] == codec and row["bound"] == bound.text and "bits / value" in row
        ]
        if points:
            x, y = zip(*points)
            series.append({"label": codec, "x": list(x), "y": list(y), "join": True})
    label = {"abs": "absolute bound", "rel": "relative bound", "log": "bound in log₁₀", "sigma": "bound / σ"}
    data = {"series": series, "yscale": "log", "xlabel": "bits per value", "ylabel": label[parsed[0].kind]}
    text = caption or "Real bytes under a bound that is verified on every decoded value."
    best = {"bytes": "min", "ratio": "max", "bits / value": "min"}
    table = Table(name, text, rows, best=best, group="bound")
    return table, Figure("scatter", f"{text} Left and low is better.", data, name)
