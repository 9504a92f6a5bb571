"""``invae fit`` and ``invae reconstruct``: learn a map from examples, apply it to measurements."""

from __future__ import annotations

import math
import warnings
from enum import StrEnum
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import check_output, parse_shape, plural, print_json, progress, say, tell_compiling
from invae.cli.inputs import kind_of, stored_shape
from invae.errors import InputError, InvaeWarning, ModelError

__all__ = ["VERBS", "fit", "reconstruct"]


class OperatorName(StrEnum):
    """Forward operators that the command line can build."""

    radon = "radon"
    blur = "blur"
    heat = "heat"


def fit(
    signals: Annotated[
        Path,
        typer.Argument(metavar="SIGNALS", help="Example signals, one per row: .npy, .h5[:/path] or .tif."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write (.h5).")],
    operator: Annotated[OperatorName | None, typer.Option(help="Forward operator.")] = None,
    measurements: Annotated[
        Path | None, typer.Option(help="Measurements of the same signals: learn from pairs.")
    ] = None,
    shape: Annotated[
        str | None, typer.Option(help="Shape of a signal where the file has flat rows, e.g. 64x64.")
    ] = None,
    angles: Annotated[int | None, typer.Option(min=1, help="radon: number of views.")] = None,
    arc: Annotated[
        float | None, typer.Option(help="radon: range of the views in degrees (180; fan beam 360).")
    ] = None,
    detectors: Annotated[
        int | None, typer.Option(min=1, help="radon: detector pixels (default: cover the image).")
    ] = None,
    source_distance: Annotated[
        float | None, typer.Option(help="radon: fan beam, distance of source to centre in pixels.")
    ] = None,
    detector_distance: Annotated[
        float | None,
        typer.Option(min=0, help="radon: fan beam, distance of centre to detector in pixels (0)."),
    ] = None,
    sigma: Annotated[float | None, typer.Option(help="blur: width of the Gaussian, in pixels.")] = None,
    boundary: Annotated[
        str | None, typer.Option(help="blur: reflective (unless told otherwise), periodic or zero.")
    ] = None,
    time: Annotated[
        float | None, typer.Option(help="heat: diffusion time, in units of spacing squared.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(help="Noise relative to the rms of the measurements, e.g. 0.02; or auto.")
    ] = None,
    noise_std: Annotated[float | None, typer.Option(help="Noise standard deviation, absolute.")] = None,
    rank: Annotated[str, typer.Option(help="Rank of the map: a number, auto or full.")] = "auto",
    augment: Annotated[
        str | None, typer.Option(help="Symmetry of the signals, to learn more from few: flips or d4.")
    ] = None,
    refine: Annotated[
        int | None, typer.Option(min=1, help="Add this many non-linear patch-affine stages (2 or 3).")
    ] = None,
    nonnegative: Annotated[
        bool, typer.Option("--nonnegative", help="With --refine: no value below 0.")
    ] = False,
    slim: Annotated[
        bool, typer.Option("--slim", help="A smaller model, without what other ranks and noise levels need.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Facts of the model as JSON on stdout.")] = False,
) -> None:
    """Learn the map of least expected error from example signals."""
    from invae.files import check_pairs

    check_output(output, force, [signals] if measurements is None else [signals, measurements])
    if slim and (noise == "auto" or refine is not None):
        raise typer.BadParameter("--noise auto and --refine need the whole model; leave out --slim")
    if nonnegative and refine is None:
        raise typer.BadParameter("--nonnegative belongs to --refine; a linear map has no bounds")
    if operator is None and measurements is None:
        raise InputError("name the forward operator (--operator radon, blur or heat) or give --measurements")
    dims = check_pairs(signals, measurements)[1:]
    if shape is not None:
        dims = _reshaped(signals, dims, parse_shape(shape))
    options: dict[OperatorName, dict[str, Any]] = {
        OperatorName.radon: {
            "--angles": angles,
            "--arc": arc,
            "--detectors": detectors,
            "--source-distance": source_distance,
            "--detector-distance": detector_distance,
        },
        OperatorName.blur: {"--sigma": sigma, "--boundary": boundary},
        OperatorName.heat: {"--time": time},
    }
    _check_options(operator, options)
    if operator is OperatorName.radon and len(dims) != 2:
        sizes = ", ".join(map(str, dims))
        raise InputError(
            f"radon needs images (N, height, width), the signals have shape (N, {sizes}); "
            "give --shape HEIGHTxWIDTH"
        )
    level, wanted = _noise(noise, noise_std), _rank(rank)

    # All that can be wrong on the line or in the headers is found; from here on it takes time.
    from invae.autoencoders import BayesRiskReconstructor
    from invae.files import fit_file
    from invae.operators import GaussianNoise
    from invae.persistence import save

    tell_compiling()
    F = None if operator is None else _operator(operator, dims, options[operator])
    spread = GaussianNoise(**level) if isinstance(level, dict) else level
    linear = BayesRiskReconstructor(F, noise=spread, rank=wanted, augment=augment)
    model = _refined(linear, refine, nonnegative)
    sums = output.with_name(f"{output.name}.part")
    try:
        with progress("reading") as update:
            n_samples = fit_file(
                model,
                signals,
                measurements,
                in_memory=refine is not None,
                checkpoint=sums,
                overwrite=force,
                progress=update,
            )
    except KeyboardInterrupt:
        if sums.exists():
            say("the sums so far are kept; the same command continues from there")
        raise typer.Exit(130) from None
    fitted = model if refine is None else model.reconstructor_
    if refine is None:
        model.save(output, factors=not slim, overwrite=force)
    else:
        save(model, output, overwrite=force)
    sums.unlink(missing_ok=True)
    facts = {
        "model": str(output),
        "operator": None if F is None else repr(F),
        "samples": n_samples,
        "rank": int(fitted.rank_),
        "risk": float(fitted.risk_),
        "validated_risk": fitted.validated_risk_,
        "noise_std": float(fitted.noise_std_),
    }
    if refine is not None:
        facts["errors"] = model.errors_
    if as_json:
        print_json(facts)
    else:
        _tell_fitted(facts, math.prod(dims))


def _tell_fitted(facts: dict[str, Any], n_values: int) -> None:
    """One or two lines on what a model of signals of ``n_values`` values promises."""
    unseen = facts["validated_risk"] is not None
    risk = facts["validated_risk"] if unseen else facts["risk"]
    say(
        f"{facts['model']}: rank {facts['rank']} from {plural(facts['samples'], 'signal')}, "
        f"rms error {np.sqrt(max(risk, 0.0) / n_values):.4g} per value "
        f"{'on signals left out' if unseen else 'expected by the model'}"
    )
    if "errors" in facts:
        steps = " -> ".join(f"{value:.4f}" for value in facts["errors"])
        say(f"{facts['model']}: relative error out of fold {steps}")


def reconstruct(
    measurements: Annotated[
        Path,
        typer.Argument(metavar="MEASUREMENTS", help="Measurements, one per row: .npy, .h5[:/path] or .tif."),
    ],
    model: Annotated[Path, typer.Option("--with", help="Model written by invae fit.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Signals to write: .npy, .h5 or .tif.")],
    std: Annotated[
        bool, typer.Option("--std", help="Also write the standard deviation of every value, to OUT_std.*.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the outputs.")] = False,
) -> None:
    """Reconstruct signals from measurements with a fitted model."""
    from invae.data.arrays.files import split_inner_path
    from invae.data.arrays.rows import identity
    from invae.files import check_measurements, reconstruct_file
    from invae.persistence import describe, load

    file, inner = split_inner_path(output)
    std_output = Path(f"{file.with_name(f'{file.stem}_std{file.suffix}')}" + (f":{inner}" if inner else ""))
    for path in (output, std_output) if std else (output,):
        check_output(path, force, [measurements, model])
    if (kind := kind_of(model)) != "model":
        raise ModelError(f"{model} is no model but holds {kind}; name a file written by invae fit")
    check_measurements(measurements, stored_shape(describe(model)["model"]))
    tell_compiling()
    reconstructor = load(model)
    if not hasattr(reconstructor, "predict"):
        raise ModelError(f"{model} holds a {type(reconstructor).__name__}, which cannot reconstruct")
    if std and "return_std" not in signature(reconstructor.predict).parameters:
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
                std_output=std_output if std else None,
                job={"model": identity(model)},
                overwrite=force,
                progress=note,
            )
    except KeyboardInterrupt:
        say(f"{plural(done, 'row')} finished; the same command continues from there")
        raise typer.Exit(130) from None
    say(f"{output}: {' x '.join(map(str, shape))}")


def _refined(linear: Any, n_stages: int | None, nonnegative: bool) -> Any:
    if n_stages is None:
        return linear
    from invae.autoencoders import PatchAffineRefiner

    return PatchAffineRefiner(linear, n_stages=n_stages, bounds=(0.0, None) if nonnegative else None)


def _check_options(operator: OperatorName | None, options: dict[OperatorName, dict[str, Any]]) -> None:
    """Every operator has the option that it cannot do without, and none of another one."""
    for name, given in options.items():
        first, value = next(iter(given.items()))
        stray = [option for option, value in given.items() if value is not None]
        if name is operator and value is None:
            raise typer.BadParameter(f"--operator {name.value} needs {first}")
        if name is not operator and stray:
            raise typer.BadParameter(f"{stray[0]} belongs to --operator {name.value}")
    radon = options[OperatorName.radon]
    if radon["--arc"] == 0:
        raise typer.BadParameter("--arc 0 leaves one view only; give the range of the views in degrees")
    if radon["--detector-distance"] is not None and radon["--source-distance"] is None:
        raise typer.BadParameter("--detector-distance belongs to a fan beam; give --source-distance too")


def _operator(name: OperatorName, dims: tuple[int, ...], options: dict[str, Any]) -> Any:
    from invae.operators import Blur, Heat, Radon

    if name is OperatorName.blur:
        return Blur(dims, options["--sigma"], boundary=options["--boundary"] or "reflective")
    if name is OperatorName.heat:
        return Heat(dims, options["--time"])
    if (
        abs(abs(options["--arc"] or 0.0) - math.pi) < 0.01
        or abs(abs(options["--arc"] or 0.0) - math.tau) < 0.01
    ):
        told = f"--arc {options['--arc']:g} is taken for degrees, a narrow fan of views; were radians meant?"
        warnings.warn(told, InvaeWarning, stacklevel=2)
    distance = options["--source-distance"]
    arc = options["--arc"] or (180.0 if distance is None else 360.0)
    views = np.arange(options["--angles"]) * np.deg2rad(arc) / options["--angles"]
    beam: dict[str, Any] = {}
    if distance is not None:
        detector = options["--detector-distance"] or 0.0
        beam = {"geometry": "fan", "source_distance": distance, "detector_distance": detector}
    rows, columns = dims
    return Radon((rows, columns), angles=views, n_detectors=options["--detectors"], **beam)


def _noise(relative: str | None, absolute: float | None) -> Any:
    """Arguments of the noise model; or auto, or None."""
    if relative is not None and absolute is not None:
        raise typer.BadParameter("give --noise (relative) or --noise-std (absolute), not both")
    if relative is None:
        return None if absolute is None else {"std": _level("--noise-std", absolute)}
    if relative == "auto":
        return "auto"
    try:
        return {"relative": _level("--noise", float(relative))}
    except ValueError:
        raise typer.BadParameter(f"--noise {relative} is neither a positive number nor auto") from None


def _level(option: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise typer.BadParameter(f"{option} {value:g} is negative or no number")
    return value


def _reshaped(path: Path, stored: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(stored) != math.prod(wanted):
        sizes, asked = (", ".join(map(str, shape)) for shape in (stored, wanted))
        raise InputError(
            f"{path} holds signals of shape ({sizes}), {math.prod(stored)} values each, which is not "
            f"({asked}) as --shape says; give the shape of one signal"
        )
    return wanted


def _rank(text: str) -> int | str:
    if text in ("auto", "full"):
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"--rank {text} is neither a number nor auto or full") from None


VERBS = (fit, reconstruct)
