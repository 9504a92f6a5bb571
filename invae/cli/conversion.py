"""``invae convert``: scattering files from one format to another, arrays from one container to another."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from invae.cli.console import say
from invae.cli.inputs import KeepGoing, gather, load_inputs
from invae.cli.outputs import Ending, to_folder, to_stdout, write_items

__all__ = ["VERBS", "convert"]


def convert(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Files, folders, patterns; scattering data or arrays (.npy, .h5[:/path], .tif); - is stdin.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="One file (.h5, .xml, .dat, .npy, .tif), a folder, or - for stdout."
        ),
    ],
    ending: Ending = None,
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    keep_going: KeepGoing = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite outputs.")] = False,
) -> None:
    """Convert data files; what is written reads back as the same values and metadata."""
    from invae.data import unique_names
    from invae.data.arrays.files import split_inner_path

    folder = to_folder(output, ending, force)
    with ExitStack() as opened, to_stdout(output, ending or "") as target:
        files = gather(data, opened)
        content, _, n_failed = load_inputs(files, q_unit, keep_going=keep_going)
        if isinstance(content, np.ndarray):
            content = {split_inner_path(files[0])[0].stem: content}
        named = content if isinstance(content, dict) else dict(zip(unique_names(content), content))
        written = write_items(target, folder, list(named), list(named.values()), ending, force)
    say(f"{output}: {written} written")
    if n_failed:
        raise typer.Exit(1)


VERBS = (convert,)
