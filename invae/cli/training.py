"""``invae train``: learn a compression model from curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import check_output, human_bytes, plural, print_json, progress, say
from invae.cli.inputs import load_inputs
from invae.errors import InputError

__all__ = ["VERBS", "train"]


def train(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA", help="Scattering files, simulated curves, or arrays of rows."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write (.h5).")],
    seed: Annotated[int, typer.Option(min=0, help="Order of the curves.")] = 0,
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Facts of the model as JSON on stdout.")] = False,
) -> None:
    """Learn a compression model from curves like those to be compressed; use it with compress --model."""
    from invae.codec import train_codec
    from invae.persistence import save

    check_output(output, force)
    content, _ = load_inputs(data, q_unit)
    rows = _rows(content)
    with progress("training") as update:
        model = train_codec(rows, rng=seed, progress=update)
    save(model, output, overwrite=force)
    size = output.stat().st_size
    if as_json:
        print_json({"model": str(output), "curves": len(rows), "bytes": size, "sha256": model.digest.hex()})
    else:
        say(f"{output}: learnt from {plural(len(rows), 'curve')}, {human_bytes(size)}")


def _rows(content: Any) -> list[Any]:
    arrays = list(content.values()) if isinstance(content, dict) else content
    if isinstance(arrays, np.ndarray):
        arrays = [arrays]
    rows = []
    for item in arrays:
        values = np.asarray(getattr(item, "values", item))
        if values.ndim not in (1, 2) or (values.ndim == 2 and not isinstance(item, np.ndarray)):
            raise InputError(
                f"training wants curves, got data of shape {values.shape}; give curves or rows (N, points)"
            )
        rows += [values] if values.ndim == 1 else list(values)
    return rows


VERBS = (train,)
