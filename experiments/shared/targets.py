"""Measured figures held against the targets of targets.toml: one loop for every study.

A study only measures: it gives figures, each with the name of its target. What was wanted, and why, stands in
the file.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

from invae.errors import InputError
from invae.evaluation.results import Table

__all__ = ["figure", "judge", "target_table", "targets_of"]

FILE = Path(__file__).with_name("targets.toml")
RELATIONS = ("<=", ">=", "±")

Rows = list[dict[str, Any]]


def figure(name: str, measured: float | None, detail: str = "") -> dict[str, Any]:
    """What a study measured for the target called ``name``; None where it failed."""
    return {"target": name, "measured": None if measured is None else float(measured), "detail": detail}


def targets_of(study: str) -> Rows:
    """The targets of one study: name, relation, limit, tolerance (of ±) and why; each is checked."""
    contents = tomllib.loads(FILE.read_text(encoding="utf-8"))
    checked = []
    for target in contents[study]:
        relation = target["relation"]
        if relation not in RELATIONS or ("tolerance" in target) != (relation == "±"):
            raise InputError(
                f"{FILE.name}, {target['name']!r}: relation {relation!r} with keys {sorted(target)}; use one "
                "of <=, >= with a limit, or ± with a limit and a tolerance"
            )
        checked.append({**target, "why": contents["sources"][target["source"]]})
    return checked


def judge(study: str, figures: Rows) -> Rows:
    """One row a target: wanted, measured, met (None where this run did not measure it), detail.

    Figures without a target are left out, but for stages that failed: these are rows that are not met.
    """
    measured = {one["target"]: one for one in figures}
    rows = []
    for target in targets_of(study):
        one = measured.pop(target["name"], figure(target["name"], None, "not measured in this run"))
        row = {"target": target["name"], "wanted": wanted(target), "measured": one["measured"]}
        row["met"] = None if one["measured"] is None else holds(target, one["measured"])
        rows.append(row | {"detail": one["detail"], "why": target["source"]})
    failed = [one for one in measured.values() if one["measured"] is None]
    return rows + [{**one, "wanted": "", "met": False} for one in failed]


def wanted(target: dict[str, Any]) -> str:
    if target["relation"] == "±":
        return f"{target['limit']:g} ± {target['tolerance']:g}"
    return f"{target['relation']} {target['limit']:g}"


def holds(target: dict[str, Any], measured: float) -> bool:
    """Whether a figure is what was wanted; NaN never is."""
    limit = target["limit"]
    if target["relation"] == "<=":
        return measured <= limit
    if target["relation"] == ">=":
        return measured >= limit
    return math.fabs(measured - limit) <= target["tolerance"]


def target_table(study: str, figures: Rows) -> Table:
    """`judge` as a table whose caption counts."""
    rows = judge(study, figures)
    tried = [row for row in rows if row["met"] is not None]
    caption = f"{sum(row['met'] for row in tried)} of {len(tried)} targets met."
    if len(tried) < len(rows):
        caption += f" {len(rows) - len(tried)} were not measured in this run."
    sources = {target["source"]: target["why"] for target in targets_of(study)}
    notes = "Where the targets come from. " + " ".join(f"*{name}*: {why}" for name, why in sources.items())
    return Table("targets", caption, rows, notes=notes)
