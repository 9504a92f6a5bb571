"""``invae evaluate``: what an archive changed, in numbers and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import check_output, print_json, print_table, say
from invae.cli.inputs import load_inputs
from invae.errors import InputError

__all__ = ["VERBS", "evaluate"]


def evaluate(
    files: Annotated[
        list[Path], typer.Argument(metavar="ORIGINAL... OUT.inva", help="The data files, then the archive.")
    ],
    html: Annotated[Path | None, typer.Option(help="Write a report with figures to this file.")] = None,
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Compare an archive with the files it was made of: errors in units of the bound, rates, physics."""
    from invae.codec import Archive

    if len(files) < 2:
        raise typer.BadParameter("give the original file or files and then the archive")
    *originals, packed = files
    if html is not None:
        check_output(html, force)
    content, size = load_inputs(originals, q_unit)
    items = (
        list(content.values())
        if isinstance(content, dict)
        else content
        if isinstance(content, list)
        else [content]
    )
    with Archive(packed) as archive:
        names, decoded, facts = archive.names(), list(archive), archive.info
        bound = archive.directory.bound
    if len(items) != len(decoded):
        raise InputError(
            f"{packed} holds {len(decoded)} records, the files {len(items)}; give the files it was made of"
        )
    rows = [_row(name, a, b, bound) for name, a, b in zip(names, items, decoded)]
    total = {
        "archive": str(packed),
        "bound": facts["bound"],
        "source_bytes": size,
        "bytes": facts["bytes"],
        "ratio": size / facts["bytes"],
        "bits_per_value": 8 * facts["bytes"] / max(1, sum(row["values"] for row in rows)),
        "max_error_over_bound": max(row["max error / bound"] for row in rows),
    }
    if as_json:
        print_json({**total, "records": rows})
    else:
        print_table(rows)
        say(
            f"{packed}: {total['ratio']:.3g} x smaller than the files, "
            f"{total['bits_per_value']:.3g} bits per value, "
            f"largest error {total['max_error_over_bound']:.3g} of {total['bound']}"
        )
    if html is not None:
        from invae.cli.pages import archive_results
        from invae.report import Report

        results = archive_results(total, rows, items, decoded, bound)
        Report(results, title=f"{packed.name} against its original").write(html, overwrite=force)
        say(f"{html}: report written")
    if total["max_error_over_bound"] > 1:
        raise typer.Exit(1)


def _row(name: str, original: Any, decoded: Any, bound: Any) -> dict[str, Any]:
    a, sigma, mask = _values(original)
    b, _, _ = _values(decoded)
    if a.shape != b.shape:
        raise InputError(
            f"{name}: the original has shape {a.shape}, the archive {b.shape}; are these its files?"
        )
    row: dict[str, Any] = {
        "record": name,
        "values": a.size,
        "max error / bound": bound.max_ratio(a, b, sigma, mask),
    }
    same = np.isfinite(a.astype(float)) & np.isfinite(b.astype(float))
    difference = b[same].astype(float) - a[same].astype(float)
    row["max |error|"] = float(np.max(np.abs(difference), initial=0.0))
    row["rms error"] = float(np.sqrt(np.mean(difference**2))) if difference.size else 0.0
    if sigma is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = difference / sigma[same]
        z = z[np.isfinite(z)]
        row["max |error| / sigma"] = float(np.max(np.abs(z), initial=0.0))
        row["rms error / sigma"] = float(np.sqrt(np.mean(z**2))) if z.size else 0.0
    return row


def _values(item: Any) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    if isinstance(item, np.ndarray):
        return item, None, None
    return np.asarray(item.values), item.sigma, item.mask


VERBS = (evaluate,)
