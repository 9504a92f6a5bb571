"""Deblurring with reflective boundary: photographs and grains under a Gaussian blur, photographs in motion.

The map is learnt on windows of some photographs and tested on windows of others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.reconstruction.study import run_family
from invae.evaluation.results import Results
from invae.operators import Blur, motion_kernel

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Deblurring of photographs"
QUICK = {
    "size": 48,
    "sigma": 1.5,
    "motion": 0,
    "families": ["photographs"],
    "options": {},
    "noise": [0.02],
    "reference_noise": 0.02,
    "n_train": 2500,
    "n_validation": 4,
    "n_test": 12,
    "n_calibration": 60,
    "tv_iterations": 200,
    "ranks": [100, 400],
}
FULL = {
    **QUICK,
    "motion": 9,
    "families": ["photographs", "grains"],
    "noise": [0.005, 0.02, 0.1],
    "n_train": 10_000,
    "n_train_of": {"grains": 2000},
    "n_validation": 3,
    "n_test": 40,
    "n_calibration": 300,
    "tv_iterations": 200,
    "network_seconds": 30.0,
}
SLANT = float(np.arctan(0.5))  # two columns for every row: no symmetry of the grid


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("deblurring", TITLE, __doc__, config)
    dims = (config["size"], config["size"])
    for family in config["families"]:
        run_family(results, Blur(dims, sigma=config["sigma"]), family, config, rng)
    if config["motion"]:
        F = Blur(dims, kernel=motion_kernel(config["motion"], SLANT))
        one = {**config, "network_seconds": 0}
        run_family(results, F, "photographs", one, rng, levels=[config["reference_noise"]], label="motion, ")
    return results
