"""``invae data list | fetch``: public data sets by name; nothing is downloaded unless asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from invae.cli.console import human_bytes, print_json, print_table, progress

__all__ = ["app"]

app = typer.Typer(name="data", help="Public data sets: list them, fetch one by name.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False) -> None:
    """Name, size and licence of every data set in the manifest."""
    from invae.data.sets.manifest import data_sets

    known = data_sets().values()
    if as_json:
        print_json([{**vars(item), "files": [vars(file) for file in item.files]} for item in known])
        return
    rows = [
        {"name": s.name, "title": s.title, "size": human_bytes(s.n_bytes), "licence": s.licence}
        for s in known
    ]
    print_table(rows)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of invae data list.")],
    folder: Annotated[Path | None, typer.Option(help="Where to keep it; default: invae's cache.")] = None,
) -> None:
    """Download one data set into the cache, check its hashes, and print the paths of its files."""
    from invae.data.sets.manifest import fetch as fetch_files

    with progress(f"fetching {name}") as update:
        paths = fetch_files(name, folder, progress=update)
    for path in paths:
        typer.echo(str(path))
