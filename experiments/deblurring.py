"""Deblurring of photograph patches: Gaussian blur with reflective boundary, 2 % noise.

The map is learnt on windows of some photographs and tested on windows of others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.reconstruction import run_family
from invae.evaluation.results import Results
from invae.operators import Blur

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Deblurring of photographs"
QUICK = {
    "size": 48,
    "sigma": 1.5,
    "families": ["photographs"],
    "options": {},
    "noise": [0.02],
    "n_train": 2500,
    "n_validation": 4,
    "n_test": 12,
    "tv_iterations": 200,
    "ranks": [100, 400],
}
FULL = {
    **QUICK,
    "tv_iterations": 1000,
    "size": 64,
    "noise": [0.005, 0.02, 0.1],
    "n_train": 10_000,
    "n_validation": 20,
    "n_test": 60,
}


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("deblurring", TITLE, __doc__, config)
    F = Blur((config["size"], config["size"]), sigma=config["sigma"])
    for family in config["families"]:
        run_family(results, F, family, config, rng)
    return results
