"""What the three reconstruction studies share: data without inverse crime, one comparison, two figures.

Signals are rendered on a grid twice as fine, measured there, and reconstructed on the coarse grid. Rivals
that need a parameter tune it on validation pairs; every figure is of held-out test pairs. One more table
says how far the model's own words can be trusted: its risk, its error bars, its noise level.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.shared.timing import REPEATS
from invae.autoencoders import BayesRiskReconstructor
from invae.autoencoders.bayes_risk.learning import ENOUGH_PAIRS
from invae.classical import Cgls, FilteredBackprojection, Tikhonov, TotalVariation, TruncatedSvd
from invae.data.simulation.grids import box_average
from invae.data.simulation.phantoms import FAMILIES
from invae.evaluation import Comparison, compare, relative_error
from invae.evaluation.results import Figure, Results, Table
from invae.operators import GaussianNoise, Radon
from invae.operators.simulate import simulate

__all__ = ["LABELS", "TOMOGRAPHY_OPTIONS", "Pairs", "draw_pairs", "image_figure", "networks", "run_family"]

LABELS = {
    "ellipses": "random ellipses",
    "gaussian": "smooth Gaussian fields",
    "photographs": "photograph patches",
    "grains": "grains",
    "piecewise": "step functions",
}
BATCH = 500
TRUST = "risk, coverage, noise"
TRUST_CAPTION = (
    "What the full-rank map says of itself against what happens on new signals: squared error of a whole "
    "signal, by the model and validated (training signals left out in turn); coverage of 90 % intervals, "
    "before and after split-conformal calibration on half of these signals, measured on the other half (mean "
    "and spread of four splits); noise level found by marginal likelihood in each measurement, the "
    "operator's model error in it."
)
CURVE = "learning curve"
CURVE_CAPTION = (
    "Mean relative error at full rank against the number of training signals N: covariance shrunk as by "
    "default; the same with mirror images; the sample covariance alone."
)
CURVE_OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "default, symmetry": {"augment": "flips"},
    "not shrunk": {"shrinkage": None},
}
MOST_OF_CURVE = 1000
SPLITS = 4
# A round field of view; rough fields (a Gaussian kernel would leave only some hundred directions).
TOMOGRAPHY_OPTIONS: dict[str, dict[str, Any]] = {
    "gaussian": {"disc": True, "length_scale": 0.5, "smoothness": 1.5, "std": 0.35},
    "photographs": {"disc": True},
}


@dataclass
class Pairs:
    """Signals ``(N, *dims)`` and their clean measurements ``(N, *dimsd)``, simulated on the finer grid."""

    signals: np.ndarray
    clean: np.ndarray

    def __len__(self) -> int:
        return len(self.signals)


def draw_pairs(family: str, operator: Any, n: int, rng: np.random.Generator, **options: Any) -> Pairs:
    """Draw ``n`` pairs of a family in batches, so that the fine grid never fills the memory."""
    signals, clean = [], []
    for start in range(0, n, BATCH):
        fine = FAMILIES[family](
            min(BATCH, n - start), tuple(2 * side for side in operator.dims), rng, **options
        )
        signals.append(box_average(fine, 2).astype(np.float32))
        clean.append(simulate(operator, fine).reshape(len(fine), *operator.dimsd).astype(np.float32))
    return Pairs(np.concatenate(signals), np.concatenate(clean))


def run_family(
    results: Results,
    operator: Any,
    family: str,
    config: dict[str, Any],
    rng: np.random.Generator,
    *,
    levels: list[float] | None = None,
    label: str = "",
    nonnegative: bool = True,
) -> None:
    """Study one family at several noise levels (those of ``config``); adds a table and two figures for each
    level, and lines to the tables of trust and of learning curves."""
    sets = draw_sets(operator, family, config, rng)
    levels = config["noise"] if levels is None else levels
    family_of_maps = BayesRiskReconstructor(
        operator, noise=GaussianNoise(relative=config["reference_noise"]), rank="full"
    )
    family_of_maps.fit(sets["train"].signals, sets["train"].clean)
    errors: dict[str, list[float]] = {}
    for level in levels:
        noise = GaussianNoise(relative=level)
        name = f"{LABELS[family]}, {label}{100 * level:g} % noise"
        comparison, full = compare_on(sets, operator, family_of_maps, noise, config, rng, name, nonnegative)
        results.tables.append(comparison.table)
        for row in comparison.rows:
            errors.setdefault(row["method"], []).append(row["error"])
        draw = image_figure if len(operator.dims) == 2 else line_figure
        results.figures.append(draw(name, sets["test"], comparison.estimates, comparison.errors))
        y_test = noise.sample(sets["calibration"].clean, rng)
        results.figures.append(risk_figure(name, full, sets["calibration"], y_test))
        add_row(results, TRUST, TRUST_CAPTION, trust_row(name, full, sets["calibration"], noise, rng))
    if len(levels) > 1:
        title = f"{LABELS[family]}, {label}".strip(", ")
        results.figures.append(noise_figure(title, levels, errors))
    if family in config.get("curve", {}) and not label:
        for row in learning_curve(operator, sets, family_of_maps, config, rng):
            add_row(results, CURVE, CURVE_CAPTION, {"family": LABELS[family], **row})
    results.tables.sort(key=lambda table: table.name in (TRUST, CURVE))


def draw_sets(
    operator: Any, family: str, config: dict[str, Any], rng: np.random.Generator
) -> dict[str, Pairs]:
    """Pairs to train, validate, test and calibrate on; photographs to test and calibrate on are others."""
    options = config["options"].get(family, {})
    held_out = {"split": "test"} if family == "photographs" else {}
    sizes = {part: config[f"n_{part}"] for part in ("train", "validation", "test", "calibration")}
    sizes["train"] = config.get("n_train_of", {}).get(family, sizes["train"])
    return {
        part: draw_pairs(
            family, operator, n, rng, **options, **(held_out if part in ("test", "calibration") else {})
        )
        for part, n in sizes.items()
    }


def compare_on(
    sets: dict[str, Pairs],
    operator: Any,
    family_of_maps: BayesRiskReconstructor,
    noise: GaussianNoise,
    config: dict[str, Any],
    rng: np.random.Generator,
    name: str,
    nonnegative: bool,
) -> tuple[Comparison, BayesRiskReconstructor]:
    """All methods on the test pairs at one noise level, and the full-rank map of that level."""
    train, validation, test = (sets[part] for part in ("train", "validation", "test"))
    y_validation, y_test = (noise.sample(pairs.clean, rng) for pairs in (validation, test))
    known = noise.relative == config["reference_noise"]
    full = copy.copy(family_of_maps) if known else family_of_maps.at(noise=noise, rank="full")
    methods = rivals(operator, noise, config["tv_iterations"], nonnegative)
    strongest = list(methods)[-1]
    for method in methods.values():
        method.fit(validation.signals, y_validation)
    caption = (
        f"{name}: {len(test)} held-out signals, {len(train)} to learn from, {len(validation)} to tune "
        "the rivals; relative error, ± its standard error, time per signal."
    )
    seconds = config.get("network_seconds")
    if seconds and known:
        y_train = noise.sample(train.clean, rng)
        rank = min(config["ranks"][-1], full.rank_)
        methods |= networks(methods["Tikhonov"], train, y_train, rank, seconds, nonnegative, rng)
        caption += f" Each network was trained for {seconds:g} s."
    methods |= {f"Bayes-risk, rank {rank}": full.at(rank=rank) for rank in config["ranks"]}
    methods["Bayes-risk, full rank"] = full
    if isinstance(operator, Radon):
        caption += " Inside: without the rim of the field of view, at less than .85 of its radius."
    comparison = compare(
        methods, test.signals, y_test, rival=strongest, repeats=REPEATS, name=name, caption=caption
    )
    if isinstance(operator, Radon):
        add_inside(comparison, test.signals)
    return comparison, full


def add_inside(comparison: Comparison, truth: np.ndarray) -> None:
    """The error away from the rim of a round object, which learnt maps know and others do not."""
    rows, columns = (np.linspace(-1, 1, size) for size in truth.shape[1:])
    inside = rows[:, None] ** 2 + columns**2 < 0.85**2
    for row in comparison.table.rows:
        error = relative_error(comparison.estimates[row["method"]][:, inside], truth[:, inside])
        row["error inside"] = float(error.mean())


def networks(
    first: Any,
    train: Pairs,
    y_train: np.ndarray,
    rank: int,
    seconds: float,
    nonnegative: bool,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Learned rivals, trained for so many seconds: a U-Net after another method, a linear autoencoder."""
    from invae.autoencoders.networks import TrainedLinearAutoencoder, UNetPostprocessor

    budget: dict[str, Any] = {"epochs": 10_000, "max_seconds": seconds, "rng": rng}
    net = UNetPostprocessor(first, learning_rate=2e-3, nonnegative=nonnegative, **budget)
    trained = TrainedLinearAutoencoder(rank, learning_rate=3e-3, **budget)
    label = {"FilteredBackprojection": "FBP"}.get(type(first).__name__, type(first).__name__)
    return {
        f"{label} and U-Net": net.fit(train.signals, y_train),
        f"linear, rank {rank}, trained": trained.fit(train.signals, y_train),
    }


def trust_row(
    name: str, full: BayesRiskReconstructor, pairs: Pairs, noise: GaussianNoise, rng: np.random.Generator
) -> dict[str, Any]:
    """The model's words against what happens: risk, coverage of 90 % intervals, noise level."""
    y = noise.sample(pairs.clean, rng)
    measured = float(np.mean(np.sum((full.predict(y) - pairs.signals).reshape(len(y), -1) ** 2, axis=1)))
    validated, expected = full.validated_risk_, full.risk_
    rows, half = [], len(y) // 2
    for _ in range(SPLITS):
        order = rng.permutation(len(y))
        known, new = order[:half], order[half:]
        full.calibrate(pairs.signals[known], y[known])
        rows.append(full.coverage(pairs.signals[new], y[new], levels=(0.9,))[0])
    calibrated = [row["calibrated"] for row in rows]
    level = noise.relative * np.sqrt(np.mean(np.square(pairs.clean).reshape(len(y), -1), axis=1))
    return {
        "signals": name,
        "risk of the model / measured": expected / measured,
        "validated / measured": None if validated is None else validated / measured,
        "coverage, model": float(np.mean([row["gaussian"] for row in rows])),
        "coverage, calibrated": float(np.mean(calibrated)),
        "its spread": float(np.std(calibrated)),
        "width / model's": float(np.mean([row["width_ratio"] for row in rows])),
        "noise found / true": float(np.mean(full.estimate_noise(y) / level)),
    }


def learning_curve(
    operator: Any,
    sets: dict[str, Pairs],
    largest: BayesRiskReconstructor,
    config: dict[str, Any],
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """Error of maps learnt from N signals: shrunk as by default, shrunk with symmetry, and not shrunk."""
    noise = GaussianNoise(relative=config["reference_noise"])
    train, test = sets["train"], sets["calibration"]
    y = noise.sample(test.clean, rng)
    for n in [*(n for n in config["curve_sizes"] if n < len(train)), len(train)]:
        row: dict[str, Any] = {"N": n}
        for column, options in CURVE_OPTIONS.items():
            if n == len(train) and column == "default":
                method = largest
            elif column != "default" and (n > MOST_OF_CURVE or n >= ENOUGH_PAIRS * operator.shape[0]):
                continue  # as many pairs as that speak for themselves: there is no shrinkage and no symmetry
            else:
                method = BayesRiskReconstructor(operator, noise=noise, rank="full", **options)
                method.fit(train.signals[:n], train.clean[:n])
            row[column] = float(relative_error(np.asarray(method.predict(y)), test.signals).mean())
            if column == "default":
                risk = float(np.mean(np.sum((method.predict(y) - test.signals).reshape(len(y), -1) ** 2, 1)))
                told = method.validated_risk_
                row["default, validated / measured risk"] = None if told is None else told / risk
        yield row


def add_row(results: Results, name: str, caption: str, row: dict[str, Any]) -> None:
    """Append to the table of that name, which may be new."""
    for table in results.tables:
        if table.name == name:
            table.rows.append(row)
            return
    results.tables.append(Table(name, caption, [row]))


def rivals(operator: Any, noise: GaussianNoise, tv_iterations: int, nonnegative: bool) -> dict[str, Any]:
    """The classical methods, each with its own rule for the parameter; total variation comes last."""
    methods: dict[str, Any] = {}
    if isinstance(operator, Radon):
        methods["FBP"] = FilteredBackprojection(operator, parameter="validation")
    methods["CGLS"] = Cgls(operator, parameter="discrepancy", noise=noise)
    methods["Tikhonov"] = Tikhonov(operator)
    methods["TSVD"] = TruncatedSvd(operator, parameter="validation")
    label = "TV, x >= 0" if nonnegative else "TV"
    methods[label] = TotalVariation(
        operator, parameter="validation", nonnegative=nonnegative, max_iter=tv_iterations
    )
    return methods


def noise_figure(name: str, levels: list[float], errors: dict[str, list[float]]) -> Figure:
    """Mean error of every method that ran at all noise levels."""
    series = [
        {"x": 100 * np.array(levels), "y": np.array(values), "label": method, "style": "both"}
        for method, values in errors.items()
        if len(values) == len(levels)
    ]
    axes = {"xlabel": "noise [%]", "ylabel": "relative error", "xscale": "log", "yscale": "log"}
    return Figure("lines", f"{name}: mean relative error by noise.", {"series": series, **axes})


def image_figure(
    name: str, test: Pairs, estimates: dict[str, np.ndarray], errors: dict[str, np.ndarray]
) -> Figure:
    """First row: truth and estimates of the first test image; second row: their errors."""
    shown = pick(estimates)
    truth = test.signals[0]
    images = [truth, *(estimates[label][0] for label in shown)]
    notes = [""] + [f"error {errors[label][0]:.3f}" for label in shown]
    return Figure(
        "images",
        f"{name}: one held-out image, estimates with their relative error; below, estimate minus truth.",
        {
            "rows": [
                {"images": images, "notes": notes},
                {"images": [None, *(image - truth for image in images[1:])], "symmetric": True},
            ],
            "titles": ["truth", *shown],
        },
    )


def line_figure(
    name: str, test: Pairs, estimates: dict[str, np.ndarray], errors: dict[str, np.ndarray]
) -> Figure:
    """Truth and estimates of the first test signal."""
    x = np.arange(test.signals.shape[1])
    series = [{"x": x, "y": test.signals[0], "label": "truth"}]
    series += [
        {"x": x, "y": estimates[label][0], "label": f"{label} (error {errors[label][0]:.3f})"}
        for label in pick(estimates)
    ]
    return Figure(
        "lines", f"{name}: one held-out signal.", {"series": series, "xlabel": "cell", "ylabel": "x"}
    )


def pick(estimates: dict[str, np.ndarray]) -> list[str]:
    """The first rival, tuned total variation and the full-rank map."""
    classical = [label for label in estimates if not label.startswith("Bayes-risk")]
    strongest = next(label for label in reversed(classical) if label.startswith("TV"))
    return list(dict.fromkeys([classical[0], strongest, list(estimates)[-1]]))


def risk_figure(name: str, full: BayesRiskReconstructor, test: Pairs, y_test: np.ndarray) -> Figure:
    """Risk that the factorisation predicts at each rank against the mean squared error on test signals."""
    ranks = np.arange(full.rank_ + 1)
    shown = np.unique(np.geomspace(1, full.rank_, 40).astype(int))
    return Figure(
        "risk_curve",
        f"{name}: expected squared error of a signal by rank, as predicted and on test signals.",
        {
            "rank": ranks,
            "predicted": full.risk_curve_[: len(ranks)],
            "measured": measured_risk(full, test, y_test)[shown],
            "measured_rank": shown,
        },
    )


def measured_risk(full: BayesRiskReconstructor, test: Pairs, y_test: np.ndarray) -> np.ndarray:
    """Mean ||x - x_hat_r||^2 for r = 0, 1, ..., all at once: the decoder's columns U are orthonormal, so
    ||x - x_hat_r||^2 = ||x - mean||^2 + sum_{k <= r} (z_k^2 - 2 z_k <u_k, x - mean>)."""
    centred = test.signals.reshape(len(test), -1).astype(np.float64) - full.mean_x_
    z = full.transform(y_test.reshape(len(test), -1)).astype(np.float64)
    change = z**2 - 2 * z * (centred @ full.decoder_)
    return np.mean(np.sum(centred**2, axis=1)) + np.concatenate([[0.0], np.cumsum(change.mean(axis=0))])
