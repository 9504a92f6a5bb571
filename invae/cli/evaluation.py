"""``invae evaluate``: what an archive changed, in numbers and as a page."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from invae.cli.console import check_output, print_json, print_table, progress, say, tell_compiling
from invae.cli.inputs import gather, load_inputs, open_archive

__all__ = ["VERBS", "evaluate"]

MOST_ROWS = 20


def evaluate(
    originals: Annotated[list[Path], typer.Argument(metavar="ORIGINAL", help="The data files.")],
    packed: Annotated[Path, typer.Argument(metavar="OUT.inva", help="The archive made of them.")],
    html: Annotated[Path | None, typer.Option(help="Write a report with figures to this file.")] = None,
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the report.")] = False,
    model: Annotated[
        str | None, typer.Option(help="Model that the archive was made with, if it is not invae's.")
    ] = None,
    rivals: Annotated[
        bool,
        typer.Option("--rivals", help="Also code the values with SZ3, ZFP, zstd and all that is installed."),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Print every row of every table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Compare an archive with the files it was made of: errors in units of the bound, rates, physics."""
    from invae.evaluation import evaluate_archive

    if html is not None:
        check_output(html, force)
    with ExitStack() as opened:
        content, size, _ = load_inputs(gather(originals, opened), q_unit)
    items = list(content.values()) if isinstance(content, dict) else content
    items = items if isinstance(items, list) else [items]
    tell_compiling()
    with open_archive(packed, model) as archive, progress("comparing") as update:
        decoded, names = list(archive), archive.names()
        if archive.directory.container == "stack":
            decoded, names = [np.concatenate(decoded)], names[:1]
        results = evaluate_archive(
            items,
            decoded,
            archive.directory.bound,
            sigma_bound=archive.directory.sigma_bound,
            names=names,
            source_bytes=size,
            stored_bytes=archive.info["bytes"],
            rivals=rivals,
            progress=update,
        )
    if as_json:
        print_json({"archive": str(packed), **results.config, **{t.name: t.rows for t in results.tables}})
    else:
        for table in results.tables:
            print_table(table.rows if everything else table.rows[:MOST_ROWS], table.caption)
            if not everything and len(table.rows) > MOST_ROWS:
                say(f"... and {len(table.rows) - MOST_ROWS} more rows; --all, --html or --json shows them")
        say(f"{packed}: {results.summary}")
    if html is not None:
        from invae.report import Report

        Report(results, title=f"{packed.name} against its original").write(html, overwrite=force)
        say(f"{html}: report written")
    if not results.config["kept"]:
        raise typer.Exit(1)


VERBS = (evaluate,)
