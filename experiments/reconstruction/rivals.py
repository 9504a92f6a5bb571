"""Everybody on the same scan: classical methods, other libraries, learned rivals, and the closed forms.

Data come from a grid twice as fine. What has a parameter tunes it on validation pairs, or chooses it by the
rule in its name; what learns sees the same training pairs, the networks for a stated number of seconds.
Errors are mean relative errors of held-out images; times are of one run on one machine, batches where a
method takes them.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from experiments.reconstruction.peers import available_peers
from experiments.reconstruction.study import (
    LABELS,
    TOMOGRAPHY_OPTIONS,
    Pairs,
    draw_pairs,
    image_figure,
    networks,
)
from experiments.shared.timing import REPEATS
from invae.autoencoders import BayesRiskReconstructor, PatchAffineRefiner
from invae.classical import (
    Cgls,
    FilteredBackprojection,
    Sart,
    Sirt,
    Tikhonov,
    TotalGeneralisedVariation,
    TotalVariation,
    TruncatedSvd,
    WaveletL1,
)
from invae.evaluation import compare
from invae.evaluation.results import Results
from invae.operators import GaussianNoise, Radon

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "All rivals on one scan"
QUICK = {
    "size": 32,
    "n_angles": 16,
    "cases": [["ellipses", 180, 0.02]],
    "n_train": 300,
    "n_validation": 4,
    "n_test": 8,
    "iterations": 100,
    "rank": 100,
    "seconds": 5.0,
    "slow_peers": False,
}
FULL = {
    "size": 64,
    "n_angles": 30,
    "cases": [["ellipses", 180, 0.02]],
    "n_train": 1500,
    "n_validation": 4,
    "n_test": 20,
    "iterations": 300,
    "rank": 500,
    "seconds": 45.0,
    "slow_peers": True,
}

log = logging.getLogger(__name__)


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("reconstruction_rivals", TITLE, __doc__, config)
    for family, arc, level in config["cases"]:
        angles = np.arange(config["n_angles"]) * np.radians(arc) / config["n_angles"]
        F = Radon((config["size"],) * 2, angles=angles)
        one_case(results, F, family, arc, level, config, rng)
    return results


def one_case(
    results: Results,
    F: Radon,
    family: str,
    arc: float,
    level: float,
    config: dict[str, Any],
    rng: np.random.Generator,
) -> None:
    """One table and one figure."""
    options: dict[str, Any] = TOMOGRAPHY_OPTIONS.get(family, {})
    held_out = {"split": "test"} if family == "photographs" else {}
    train = draw_pairs(family, F, config["n_train"], rng, **options)
    validation = draw_pairs(family, F, config["n_validation"], rng, **options)
    test = draw_pairs(family, F, config["n_test"], rng, **options, **held_out)
    noise = GaussianNoise(relative=level)
    y_train, y_validation, y_test = (noise.sample(p.clean, rng) for p in (train, validation, test))
    methods = tuned(F, noise, config)
    for label, method in methods.items():
        log.info("tuning %s", label)
        method.fit(validation.signals, y_validation)
    methods |= learnt(F, noise, train, y_train, methods["FBP"], config, rng)
    name = f"{LABELS[family]}, {arc:g} degrees, {100 * level:g} % noise"
    caption = (
        f"{name}: {len(test)} held-out images, {len(validation)} to tune on, {len(train)} to learn from; "
        f"networks trained for {config['seconds']:g} s; relative error, ± its standard error."
    )
    comparison = compare(
        methods, test.signals, y_test, rival="TV, tuned", repeats=REPEATS, name=name, caption=caption
    )
    comparison.table.best = {"error": "min"}
    results.tables.append(comparison.table)
    results.figures.append(image_figure(name, test, comparison.estimates, comparison.errors))


def tuned(F: Radon, noise: GaussianNoise, config: dict[str, Any]) -> dict[str, Any]:
    """Classical methods, ours and other libraries', not yet fitted."""
    longest = config["iterations"]
    return {
        "FBP": FilteredBackprojection(F, parameter="validation"),
        **available_peers(F, quick=not config["slow_peers"]),
        "CGLS, discrepancy": Cgls(F, noise=noise),
        "Tikhonov, robust GCV": Tikhonov(F),
        "Tikhonov gradient, robust GCV": Tikhonov(F, order=1),
        "TSVD": TruncatedSvd(F, parameter="validation"),
        "SIRT": Sirt(F, parameter="validation", max_iter=longest),
        "SART": Sart(F, parameter="validation", max_iter=30, relaxation=0.3),
        "wavelets": WaveletL1(F, parameter="validation", max_iter=longest),
        "TV, discrepancy": TotalVariation(F, noise=noise, max_iter=longest),
        "TGV, discrepancy": TotalGeneralisedVariation(F, noise=noise, max_iter=2 * longest),
        "TV, tuned": TotalVariation(F, parameter="validation", max_iter=longest),
    }


def learnt(
    F: Radon,
    noise: GaussianNoise,
    train: Pairs,
    y_train: np.ndarray,
    first: FilteredBackprojection,
    config: dict[str, Any],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """What learns from training pairs, fitted; the closed forms last."""
    rank = config["rank"]
    trained = networks(first, train, y_train, rank, config["seconds"], True, rng)
    full = BayesRiskReconstructor(F, noise=noise, rank="full").fit(train.signals, train.clean)
    linear = BayesRiskReconstructor(F, noise=noise, rank="full")
    refined = PatchAffineRefiner(linear, bounds=(0, None)).fit(train.signals, train.clean)
    return {
        **trained,
        f"linear, rank {rank}, closed form": full.at(rank=min(rank, full.rank_)),
        "linear, full rank, closed form": full,
        "patch-affine refinement": refined,
    }
