"""Exact adjoints of every operator, and the risk of a known prior against Monte Carlo."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.shared.targets import figure
from invae.autoencoders import BayesRiskReconstructor
from invae.linalg import GaussianPrior
from invae.operators import Blur, GaussianNoise, Heat, Masked, Radon, motion_kernel

__all__ = ["dot_rows", "known_prior_rows"]

DRAWS = 20
BOUNDARIES = ("reflective", "periodic", "zero")


def operators(side: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Every geometry and boundary, by kind."""
    square = (side, side)
    fan: dict[str, Any] = {"geometry": "fan", "source_distance": 3.0 * side, "detector_distance": float(side)}
    parallel = Radon(square, n_angles=30)
    keep = rng.random(parallel.dimsd) > 0.1
    radon = {
        "parallel": parallel,
        "parallel, oblong image": Radon((side, side // 2 + 1), n_angles=17),
        "limited arc": Radon(square, angles=np.linspace(0, np.pi / 2, 30, endpoint=False)),
        "shifted detector": Radon(square, n_angles=30, detector_offset=1.7, detector_spacing=0.8),
        "without a matrix": Radon(square, n_angles=30, matrix_free=True),
        "fan": Radon(square, n_angles=20, **fan),
        "fan, shifted detector": Radon(square, n_angles=20, detector_offset=2.3, **fan),
        "dead detectors": Masked(parallel, np.asarray(keep)),
    }
    blur: dict[str, Any] = {}
    for boundary in BOUNDARIES:
        blur |= {
            f"Gaussian, {boundary}": Blur(square, sigma=1.5, boundary=boundary),
            f"anisotropic, {boundary}": Blur(square, sigma=(0.7, 2.5), boundary=boundary),
            f"motion, {boundary}": Blur(square, kernel=motion_kernel(7, 0.5), boundary=boundary),
            f"one dimension, {boundary}": Blur(side, sigma=2.0, boundary=boundary),
        }
    heat: dict[str, Any] = {}
    for unknown in ("initial", "source"):
        heat |= {
            f"one dimension, {unknown}": Heat(side, 2.0, unknown=unknown),
            f"two dimensions, {unknown}": Heat(square, 2.0, unknown=unknown),
            f"one dimension, variable, {unknown}": Heat(side, 2.0, 1 + rng.random(side), unknown=unknown),
            f"two dimensions, variable, {unknown}": Heat(
                square, 2.0, 1 + rng.random(square), unknown=unknown
            ),
        }
    return {"Radon": radon, "blur": blur, "heat": heat}


def dot_rows(side: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Worst |<F x, y> - <x, F^T y>| relative to |F x| |y|, of each kind of operator."""
    rows = []
    for kind, members in operators(side, rng).items():
        defects = {name: max(dot_test(F, rng) for _ in range(DRAWS)) for name, F in members.items()}
        worst = max(defects, key=lambda name: defects[name])
        detail = f"{len(defects)} operators, {DRAWS} pairs of vectors each; worst: {worst}"
        rows.append(figure(f"dot test, {kind}", defects[worst], detail))
    return rows


def dot_test(operator: Any, rng: np.random.Generator) -> float:
    x, y = rng.standard_normal(operator.shape[1]), rng.standard_normal(operator.shape[0])
    image = operator @ x
    return float(abs(image @ y - x @ (operator.H @ y)) / (np.linalg.norm(image) * np.linalg.norm(y)))


def known_prior_rows(side: int, n_angles: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Predicted risk of the full and of a low rank under a known prior, against 2000 draws."""
    F, noise = Radon((side, side), n_angles=n_angles), GaussianNoise(1.0)
    prior = GaussianPrior.matern(F.dims, length_scale=side / 8, smoothness=1.5)
    full = BayesRiskReconstructor(F, noise=noise, prior=prior, rank="full").fit()
    x = prior.sample(2000, rng).reshape(2000, -1)
    y = noise.sample(F.apply(x), rng)
    rows = []
    for label, known in (("full rank", full), ("rank 50", full.at(rank=50))):
        measured = float(np.mean(np.sum((known.predict(y) - x) ** 2, axis=1)))
        detail = f"measured {measured:.4g}, predicted {known.risk_:.4g}"
        name = f"measured / predicted risk, known Gaussian prior, {label}"
        rows.append(figure(name, measured / known.risk_, detail))
    return rows
