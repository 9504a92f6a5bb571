"""Runs that are kept: one JSON file a study, from which the pages and every figure in a text are taken.

A file holds at most one run of the quick and one of the full configuration. Each says what it was made from:
command, commit, versions, machine class (cores and architecture, no names). Figures of earlier runs of which
only a text was left are kept as *recorded by hand*, with the commit of that text.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from invae.errors import InputError
from invae.evaluation.results import Results, load_results, save_results

__all__ = ["FOLDER", "ROOT", "cell", "commit", "keep", "kept", "record_of", "records"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "experiments" / "results"
KEPT = ("python", "system", "cores", "load", "time", "versions")  # of the environment: no name of a machine
LARGEST_FIGURE = 4000  # bytes of JSON: larger ones are drawn in the HTML report only
MADE = "made by the command"
BY_HAND = "recorded by hand from the text of commit {commit}, not regenerated"


def record_of(results: Results, quick: bool, command: str, made: str = MADE) -> Results:
    """What is kept of a finished run: tables and small figures, and the circumstances."""
    environment = {key: results.environment[key] for key in KEPT if key in results.environment}
    environment |= {"configuration": "quick" if quick else "full", "command": command, "made": made}
    environment["commit"] = results.environment.get("commit") or commit()
    config = {key: names(value) for key, value in results.config.items()}
    figures = [one for one in results.figures if json_size(one.data) <= LARGEST_FIGURE]
    record = Results(results.name, results.title, results.summary, config, results.tables, figures)
    record.seconds, record.environment = results.seconds, environment
    return record


def names(value: Any) -> Any:
    """File names in place of paths."""
    if isinstance(value, list):
        return [names(item) for item in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def json_size(data: dict[str, Any]) -> int:
    body = Results("", "", "", data, environment={}).to_dict()
    return len(json.dumps(body["config"]))


def commit() -> str:
    """The commit that is checked out, and whether sources differ from it."""
    head = git("rev-parse", "--short=10", "HEAD")
    if not head:
        return "unknown"
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "*.py", "*.toml")
    return f"{head} and uncommitted changes" if changed else head


def git(*arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def keep(run: Results, folder: Path | None = None) -> Path:
    """Put a record in the place of the former one of the same study and configuration."""
    path = (folder or FOLDER) / f"{run.name}.json"
    others = load_results(path) if path.is_file() else []
    configuration = run.environment["configuration"]
    runs = [one for one in others if one.environment["configuration"] != configuration] + [run]
    runs.sort(key=lambda one: one.environment["configuration"])
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_results(runs, path, overwrite=True)


def kept(study: str, configuration: str, folder: Path | None = None) -> Results | None:
    """The record of one study, None where there is none."""
    path = (folder or FOLDER) / f"{study}.json"
    if not path.is_file():
        return None
    return next(
        (one for one in load_results(path) if one.environment["configuration"] == configuration), None
    )


def records(folder: Path | None = None) -> dict[str, list[Results]]:
    """Study -> its records."""
    return {path.stem: load_results(path) for path in sorted((folder or FOLDER).glob("*.json"))}


def cell(results: Results, table: str, row: str, column: str) -> float | None:
    """A figure of a record; None where there is no such cell.

    ``row`` is the value of the table's first column, or ``column=value`` pairs parted by semicolons.
    """
    for candidate in results.tables:
        if candidate.name != table:
            continue
        pairs = [part.strip().partition("=") for part in row.split(";")]
        named = all(sign and key in candidate.columns for key, sign, _ in pairs)
        wanted = {key: text for key, _, text in pairs} if named else {candidate.columns[0]: row}
        rows = [
            one for one in candidate.rows if all(str(one.get(key)) == text for key, text in wanted.items())
        ]
        if len(rows) > 1 and named:
            raise InputError(f"{results.name}, {table}: {row!r} is {len(rows)} rows; name more columns")
        value = rows[0].get(column) if rows else None
        return None if value is None else float(value)
    return None
