"""Backward heat equation: the temperature at the start from the temperature now.

A rod of 128 cells with insulated ends and a conductivity that doubles halfway along; the temperature
at the start is a step function or a smooth Gaussian field.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.reconstruction import run_family
from invae.evaluation.results import Results
from invae.operators import Heat

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Heat backwards in time"
QUICK = {
    "size": 128,
    "time": 20.0,
    "families": ["piecewise", "gaussian"],
    "options": {},
    "noise": [0.02],
    "n_train": 4000,
    "n_validation": 8,
    "n_test": 40,
    "tv_iterations": 300,
    "ranks": [5, 15],
}
FULL = {
    **QUICK,
    "tv_iterations": 1000,
    "noise": [0.005, 0.02, 0.1],
    "n_train": 20_000,
    "n_validation": 40,
    "n_test": 400,
}


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("heat", TITLE, __doc__, config)
    conductivity = np.where(np.arange(config["size"]) < config["size"] // 2, 1.0, 2.0)
    F = Heat((config["size"],), time=config["time"], conductivity=conductivity)
    for family in config["families"]:
        run_family(results, F, family, config, rng, nonnegative=False)
    return results
