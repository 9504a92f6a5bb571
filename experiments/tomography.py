"""Parallel-beam tomography: the closed-form map against classical methods, on data simulated without inverse crime.

Signals are drawn on a grid twice as fine, projected there by strip integrals and disturbed by noise; every
method reconstructs on the coarse grid. Peers that need a parameter choose it on validation images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.families import box_average, draw
from invae.autoencoders import BayesRiskReconstructor
from invae.classical import Cgls, FilteredBackprojection, Tikhonov, TotalVariation, TruncatedSvd
from invae.evaluation import compare
from invae.evaluation.results import Figure, Results, Table
from invae.operators import GaussianNoise, Radon
from invae.operators.simulate import simulate

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Tomography from 30 views"
QUICK = {
    "size": 64,
    "n_angles": 30,
    "families": ["ellipses", "gaussian fields"],
    "noise": [0.02],
    "n_train": 2000,
    "n_validation": 10,
    "n_test": 20,
    "ranks": [100, 500],
}
FULL = {
    **QUICK,
    "families": ["ellipses", "gaussian fields", "photographs", "grains"],
    "noise": [0.005, 0.02, 0.1],
    "n_train": 10_000,
    "n_validation": 20,
    "n_test": 40,
}


@dataclass
class Split:
    """Signals on the coarse grid ``(N, s, s)`` and their clean measurements ``(N, m)`` from the fine grid."""

    signals: np.ndarray
    clean: np.ndarray

    def part(self, start: int, stop: int) -> Split:
        return Split(self.signals[start:stop], self.clean[start:stop])


def run(config: dict, rng: np.random.Generator) -> Results:
    results = Results("tomography", TITLE, __doc__.strip().partition("\n\n")[2], config, [], [])
    F = Radon((config["size"], config["size"]), n_angles=config["n_angles"])
    n_train, n_validation, n_test = (config[f"n_{part}"] for part in ("train", "validation", "test"))
    for family in config["families"]:
        everything = simulate_split(family, F, n_train + n_validation + n_test, rng)
        train = everything.part(0, n_train)
        validation = everything.part(n_train, n_train + n_validation)
        test = everything.part(n_train + n_validation, None)
        for level in config["noise"]:
            study(results, F, family, level, (train, validation, test), config, rng)
    return results


def simulate_split(family: str, F: Radon, n: int, rng: np.random.Generator) -> Split:
    """Draw ``n`` signals in batches, so that the fine grid never fills the memory."""
    signals, clean = [], []
    for start in range(0, n, 500):
        fine = draw(family, min(500, n - start), tuple(2 * s for s in F.dims), rng)
        signals.append(box_average(fine).astype(np.float32))
        clean.append(simulate(F, fine).reshape(len(fine), -1).astype(np.float32))
    return Split(np.concatenate(signals), np.concatenate(clean))


def study(
    results: Results,
    F: Radon,
    family: str,
    level: float,
    splits: tuple[Split, Split, Split],
    config: dict,
    rng: np.random.Generator,
) -> None:
    """One family at one noise level: a table of methods, a figure of images, a curve of risks."""
    noise = GaussianNoise(relative=level)
    train, validation, test = splits
    y_train, y_validation, y_test = (noise.sample(split.clean, rng) for split in splits)
    full = BayesRiskReconstructor(F, noise=noise, rank="full").fit(train.signals, y_train)
    methods = classical_methods(F)
    for method in methods.values():
        method.fit(validation.signals, y_validation)
    methods |= {f"Bayes-risk, rank {rank}": full.at(rank=rank) for rank in config["ranks"]}
    methods["Bayes-risk, full rank"] = full
    name = f"{family}, {100 * level:g} % noise"
    table = compare(methods, test.signals, y_test, baseline="TV, non-negative")
    table.name, table.caption = name, f"{len(y_test)} held-out images; time per image relative to total variation."
    results.tables.append(table)
    results.figures.append(image_figure(name, methods, test, y_test))
    results.figures.append(risk_figure(name, full, test, y_test))


def classical_methods(F: Radon) -> dict:
    return {
        "FBP": FilteredBackprojection(F, parameter="validation"),
        "CGLS": Cgls(F, parameter="discrepancy"),
        "Tikhonov": Tikhonov(F, parameter="gcv"),
        "TSVD": TruncatedSvd(F, parameter="gcv"),
        "TV, non-negative": TotalVariation(F, parameter="validation", nonnegative=True),
    }
