"""``invae info``: what a data file, an array, a model or an archive holds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import human_bytes, one_line, plural, print_json, say
from invae.cli.inputs import gather, kind_of, load_data
from invae.errors import InvaeError

__all__ = ["VERBS", "info"]

MOST_NAMES = 6


def info(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Data files, arrays, models or archives.")
    ],
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Say what files hold."""
    found, failed = [], False
    with ExitStack() as opened:
        for path in gather(files, opened):
            try:
                found.append(_describe(path, q_unit))
            except InvaeError as error:
                failed = True
                told = str(error) if str(path) in str(error) else f"{path}: {error}"
                found.append({"file": str(path), "kind": "error", "error": told})
    if as_json:
        print_json(found)
    else:
        for item in found:
            if item["kind"] == "error":
                say(f"invae: {item['error']}")
            else:
                typer.echo(_text(item))
    if failed:
        raise typer.Exit(1)


def _describe(path: Path, q_unit: str | None) -> dict[str, Any]:
    from invae.data.arrays.files import split_inner_path

    kind = kind_of(path)
    base = {"file": str(path), "kind": kind, "bytes": split_inner_path(path)[0].stat().st_size}
    if kind == "archive":
        from invae.codec import Archive

        with Archive(path) as archive:
            return base | archive.info | {"names": archive.names()}
    if kind == "model":
        from invae.persistence import describe

        header = describe(path)
        model = header["model"]
        state = model.get("state", {})
        return base | {
            "class": model.get("__class__"),
            "model": _outline(state.get("parameters", state)),
            "arrays": {key: [dtype, list(shape)] for key, (dtype, shape) in header["arrays"].items()},
            "libraries": header["libraries"],
        }
    with ExitStack() as opened:
        data = load_data(path, q_unit, opened, lazy=True)
        if not isinstance(data, list):
            return base | {"kind": "array", "dtype": str(data.dtype), "shape": list(data.shape)}
        return base | {"records": [_record(record) for record in data]}


def _record(record: Any) -> dict[str, Any]:
    described = record.description()
    facts = {
        "name": record.name,
        "kind": described["kind"],
        "shape": list(record.shape),
        "dtype": str(record.values.dtype),
        "arrays": [name.removeprefix("columns/") for name in sorted(record.arrays())],
        "units": described["units"],
        "not_finite": None,
        "negative": None,
    }
    if len(record.shape) > 2:
        # A stack may be larger than the memory: its values are not read.
        return facts
    values = np.asarray(record.values)
    finite = np.isfinite(values)
    facts |= {"not_finite": int((~finite).sum()), "negative": int((values[finite] < 0).sum())}
    if described["kind"] == "curve" and finite.any():
        facts["q_range"] = [float(np.nanmin(record.q)), float(np.nanmax(record.q))]
    return facts


def _outline(value: Any) -> Any:
    """A stored state without its arrays."""
    if not isinstance(value, dict):
        return [_outline(item) for item in value] if isinstance(value, list) else value
    if "__array__" in value:
        return "(array)"
    if "__class__" in value:
        return {value["__class__"]: _outline(value["state"])}
    return {key: _outline(item) for key, item in value.items()}


def _text(item: dict[str, Any]) -> str:
    head = f"{item['file']}: "
    if item["kind"] == "archive":
        lines = [
            head + f"archive of {plural(item['records'], 'record')}, "
            f"{human_bytes(item['bytes'])}, bound {item['bound']}, "
            f"largest error {item['max_error_in_bounds']:.3g} of the bound"
        ]
        return "\n".join(lines + [f"  {one_line(name)}" for name in item["names"]])
    if item["kind"] == "model":
        lines = [head + f"model {item['class']}, {human_bytes(item['bytes'])}"]
        for key, value in (item["model"] or {}).items():
            lines.append(f"  {key}: {value}")
        return "\n".join(lines)
    if item["kind"] == "array":
        shape = " x ".join(map(str, item["shape"])) or "of one value"
        return head + f"{item['dtype']} array {shape}, {human_bytes(item['bytes'])}"
    records = item["records"]
    lines = [head + f"{plural(len(records), 'record')}, {human_bytes(item['bytes'])}"]
    for record in records:
        lines.append(f"  {one_line(record['name']) or '(no name)'}: {_record_text(record)}")
    return "\n".join(lines)


def _record_text(record: dict[str, Any]) -> str:
    shape = " x ".join(map(str, record["shape"]))
    units = record["units"]
    if record["kind"] == "curve":
        text = f"curve of {shape} points"
        if "q_range" in record:
            low, high = record["q_range"]
            text += f", q {low:.4g} to {high:.4g} {units.get('q') or '(unit not stated)'}"
        held = [name for name in record["arrays"] if name not in ("q", "intensity")]
    else:
        text = f"{record['dtype']} frame {shape}"
        held = [name for name in record["arrays"] if name != "data"]
    if held:
        more = f" and {len(held) - MOST_NAMES} more" if len(held) > MOST_NAMES else ""
        text += f", with {', '.join(held[:MOST_NAMES])}{more}"
    for count, what in ((record["not_finite"], "not finite"), (record["negative"], "negative")):
        if count:
            text += f", {count} {what}"
    return text


VERBS = (info,)
