"""What exact error bars cost: real curves with dI exact, and with dI within one per cent.

The curves are those of the examples of sasdata in whose files every curve has error bars. Each archive holds q, I,
dI and all header text; after decoding, every value is checked against its bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import invae
from experiments.compression.real_curves import example_curves
from invae.data.records import Curve
from invae.evaluation.results import Figure, Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "What error bars cost"
STORED = (
    ("everything exact", "lossless", "lossless"),
    ("I within dI / 4, dI exact", "0.25sigma", "lossless"),
    ("I within dI / 4, dI within 1 %", "0.25sigma", "rel:0.01"),
)
QUICK = {"stored": [list(one) for one in STORED]}
FULL = QUICK


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    by_file, file_bytes, _ = example_curves()
    table = deviations_table(by_file, file_bytes, config["stored"])
    return Results("error_bars", TITLE, __doc__, config, [table], [bytes_figure(table)])


def deviations_table(
    by_file: dict[str, list[Curve]], file_bytes: dict[str, int], stored: list[list[str]]
) -> Table:
    """What exact error bars cost: the files whose curves all have dI, with dI exact and within 1 %."""
    chosen = {name: own for name, own in by_file.items() if own and all(c.sigma is not None for c in own)}
    records = [curve for own in chosen.values() for curve in own]
    size = sum(file_bytes[name] for name in chosen)
    rows: list[dict[str, Any]] = [{"stored": "the files as they are", "bytes": size, "files / bytes": 1.0}]
    for label, bound, sigma_bound in stored:
        blob = invae.compress(records, bound=bound, sigma_bound=sigma_bound)
        worst = worst_errors(records, invae.decompress(blob), bound, sigma_bound)
        row = {"stored": label, "bytes": len(blob), "files / bytes": size / len(blob)}
        rows.append(row | {"max error of I / bound": worst[0], "max error of dI / bound": worst[1]})
    caption = (
        f"{len(records)} curves of the {len(chosen)} files whose curves all have error bars dI; one archive "
        "with q, I, dI and all header text; bounds checked on every decoded value."
    )
    return Table("what error bars cost", caption, rows)


def worst_errors(
    before: list[Curve], after: list[Curve], bound: str, sigma_bound: str
) -> tuple[float, float]:
    """Largest errors of I and dI in units of their bounds; both are 0 where the copy is exact."""
    pairs = list(zip(before, after, strict=True))
    own, deviations = invae.Bound.parse(bound), invae.Bound.parse(sigma_bound)
    return (
        max(own.max_ratio(a.intensity, b.intensity, a.sigma, a.mask) for a, b in pairs),
        max(deviations.max_ratio(np.asarray(a.sigma), np.asarray(b.sigma)) for a, b in pairs),
    )


def bytes_figure(table: Table) -> Figure:
    """The table as bars, for the README."""
    values = [row["bytes"] / 1e6 for row in table.rows]
    data = {
        "groups": [row["stored"] for row in table.rows],
        "series": [{"values": values}],
        "xlabel": "megabytes",
        "horizontal": True,
        "values": ".2f",
    }
    return Figure("bars", table.caption, data, "bytes of real curves")
