"""Parallel-beam tomography of 64 x 64 images from 30 views.

The closed-form map is learnt from simulated pairs. Filtered back-projection, CGLS, Tikhonov, truncated SVD
and total variation see the same measurements and choose their parameter by their own rule or on validation
images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.reconstruction import TOMOGRAPHY_OPTIONS, run_family
from invae.evaluation.results import Results
from invae.operators import Radon

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Tomography from 30 views"
QUICK = {
    "size": 64,
    "n_angles": 30,
    "families": ["ellipses", "gaussian"],
    "options": TOMOGRAPHY_OPTIONS,
    "noise": [0.02],
    "n_train": 1200,
    "n_validation": 4,
    "n_test": 10,
    "tv_iterations": 200,
    "ranks": [100, 500],
}
FULL = {
    **QUICK,
    "tv_iterations": 1000,
    "families": ["ellipses", "gaussian", "photographs", "grains"],
    "noise": [0.005, 0.02, 0.1],
    "n_train": 10_000,
    "n_validation": 20,
    "n_test": 40,
}


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("tomography", TITLE, __doc__, config)
    F = Radon((config["size"], config["size"]), n_angles=config["n_angles"])
    for family in config["families"]:
        run_family(results, F, family, config, rng)
    return results
