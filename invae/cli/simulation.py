"""``invae simulate curves | frames | phantoms``: training and test data from a seed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from invae.cli.console import check_output, parse_shape, plural, print_json, progress, say

__all__ = ["app"]

app = typer.Typer(
    name="simulate", help="Simulate scattering curves, detector frames or test images.", no_args_is_help=True
)

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
Count = Annotated[int, typer.Option("--number", "-n", min=1, help="How many samples.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same data.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes.")]
Models = Annotated[
    str | None, typer.Option(help="A set (fast, sas55, all, python) or sasmodels names parted by commas.")
]
Cache = Annotated[bool, typer.Option(help="Keep finished blocks on disk and continue from them.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]
AsJson = Annotated[bool, typer.Option("--json", help="Facts as JSON on stdout.")]


class Family(StrEnum):
    """Families of test images and signals."""

    ellipses = "ellipses"
    gaussian = "gaussian"
    photographs = "photographs"
    grains = "grains"
    piecewise = "piecewise"


@app.command()
def curves(
    output: Output,
    number: Count,
    seed: Seed = 0,
    models: Models = None,
    points: Annotated[
        int, typer.Option(min=2, help="q values, log-spaced from 0.001 to 1 1/angstrom.")
    ] = 512,
    dose: Annotated[
        float | None, typer.Option(help="Expected counts of a curve; without it there is no noise.")
    ] = None,
    polydispersity: Annotated[
        bool, typer.Option("--polydispersity", help="Draw distributions of size.")
    ] = False,
    resolution: Annotated[float | None, typer.Option(help="Relative resolution dq/q, e.g. 0.05.")] = None,
    jobs: Jobs = 1,
    cache: Cache = True,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Small-angle scattering curves of sasmodels, parameters at random, into one HDF5 file."""
    from invae.data.simulation.curves import default_q, simulate_curves

    check_output(output, force)
    with progress("simulating curves") as update:
        made = simulate_curves(
            number,
            _models(models),
            default_q(points),
            seed,
            dose,
            polydispersity=polydispersity,
            resolution=resolution,
            jobs=jobs,
            cache=cache,
            progress=update,
        )
    made.write(output, overwrite=force)
    _report(output, made, seed, as_json, f"{plural(len(made), 'curve')} of {points} points")


@app.command()
def frames(
    output: Output,
    number: Count,
    seed: Seed = 0,
    models: Models = None,
    shape: Annotated[str, typer.Option(help="Rows x columns, e.g. 128x128.")] = "128x128",
    dose: Annotated[
        float | None, typer.Option(help="Expected counts of a frame; without it intensities without noise.")
    ] = None,
    smearing: Annotated[float, typer.Option(min=0, help="Width of the beam spot in pixels.")] = 1.0,
    jobs: Jobs = 1,
    cache: Cache = True,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Detector frames of oriented particles with beamstop, gaps, dead and hot pixels, into one HDF5 file."""
    from invae.data.simulation.frames import simulate_frames

    check_output(output, force)
    rows, columns = parse_shape(shape, 2)
    with progress("simulating frames") as update:
        made = simulate_frames(
            number,
            _models(models),
            (rows, columns),
            seed,
            dose,
            smearing=smearing,
            jobs=jobs,
            cache=cache,
            progress=update,
        )
    made.write(output, overwrite=force)
    _report(output, made, seed, as_json, f"{plural(len(made), 'frame')} of {shape} pixels")


@app.command()
def phantoms(
    output: Output,
    number: Count,
    seed: Seed = 0,
    family: Annotated[Family, typer.Option(help="Kind of image or signal.")] = Family.ellipses,
    shape: Annotated[
        str, typer.Option(help="Rows x columns, e.g. 64x64; one number for piecewise.")
    ] = "64x64",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Test images (N, rows, columns) for reconstruction, into .npy, .h5 or .tif."""
    import numpy as np

    from invae.data import write_array
    from invae.data.simulation.phantoms import FAMILIES

    check_output(output, force)
    one_axis = family is Family.piecewise
    size = parse_shape(shape.split("x")[0] if one_axis else shape, 1 if one_axis else 2)
    images = FAMILIES[family.value](number, size, seed).astype(np.float32)
    write_array(output, images, overwrite=force)
    facts = {"output": str(output), "family": family.value, "shape": list(images.shape), "seed": seed}
    if as_json:
        print_json(facts)
    else:
        say(f"{output}: {family.value}, {' x '.join(map(str, images.shape))}, seed {seed}")


def _report(output: Path, made: Any, seed: int, as_json: bool, text: str) -> None:
    if as_json:
        print_json(
            {"output": str(output), "samples": len(made), "models": sorted(set(made.model)), **made.settings}
        )
    else:
        say(f"{output}: {text} from {plural(len(set(made.model)), 'model')}, seed {seed}")


def _models(text: str | None) -> str | list[str] | None:
    if text is None or text in ("fast", "sas55", "all", "python"):
        return text
    return [name.strip() for name in text.split(",") if name.strip()]
