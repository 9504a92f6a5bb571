"""Expected figures: those of the kept run, and how far a new one may stray unremarked."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from experiments.shared.records import cell, kept
from invae.evaluation.results import Results

__all__ = ["deviations", "expected_value"]

FILE = Path(__file__).with_name("expected.toml")


def deviations(results: Results, quick: bool) -> list[str]:
    """One sentence for every expected figure that ``results`` misses; an empty list when all agree.

    An entry of expected.toml names ``table``, ``row`` and ``column`` (as `records.cell` takes them) and a
    relative ``tolerance``. Its value is that of the kept run, or ``value`` where theory says it;
    ``where_present = true`` lets table or row be absent, for data that not every machine has.
    """
    entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get(results.name, {})
    missed = []
    for entry in entries.get("quick" if quick else "full", []):
        where = f"{entry['table']} / {entry['row']} / {entry['column']}"
        value = cell(results, entry["table"], entry["row"], entry["column"])
        expected = expected_value(results.name, quick, entry)
        if value is None and entry.get("where_present"):
            continue
        if value is None:
            missed.append(f"{where} is not in the results")
        elif expected is None:
            missed.append(f"{where} is {value:.4g}, and no kept run says what it was")
        elif abs(value - expected) > entry["tolerance"] * abs(expected):
            missed.append(f"{where} is {value:.4g}, expected {expected:.4g} +- {entry['tolerance']:.0%}")
    return missed


def expected_value(study: str, quick: bool, entry: dict[str, Any]) -> float | None:
    """The value of an entry: what theory says, or what the kept run gave."""
    if "value" in entry:
        return float(entry["value"])
    record = kept(study, "quick" if quick else "full")
    return None if record is None else cell(record, entry["table"], entry["row"], entry["column"])
