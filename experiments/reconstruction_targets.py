"""The reconstructor against its targets: what was wanted, what was measured, and whether it holds.

Total variation tunes its parameter on validation pairs; all errors are mean relative errors of held-out
signals; times are medians of the same run, on the same cores.
"""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.reconstruction import LABELS, TOMOGRAPHY_OPTIONS, Pairs, draw_pairs
from invae.autoencoders import BayesRiskReconstructor, PatchAffineRefiner
from invae.classical import Cgls, FilteredBackprojection, TotalVariation
from invae.evaluation import relative_error
from invae.evaluation.results import Results, Table
from invae.linalg import GaussianPrior
from invae.operators import Blur, GaussianNoise, Heat, Radon

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Targets of the reconstructor"
QUICK = {
    "size": 32,
    "n_angles": 16,
    "n_train": 600,
    "n_validation": 4,
    "n_test": 8,
    "n_calibration": 100,
    "tv_iterations": 150,
    "refined": [["ellipses", 0.02, 0.9]],
    "large": 64,
    "n_large": 300,
    "n_small": 100,
}
FULL = {
    "size": 64,
    "n_angles": 30,
    "n_train": 10_000,
    "n_validation": 12,
    "n_test": 40,
    "n_calibration": 500,
    "tv_iterations": 500,
    "refined": [
        ["ellipses", 0.02, 0.9],
        ["ellipses", 0.1, 0.75],
        ["photographs", 0.02, 0.8],
        ["ellipses", 0.005, 1.0],
    ],
    "large": 256,
    "n_large": 1000,
    "n_small": 100,
}

log = logging.getLogger(__name__)


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("reconstruction_targets", TITLE, __doc__, config)
    F = Radon((config["size"],) * 2, n_angles=config["n_angles"])
    rows: list[dict[str, Any]] = []
    data = {family: draw_sets(family, F, config, rng) for family in ("ellipses", "gaussian", "photographs")}
    rows += refined_rows(F, data, config, rng)
    rows += linear_rows(F, data["gaussian"], config, rng)
    rows += limited_angle_rows(config, rng)
    rows += speed_rows(F, data["ellipses"], config, rng)
    rows += small_sample_rows(F, data["ellipses"], config, rng)
    rows += scale_rows(config, rng)
    rows += correctness_rows(F, data, config, rng)
    for row in rows:
        log.info("%s: %.4g (wanted %s)", row["target"], row["measured"], row["wanted"])
    results.tables.append(Table("targets", "Every target of the reconstructor in one run.", rows))
    return results


def draw_sets(family: str, F: Any, config: dict[str, Any], rng: np.random.Generator) -> dict[str, Pairs]:
    held_out = {"split": "test"} if family == "photographs" else {}
    options = TOMOGRAPHY_OPTIONS.get(family, {})
    return {
        "train": draw_pairs(family, F, config["n_train"], rng, **options),
        "validation": draw_pairs(family, F, config["n_validation"], rng, **options),
        "test": draw_pairs(family, F, config["n_test"], rng, **options, **held_out),
        "calibration": draw_pairs(family, F, config["n_calibration"], rng, **options, **held_out),
    }


def refined_rows(
    F: Any, data: dict, config: dict[str, Any], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Patch-affine refinement against tuned total variation."""
    rows = []
    for family, level, wanted in config["refined"]:
        sets, noise = data[family], GaussianNoise(relative=level)
        y = noise.sample(sets["test"].clean, rng)
        tv = tuned_tv(F, sets["validation"], noise, config, rng)
        linear = BayesRiskReconstructor(F, noise=noise, rank="full")
        refiner = PatchAffineRefiner(linear, bounds=(0, None)).fit(sets["train"].signals, sets["train"].clean)
        ratio = error(refiner, sets["test"], y) / error(tv, sets["test"], y)
        rows.append(at_most(f"refined error / TV, {LABELS[family]}, {100 * level:g} %", ratio, wanted))
    return rows


def linear_rows(
    F: Any, sets: dict[str, Pairs], config: dict[str, Any], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """The linear map on smooth fields against total variation and CGLS, 2 % noise."""
    noise = GaussianNoise(relative=0.02)
    y = noise.sample(sets["test"].clean, rng)
    linear = BayesRiskReconstructor(F, noise=noise, rank="full").fit(
        sets["train"].signals, sets["train"].clean
    )
    own = error(linear, sets["test"], y)
    tv = error(tuned_tv(F, sets["validation"], noise, config, rng), sets["test"], y)
    cgls = error(Cgls(F, parameter="discrepancy", noise=noise).fit(), sets["test"], y)
    name = LABELS["gaussian"]
    return [
        at_most(f"linear error / TV, {name}, 2 %", own / tv, 0.40),
        at_most(f"linear error / CGLS, {name}, 2 %", own / cgls, 0.25),
    ]


def limited_angle_rows(config: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Views over 90 degrees only."""
    angles = np.linspace(0, np.pi / 2, config["n_angles"], endpoint=False)
    F = Radon((config["size"],) * 2, angles=angles)
    sets, noise = draw_sets("gaussian", F, config, rng), GaussianNoise(relative=0.02)
    y = noise.sample(sets["test"].clean, rng)
    linear = BayesRiskReconstructor(F, noise=noise, rank="full").fit(
        sets["train"].signals, sets["train"].clean
    )
    tv = tuned_tv(F, sets["validation"], noise, config, rng)
    ratio = error(linear, sets["test"], y) / error(tv, sets["test"], y)
    return [at_most("linear error / TV, limited angle (90 degrees), 2 %", ratio, 0.35)]


def speed_rows(
    F: Any, sets: dict[str, Pairs], config: dict[str, Any], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Throughput of batches: linear map of rank 500, refined map, batched Radon."""
    noise = GaussianNoise(relative=0.02)
    y = noise.sample(sets["calibration"].clean, rng)
    few = y[: config["n_test"]]
    rank = min(500, config["n_train"] // 2)
    linear = BayesRiskReconstructor(F, noise=noise, rank=rank).fit(sets["train"].signals, sets["train"].clean)
    n_layers = min(config["n_train"], 1000)
    small = Pairs(sets["train"].signals[:n_layers], sets["train"].clean[:n_layers])
    refiner = PatchAffineRefiner(BayesRiskReconstructor(F, noise=noise, rank=rank), bounds=(0, None))
    refiner.fit(small.signals, small.clean)
    tv = tuned_tv(F, sets["validation"], noise, config, rng)
    seconds = {
        "linear": per_sample(linear.predict, y),
        "refined": per_sample(refiner.predict, y),
        "TV": per_sample(tv.predict, few, repeats=1),
        "FBP": per_sample(FilteredBackprojection(F).fit().predict, y),
    }
    rows = [
        at_least(f"throughput, linear (rank {rank}) / TV", seconds["TV"] / seconds["linear"], 100),
        at_least(f"throughput, linear (rank {rank}) / FBP", seconds["FBP"] / seconds["linear"], 1),
        at_least("throughput, refined / TV", seconds["TV"] / seconds["refined"], 10),
    ]
    ratio = astra_ratio(F, sets["calibration"].signals)
    return rows + ([] if ratio is None else [at_least("throughput, batched Radon / ASTRA CPU", ratio, 20)])


def small_sample_rows(
    F: Any, sets: dict[str, Pairs], config: dict[str, Any], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Few samples with kernel shrinkage and the symmetry of the square against the largest training set."""
    noise = GaussianNoise(relative=0.02)
    y = noise.sample(sets["calibration"].clean, rng)
    train, n = sets["train"], config["n_small"]
    large = BayesRiskReconstructor(F, noise=noise, rank="full").fit(train.signals, train.clean)
    small = BayesRiskReconstructor(F, noise=noise, rank="full", shrinkage="kernel", augment="d4")
    small.fit(train.signals[:n], train.clean[:n])
    ratio = error(small, sets["calibration"], y) / error(large, sets["calibration"], y)
    return [at_most(f"error at N = {n} / error at N = {len(train)}, ellipses", ratio, 1.05)]


def scale_rows(config: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    """One large problem: time and memory of the fit, and accuracy."""
    size, noise = config["large"], GaussianNoise(relative=0.02)
    F = Radon((size, size), n_angles=size // 4)
    train = draw_pairs("ellipses", F, config["n_large"], rng)
    test = draw_pairs("ellipses", F, 4, rng)
    y = noise.sample(test.clean, rng)
    start = time.perf_counter()
    linear = BayesRiskReconstructor(F, noise=noise, rank="full").fit(train.signals, train.clean)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ratio = error(linear, test, y) / error(Cgls(F, parameter="discrepancy", noise=noise).fit(), test, y)
    name = f"{size} x {size}, N = {config['n_large']}"
    return [
        at_most(f"{name}: seconds to fit", seconds, 60),
        at_most(f"{name}: peak memory of the whole run [GiB]", peak, 4),
        at_most(f"{name}: error / CGLS", ratio, 0.85),
    ]


def correctness_rows(
    F: Any, data: dict, config: dict[str, Any], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Exact adjoints, coverage after calibration on every family, predicted risk on a known prior."""
    side = config["size"]
    operators = {
        "Radon": F,
        "fan beam": Radon(
            (side, side), n_angles=20, geometry="fan", source_distance=3.0 * side, detector_distance=side
        ),
        "blur, reflective": Blur((side, side), sigma=1.5),
        "blur, periodic": Blur((side, side), sigma=1.5, boundary="periodic"),
        "blur, zero": Blur((side, side), sigma=1.5, boundary="zero"),
        "heat": Heat((side, side), time=2.0),
        "heat, variable": Heat((side,), time=2.0, conductivity=1 + rng.random(side)),
    }
    worst = max(dot_test(operator, rng) for operator in operators.values())
    rows = [at_most(f"dot test, worst of {len(operators)} operators", worst, 1e-14)]
    noise = GaussianNoise(relative=0.02)
    for family, sets in data.items():
        linear = BayesRiskReconstructor(F, noise=noise, rank="full").fit(
            sets["train"].signals, sets["train"].clean
        )
        y = noise.sample(sets["calibration"].clean, rng)
        half = len(y) // 2
        linear.calibrate(sets["calibration"].signals[:half], y[:half])
        found = linear.coverage(sets["calibration"].signals[half:], y[half:], levels=(0.9,))[0]["calibrated"]
        rows.append(within(f"coverage of calibrated 90 % intervals, {LABELS[family]}", found, 0.9, 0.01))
    prior = GaussianPrior.matern(F.dims, length_scale=side / 8, smoothness=1.5)
    known = BayesRiskReconstructor(F, noise=GaussianNoise(1.0), prior=prior).fit()
    x = prior.sample(400, rng).reshape(400, -1)
    y = GaussianNoise(1.0).sample(F.apply(x), rng)
    measured = float(np.mean(np.sum((known.predict(y) - x) ** 2, axis=1)))
    return rows + [
        within("measured / predicted risk, known Gaussian prior", measured / known.risk_, 1.0, 0.05)
    ]


def tuned_tv(
    F: Any, validation: Pairs, noise: GaussianNoise, config: dict[str, Any], rng: np.random.Generator
) -> Any:
    method = TotalVariation(F, parameter="validation", nonnegative=True, max_iter=config["tv_iterations"])
    return method.fit(validation.signals, noise.sample(validation.clean, rng))


def error(method: Any, pairs: Pairs, y: np.ndarray) -> float:
    """Mean relative error."""
    return float(relative_error(method.predict(y), pairs.signals).mean())


def per_sample(predict: Callable[[np.ndarray], np.ndarray], y: np.ndarray, repeats: int = 5) -> float:
    """Median seconds per sample, after one untimed sample."""
    predict(y[:1])
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        predict(y)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)) / len(y)


def astra_ratio(F: Radon, signals: np.ndarray) -> float | None:
    """ASTRA's seconds per forward projection over ours in batches; None without astra-toolbox."""
    from experiments.peers_reconstruction import have_astra

    if not have_astra():
        return None
    import astra

    volume = astra.create_vol_geom(*F.dims)
    scan = astra.create_proj_geom("parallel", F.detector_spacing, F.n_detectors, F.angles)
    projector = astra.create_projector("linear", scan, volume)

    def project(images: np.ndarray) -> np.ndarray:
        for image in images:
            key, _ = astra.create_sino(image, projector)
            astra.data2d.delete(key)
        return images

    theirs = per_sample(project, signals[:50])
    astra.projector.delete(projector)
    return theirs / per_sample(F.apply, signals)


def dot_test(operator: Any, rng: np.random.Generator) -> float:
    """|<F x, y> - <x, F^T y>| relative to |F x| |y|."""
    x, y = rng.standard_normal(operator.shape[1]), rng.standard_normal(operator.shape[0])
    image = operator @ x
    return float(abs(image @ y - x @ (operator.H @ y)) / (np.linalg.norm(image) * np.linalg.norm(y)))


def at_most(target: str, measured: float, limit: float) -> dict[str, Any]:
    return {"target": target, "wanted": f"<= {limit:g}", "measured": measured, "met": bool(measured <= limit)}


def at_least(target: str, measured: float, limit: float) -> dict[str, Any]:
    return {"target": target, "wanted": f">= {limit:g}", "measured": measured, "met": bool(measured >= limit)}


def within(target: str, measured: float, centre: float, width: float) -> dict[str, Any]:
    met = bool(abs(measured - centre) <= width)
    return {"target": target, "wanted": f"{centre:g} ± {width:g}", "measured": measured, "met": met}
