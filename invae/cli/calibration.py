"""``invae calibrate``: error bars that hold, and strange measurements that are noticed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from invae.cli.console import check_output, plural, print_json, say, tell_compiling
from invae.cli.inputs import kind_of, stored_shape
from invae.errors import ModelError

__all__ = ["VERBS", "calibrate"]


def calibrate(
    signals: Annotated[
        Path,
        typer.Argument(
            metavar="SIGNALS",
            help="Signals that the fit has not seen, one per row: .npy, .h5[:/path] or .tif.",
        ),
    ],
    model: Annotated[Path, typer.Option("--with", help="Model written by invae fit.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Model file to write (.h5); MODEL itself with --force.")
    ],
    measurements: Annotated[
        Path | None,
        typer.Option(help="Their measurements (default: made by the model's operator and noise)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise and of the halves.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Coverages as JSON on stdout.")] = False,
) -> None:
    """Make error bars hold, and strange measurements known, by signals that the fit has not seen."""
    from invae.data.arrays.files import read_array
    from invae.files import check_measurements, check_pairs
    from invae.persistence import describe, load, save

    check_output(output, force, [signals] if measurements is None else [signals, measurements])
    if (kind := kind_of(model)) != "model":
        raise ModelError(f"{model} is no model but holds {kind}; name a file written by invae fit")
    n_samples = check_pairs(signals, measurements)[0]
    if measurements is not None:
        check_measurements(measurements, stored_shape(describe(model)["model"]))
    tell_compiling()
    reconstructor = load(model)
    if not hasattr(reconstructor, "calibrate"):
        raise ModelError(f"{model} holds a {type(reconstructor).__name__}, which knows no error bars")
    x = read_array(signals)
    y = None if measurements is None else read_array(measurements)
    reconstructor.calibrate(x, y, rng=seed)
    save(reconstructor, output, overwrite=force)
    factors = {level: reconstructor.calibration_.factor(level) for level in _levels(n_samples)}
    facts = {
        "model": str(output),
        "samples": n_samples,
        "rms_error": float(np.sqrt(reconstructor.validated_risk_ / math.prod(x.shape[1:]))),
        "factors": factors,
    }
    if as_json:
        print_json(facts)
        return
    bars = ", ".join(f"{level:.0%}: {factor:.3g} std" for level, factor in factors.items())
    say(
        f"{output}: calibrated on {plural(n_samples, 'signal')}, rms error {facts['rms_error']:.4g} per "
        f"value; intervals that hold: {bars}"
    )


def _levels(n_samples: int) -> list[float]:
    """Usual levels of intervals that so many pairs can vouch for."""
    return [level for level in (0.68, 0.9, 0.95) if level + level / n_samples < 0.999]


VERBS = (calibrate,)
