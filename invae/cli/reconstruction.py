"""``invae fit`` and ``invae reconstruct``: learn a map from examples, apply it to measurements."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import check_output, plural, print_json, progress, say
from invae.errors import InputError, ModelError

__all__ = ["VERBS", "fit", "reconstruct"]


class OperatorName(StrEnum):
    """Forward operators that the command line can build."""

    radon = "radon"
    blur = "blur"
    heat = "heat"


def fit(
    signals: Annotated[Path, typer.Argument(help="Example signals, one per row: .npy, .h5[:/path] or .tif.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write (.h5).")],
    operator: Annotated[OperatorName | None, typer.Option(help="Forward operator.")] = None,
    measurements: Annotated[
        Path | None, typer.Option(help="Measurements of the same signals: learn from pairs.")
    ] = None,
    angles: Annotated[int | None, typer.Option(help="radon: number of views over 180 degrees.")] = None,
    detectors: Annotated[
        int | None, typer.Option(help="radon: detector pixels (default: cover the image).")
    ] = None,
    arc: Annotated[float, typer.Option(help="radon: range of the views in degrees.")] = 180.0,
    sigma: Annotated[float | None, typer.Option(help="blur: width of the Gaussian, in pixels.")] = None,
    boundary: Annotated[str, typer.Option(help="blur: reflective, periodic or zero.")] = "reflective",
    time: Annotated[
        float | None, typer.Option(help="heat: diffusion time, in units of spacing squared.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Noise level relative to the rms of the measurements, e.g. 0.02.")
    ] = None,
    noise_std: Annotated[float | None, typer.Option(help="Noise standard deviation, absolute.")] = None,
    rank: Annotated[str, typer.Option(help="Rank of the map: a number, auto or full.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Facts of the model as JSON on stdout.")] = False,
) -> None:
    """Learn the map of least expected error from example signals."""
    from invae.autoencoders import BayesRiskReconstructor
    from invae.data import read_array

    check_output(output, force)
    x = read_array(signals)
    y = None if measurements is None else read_array(measurements)
    if operator is None and y is None:
        raise InputError("name the forward operator (--operator radon, blur or heat) or give --measurements")
    F = (
        None
        if operator is None
        else _operator(operator, x.shape[1:], angles, detectors, arc, sigma, boundary, time)
    )
    if F is not None:
        x = _rows(x, tuple(F.dims))
        y = None if y is None else _rows(y, tuple(F.dimsd))
    model = BayesRiskReconstructor(F, noise=_noise(noise, noise_std), rank=_rank(rank)).fit(x, y)
    model.save(output, overwrite=force)
    facts = {
        "model": str(output),
        "operator": None if F is None else repr(F),
        "samples": len(x),
        "rank": int(model.rank_),
        "risk": float(model.risk_),
        "noise_std": float(model.noise_std_),
    }
    if as_json:
        print_json(facts)
    else:
        error = np.sqrt(model.risk_ / x[0].size)
        say(f"{output}: rank {model.rank_} from {len(x)} signals, expected rms error {error:.4g} per value")


def reconstruct(
    measurements: Annotated[
        Path, typer.Argument(help="Measurements, one per row: .npy, .h5[:/path] or .tif.")
    ],
    model: Annotated[Path, typer.Option("--with", help="Model written by invae fit.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Signals to write: .npy, .h5 or .tif.")],
    std: Annotated[
        bool, typer.Option("--std", help="Also write the standard deviation of every value, to OUT_std.*.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the outputs.")] = False,
) -> None:
    """Reconstruct signals from measurements with a fitted model."""
    from invae.data import write_array
    from invae.data.batches import identity
    from invae.interop.files import reconstruct_file
    from invae.persistence import load

    std_output = output.with_name(f"{output.stem}_std{output.suffix}")
    for path in (output, std_output) if std else (output,):
        check_output(path, force)
    reconstructor = load(model)
    if not hasattr(reconstructor, "predict"):
        raise ModelError(f"{model} holds a {type(reconstructor).__name__}, which cannot reconstruct")
    if std and not hasattr(reconstructor, "std_"):
        raise ModelError(f"{model} holds a {type(reconstructor).__name__}, which knows no standard deviation")
    done = 0

    def note(finished: int, total: int) -> None:
        nonlocal done
        done = finished
        update(finished, total)

    try:
        with progress("reconstructing") as update:
            shape = reconstruct_file(
                reconstructor,
                measurements,
                output,
                job={"model": identity(model)},
                overwrite=force,
                progress=note,
            )
    except KeyboardInterrupt:
        say(f"interrupted after {plural(done, 'row')}; the same command continues from there")
        raise typer.Exit(130) from None
    if std:
        write_array(std_output, reconstructor.std_.reshape(reconstructor.shape_x_), overwrite=force)
    say(f"{output}: {' x '.join(map(str, shape))}")


def _operator(
    name: OperatorName,
    shape: tuple[int, ...],
    angles: int | None,
    detectors: int | None,
    arc: float,
    sigma: float | None,
    boundary: str,
    time: float | None,
) -> Any:
    from invae.operators import Blur, Heat, Radon

    wanted = {
        OperatorName.radon: ("--angles", angles),
        OperatorName.blur: ("--sigma", sigma),
        OperatorName.heat: ("--time", time),
    }
    option, value = wanted[name]
    if value is None:
        raise typer.BadParameter(f"--operator {name.value} needs {option}")
    if name is OperatorName.radon:
        if len(shape) != 2:
            raise InputError(
                f"radon needs images (N, height, width), the signals have shape (N, {_dims(shape)})"
            )
        views = np.arange(angles) * np.deg2rad(arc) / angles
        return Radon(shape, angles=views, n_detectors=detectors)
    if name is OperatorName.blur:
        return Blur(shape, sigma, boundary=boundary)
    return Heat(shape, time)


def _noise(relative: float | None, absolute: float | None) -> Any:
    from invae.operators import GaussianNoise

    if relative is not None and absolute is not None:
        raise typer.BadParameter("give --noise (relative) or --noise-std (absolute), not both")
    if relative is None and absolute is None:
        return None
    return GaussianNoise(absolute) if relative is None else GaussianNoise(relative=relative)


def _rank(text: str) -> int | str:
    if text in ("auto", "full"):
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"--rank {text} is neither a number nor auto or full") from None


def _rows(array: np.ndarray, dims: tuple[int, ...]) -> np.ndarray:
    return array[None] if array.shape == dims else array


def _dims(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


VERBS = (fit, reconstruct)
