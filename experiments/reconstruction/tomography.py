"""Parallel-beam tomography of 64 x 64 pixels (quick: 48 x 48) from 30 views over a half or a quarter turn.

The closed-form map is learnt from simulated pairs. Filtered back-projection, CGLS, Tikhonov, truncated SVD
and total variation see the same measurements and choose their parameter by their own rule or on validation
images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.reconstruction.study import TOMOGRAPHY_OPTIONS, run_family
from invae.evaluation.results import Results
from invae.operators import Radon

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Tomography from 30 views"
QUICK = {
    "size": 48,
    "n_angles": 30,
    "families": ["ellipses", "gaussian"],
    "limited": [],
    "options": TOMOGRAPHY_OPTIONS,
    "noise": [0.02],
    "reference_noise": 0.02,
    "n_train": 1200,
    "n_validation": 4,
    "n_test": 10,
    "n_calibration": 60,
    "tv_iterations": 200,
    "ranks": [100, 500],
}
FULL = {
    **QUICK,
    "size": 64,
    "families": ["ellipses", "gaussian", "photographs", "grains"],
    "limited": ["ellipses", "gaussian"],
    "noise": [0.005, 0.02, 0.1],
    "n_train": 10_000,
    "n_train_of": {"grains": 3000},
    "n_train_limited": 2000,
    "n_validation": 4,
    "n_test": 40,
    "n_calibration": 300,
    "tv_iterations": 300,
    "curve": ["ellipses", "photographs"],
    "curve_sizes": [100, 1000],
}


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("tomography", TITLE, __doc__, config)
    size, views = config["size"], config["n_angles"]
    F = Radon((size, size), n_angles=views)
    for family in config["families"]:
        run_family(results, F, family, config, rng)
    F = Radon((size, size), angles=np.arange(views) * (np.pi / 2 / views))
    for family in config["limited"]:
        few = {**config, "n_train": config["n_train_limited"]}
        level = config["reference_noise"]
        run_family(results, F, family, few, rng, levels=[level], label="views over 90 degrees, ")
    return results
