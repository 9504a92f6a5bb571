"""Backward heat equation: the temperature at the start from the temperature now.

A rod of 128 cells with insulated ends and a conductivity that doubles halfway along; the temperature
at the start is a step function or a smooth Gaussian field. And a plate of 32 x 32 cells whose conductivity
varies smoothly by a factor of three, with ellipses as sources of heat.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.reconstruction.study import run_family
from invae.evaluation.results import Results
from invae.operators import Heat

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Heat backwards in time"
QUICK = {
    "size": 128,
    "time": 20.0,
    "plate": 0,
    "plate_time": 2.0,
    "plate_ranks": [100, 300],
    "families": ["piecewise", "gaussian"],
    "options": {},
    "noise": [0.02],
    "reference_noise": 0.02,
    "n_train": 4000,
    "n_validation": 8,
    "n_test": 40,
    "n_calibration": 400,
    "tv_iterations": 300,
    "ranks": [5, 15],
}
FULL = {
    **QUICK,
    "plate": 32,
    "noise": [0.005, 0.02, 0.1],
    "n_train": 20_000,
    "n_train_plate": 2000,
    "n_test": 60,
    "n_calibration": 1000,
    "tv_iterations": 500,
    "network_seconds": 20.0,
    "curve": ["piecewise"],
    "curve_sizes": [30, 100, 1000],
}


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("heat", TITLE, __doc__, config)
    conductivity = np.where(np.arange(config["size"]) < config["size"] // 2, 1.0, 2.0)
    F = Heat((config["size"],), time=config["time"], conductivity=conductivity)
    for family in config["families"]:
        run_family(results, F, family, config, rng, nonnegative=False)
    if config["plate"]:
        run_plate(results, config, rng)
    return results


def run_plate(results: Results, config: dict[str, Any], rng: np.random.Generator) -> None:
    """Two dimensions, variable conductivity, positive sources."""
    side = config["plate"]
    wave = np.cos(np.pi * (np.arange(side) + 0.5) / side)
    F = Heat((side, side), time=config["plate_time"], conductivity=2.0 + np.outer(wave, wave))
    smaller = {
        **config,
        "n_train": config["n_train_plate"],
        "n_validation": 2,
        "n_test": 20,
        "tv_iterations": 100,
        "ranks": config["plate_ranks"],
        "network_seconds": 0,
    }
    run_family(results, F, "ellipses", smaller, rng, levels=[config["reference_noise"]], label="plate, ")
