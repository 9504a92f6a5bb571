"""Expected figures: what a run of this code gave, and how far a new one may stray unremarked."""

from __future__ import annotations

import tomllib
from pathlib import Path

from invae.evaluation.results import Results

__all__ = ["deviations"]

FILE = Path(__file__).with_name("expected.toml")


def deviations(results: Results, quick: bool) -> list[str]:
    """One sentence for every expected figure that ``results`` misses; an empty list when all agree.

    An entry of expected.toml names ``table``, the ``row`` (a value of the table's first column),
    the ``column``, the ``value`` and a relative ``tolerance``; ``where_present = true`` lets table or row
    be absent, for data that not every machine has.
    """
    entries = tomllib.loads(FILE.read_text(encoding="utf-8")).get(results.name, {})
    found = []
    for entry in entries.get("quick" if quick else "full", []):
        where = f"{entry['table']} / {entry['row']} / {entry['column']}"
        value = look_up(results, entry)
        if value is None and entry.get("where_present"):
            continue
        if value is None:
            found.append(f"{where} is not in the results")
        elif abs(value - entry["value"]) > entry["tolerance"] * abs(entry["value"]):
            found.append(f"{where} is {value:.4g}, expected {entry['value']:.4g} +- {entry['tolerance']:.0%}")
    return found


def look_up(results: Results, entry: dict) -> float | None:
    for table in results.tables:
        if table.name == entry["table"]:
            for row in table.rows:
                if str(next(iter(row.values()))) == entry["row"]:
                    value = row.get(entry["column"])
                    return None if value is None else float(value)
    return None
