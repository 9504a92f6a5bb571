"""``invae convert``: scattering files from one format to another, arrays from one container to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from invae.cli.console import check_output, plural, say
from invae.cli.inputs import load_inputs
from invae.cli.outputs import VALUE_ENDINGS, write_each, write_item, writes_records
from invae.errors import InputError

__all__ = ["VERBS", "convert"]


def convert(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA", help="Scattering files, or arrays (.npy, .h5[:/path], .tif)."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="One file (.h5, .xml, .dat, .npy, .tif) or a folder.")
    ],
    ending: Annotated[
        str | None, typer.Option("--to", help="In a folder: ending of the files, e.g. .h5, .dat, .xml, .npy.")
    ] = None,
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite outputs.")] = False,
) -> None:
    """Convert data files; what is written reads back as the same values and metadata."""
    from invae.data import unique_names, write

    content, _ = load_inputs(data, q_unit)
    to_folder = output.is_dir() or not output.suffix
    if not to_folder:
        check_output(output, force)
        if ending is not None:
            raise typer.BadParameter(f"--to is for folders; {output} names its own format")
    if isinstance(content, np.ndarray) and not to_folder:
        write_item(output, content, force)
        say(f"{output}: array {' x '.join(map(str, content.shape))}")
        return
    if isinstance(content, dict | np.ndarray):
        named = content if isinstance(content, dict) else {data[0].stem: content}
        if not to_folder:
            raise InputError(f"{output} holds one array, the inputs hold {len(named)}; give a folder")
        count = write_each(output, list(named), named.values(), ending, force)
        say(f"{output}: {plural(count, 'file')} written")
        return
    if to_folder:
        count = write_each(output, unique_names(content), content, ending, force)
        say(f"{output}: {plural(count, 'file')} written")
        return
    if output.suffix.lower() in VALUE_ENDINGS and len(content) == 1:
        write_item(output, content[0], force)
    elif writes_records(output):
        write(content, output, overwrite=force)
    else:
        raise InputError(
            f"cannot write {plural(len(content), 'record')} to {output}; use .h5 or .xml, or a folder"
        )
    say(f"{output}: {plural(len(content), 'record')} written")


VERBS = (convert,)
