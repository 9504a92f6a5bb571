"""``invae train``: learn a compression model from curves and frames."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import check_output, human_bytes, plural, print_json, progress, say, tell_compiling
from invae.cli.inputs import KeepGoing, gather, load_inputs

__all__ = ["VERBS", "train"]


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA", help="Scattering files, simulated curves or frames, arrays of rows or of images."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write (.h5).")],
    seed: Annotated[int, typer.Option(min=0, help="Order of the data.")] = 0,
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    keep_going: KeepGoing = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Facts of the model as JSON on stdout.")] = False,
) -> None:
    """Learn a compression model from curves or frames like those to be compressed, for compress --model."""
    from invae.codec import train_codec
    from invae.persistence import save

    check_output(output, force, data)
    with ExitStack() as opened:
        content, _, n_failed = load_inputs(gather(data, opened), q_unit, keep_going=keep_going)
        items = _items(content)
    tell_compiling()
    with progress("training") as update:
        model = train_codec(items, rng=seed, progress=update)
    save(model, output, overwrite=force)
    size = output.stat().st_size
    n_curves = sum(np.ndim(getattr(item, "values", item)) == 1 for item in items)
    n_frames = len(items) - n_curves
    if as_json:
        facts = {"curves": n_curves, "frames": n_frames, "bytes": size, "sha256": model.digest.hex()}
        print_json({"model": str(output), **facts})
    else:
        what = [plural(n, noun) for n, noun in ((n_curves, "curve"), (n_frames, "frame")) if n]
        say(f"{output}: learnt from {' and '.join(what)}, {human_bytes(size)}")
    if n_failed:
        raise typer.Exit(1)


def _items(content: Any) -> list[Any]:
    """Curves and frames one by one: rows of a 2-D array are curves, planes of a 3-D one frames."""
    from invae.data import Frame

    items = list(content.values()) if isinstance(content, dict) else content
    if isinstance(items, np.ndarray):
        items = [items]
    found: list[Any] = []
    for item in items:
        if isinstance(item, np.ndarray) and item.ndim >= 2:
            found += list(item)
        else:
            found.append(item.load() if isinstance(item, Frame) else item)
    return found


VERBS = (train,)
