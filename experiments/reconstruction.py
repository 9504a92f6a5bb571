"""What the three reconstruction studies share: data without inverse crime, one comparison, two figures.

Signals are rendered on a grid twice as fine, measured there, and reconstructed on the coarse grid. Rivals
that need a parameter tune it on validation pairs; every figure is of held-out test pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from invae.autoencoders import BayesRiskReconstructor
from invae.classical import Cgls, FilteredBackprojection, Tikhonov, TotalVariation, TruncatedSvd
from invae.data.grids import box_average
from invae.data.phantoms import FAMILIES
from invae.evaluation import compare
from invae.evaluation.results import Figure, Results
from invae.operators import GaussianNoise, Radon
from invae.operators.simulate import simulate

__all__ = ["LABELS", "TOMOGRAPHY_OPTIONS", "Pairs", "draw_pairs", "run_family"]

LABELS = {
    "ellipses": "random ellipses",
    "gaussian": "smooth Gaussian fields",
    "photographs": "photograph patches",
    "grains": "grains",
    "piecewise": "step functions",
}
BATCH = 500
# A round field of view; rough fields (a Gaussian kernel would leave only some hundred directions).
TOMOGRAPHY_OPTIONS = {
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
    nonnegative: bool = True,
) -> None:
    """Study one family at every noise level of ``config``; adds a table and two figures for each level."""
    options = config["options"].get(family, {})
    held_out = {"split": "test"} if family == "photographs" else {}
    train = draw_pairs(family, operator, config["n_train"], rng, **options)
    validation = draw_pairs(family, operator, config["n_validation"], rng, **options)
    test = draw_pairs(family, operator, config["n_test"], rng, **options, **held_out)
    family_of_maps = BayesRiskReconstructor(
        operator, noise=GaussianNoise(relative=config["noise"][0]), rank="full"
    )
    family_of_maps.fit(train.signals, train.clean)
    for level in config["noise"]:
        noise = GaussianNoise(relative=level)
        y_validation, y_test = (noise.sample(pairs.clean, rng) for pairs in (validation, test))
        full = family_of_maps.at(noise=noise, rank="full")
        methods = rivals(operator, noise, config["tv_iterations"], nonnegative)
        strongest = list(methods)[-1]
        for method in methods.values():
            method.fit(validation.signals, y_validation)
        methods |= {f"Bayes-risk, rank {rank}": full.at(rank=rank) for rank in config["ranks"]}
        methods[f"Bayes-risk, full rank {full.rank_}"] = full
        name = f"{LABELS[family]}, {100 * level:g} % noise"
        caption = (
            f"{name}: {len(test)} held-out signals, {len(train)} to learn from, {len(validation)} to tune "
            "the rivals; relative error, ± its standard error, time per signal."
        )
        found = compare(methods, test.signals, y_test, rival=strongest, name=name, caption=caption)
        results.tables.append(found.table)
        draw = image_figure if len(operator.dims) == 2 else line_figure
        results.figures.append(draw(name, test, found.estimates, found.errors))
        results.figures.append(risk_figure(name, full, test, y_test))


def rivals(operator: Any, noise: GaussianNoise, tv_iterations: int, nonnegative: bool) -> dict[str, Any]:
    """The classical methods, each with its own rule for the parameter; total variation comes last."""
    methods: dict[str, Any] = {}
    if isinstance(operator, Radon):
        methods["FBP"] = FilteredBackprojection(operator, parameter="validation")
    methods["CGLS"] = Cgls(operator, parameter="discrepancy", noise=noise)
    methods["Tikhonov"] = Tikhonov(operator, parameter="gcv")
    methods["TSVD"] = TruncatedSvd(operator, parameter="validation")
    label = "TV, x >= 0" if nonnegative else "TV"
    methods[label] = TotalVariation(
        operator, parameter="validation", nonnegative=nonnegative, max_iter=tv_iterations
    )
    return methods


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
    """The first rival, the strongest classical one (listed last of them) and the full-rank map."""
    classical = [label for label in estimates if not label.startswith("Bayes-risk")]
    return list(dict.fromkeys([classical[0], classical[-1], list(estimates)[-1]]))


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
