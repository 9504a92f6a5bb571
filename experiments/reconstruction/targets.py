"""The reconstructor against its targets: what was wanted, what was measured, and whether it holds.

Data come from a grid twice as fine. Total variation tunes its weight on validation images. Errors are mean
relative errors of held-out signals. Throughputs are ratios of medians of interleaved repetitions in one
process. Finished stages are kept, so that an interrupted run goes on; one that fails is a row of its own.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

import numpy as np

from experiments.reconstruction.correctness import dot_rows, known_prior_rows
from experiments.reconstruction.large_problem import fit_large
from experiments.reconstruction.speed import astra_ratio, seconds_per_sample
from experiments.reconstruction.study import LABELS, TOMOGRAPHY_OPTIONS, Pairs, draw_pairs
from experiments.shared.stages import run_stages
from experiments.shared.targets import figure, target_table
from invae.autoencoders import BayesRiskReconstructor, PatchAffineRefiner
from invae.classical import Cgls, FilteredBackprojection, TotalVariation
from invae.evaluation import relative_error
from invae.evaluation.results import Results
from invae.operators import Blur, GaussianNoise, Radon

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Targets of the reconstructor"
# "refined": family -> relative noise, layers and gates of the refiner.
QUICK = {
    "size": 32,
    "n_angles": 16,
    "n_train": 900,
    "n_layers": 300,
    "n_validation": 4,
    "n_test": 8,
    "n_calibration": 200,
    "tv_iterations": 150,
    "refined": {"ellipses": [[0.02, 2, 256]]},
    "families": ["piecewise", "gaussian", "ellipses"],
    "n_few": 100,
    "n_many": 2000,
    "large": 64,
    "n_large": 300,
    "resume": False,
}
FULL = {
    "size": 64,
    "n_angles": 30,
    "n_train": 10_000,
    "n_layers": 4000,
    "n_validation": 12,
    "n_test": 60,
    "n_calibration": 2000,
    "tv_iterations": 500,
    "refined": {
        "ellipses": [[0.02, 3, 2048], [0.1, 4, 4096], [0.005, 3, 2048]],
        "photographs": [[0.02, 2, 2048]],
    },
    "families": ["piecewise", "gaussian", "photographs", "ellipses", "grains"],
    "n_few": 100,
    "n_many": 40_000,
    "large": 256,
    "n_large": 1000,
    "resume": True,
}
NEGLIGIBLE = 1e-3  # share of its risk that the map below the layers may lose to a lower rank
LEVEL = 0.02  # relative noise, where a row does not say otherwise
SLOW = {"grains": 2000}  # families that are slow to draw are held to fewer training images

Rows = list[dict[str, Any]]


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("reconstruction_targets", TITLE, __doc__, config)
    # Quick stages first: whatever interrupts a run finds most rows done.
    stages: dict[str, Any] = {
        "dot tests": lambda own: dot_rows(config["size"], own),
        "known prior": lambda own: known_prior_rows(config["size"], config["n_angles"], own),
    }
    for name, own in zip(config["families"], rng.spawn(len(config["families"]))):
        stages |= Family(name, config, own).stages()
    stages |= {
        "limited angle": lambda own: limited_angle_rows(config, own),
        "scale": lambda own: scale_rows(config, own),
        "few samples": lambda own: few_sample_rows(config, own),
    }
    rows = run_stages(stages, config, rng, failed)
    results.tables.append(target_table("reconstruction_targets", rows))
    return results


def failed(name: str, why: str) -> dict[str, Any]:
    return figure(f"{name}: failed", None, why)


class Family:
    """One family of signals: its data and one factorisation, made when a stage first wants them."""

    def __init__(self, name: str, config: dict[str, Any], rng: np.random.Generator) -> None:
        self.name, self.config, self.rng = name, config, rng
        self.operator = operator_of(name, config)
        self.cases = config["refined"].get(name, [])

    @cached_property
    def sets(self) -> dict[str, Pairs]:
        return draw_sets(self.name, self.operator, self.config, self.rng)

    @property
    def n_linear(self) -> int:
        """Training signals of the linear map; the layers learn from the others."""
        return len(self.sets["train"]) - (self.config["n_layers"] if self.cases else 0)

    @cached_property
    def linear(self) -> BayesRiskReconstructor:
        return fit_linear(self.operator, first(self.sets["train"], self.n_linear))

    def stages(self) -> dict[str, Any]:
        """Calibration and risk, then every case."""
        stages: dict[str, Any] = {
            self.name: lambda own: calibration_rows(self.linear, self.sets["calibration"], self.name, own)
        }
        if self.name == "gaussian":
            stages["linear map"] = lambda own: linear_rows(
                self.operator, self.linear, self.sets, self.config, own
            )
        for case in self.cases:
            stages[f"{self.name} at {100 * case[0]:g} %"] = partial(self.refined, case)
        return stages

    def refined(self, case: list[Any], rng: np.random.Generator) -> Rows:
        train = self.sets["train"]
        layers = Pairs(train.signals[self.n_linear :], train.clean[self.n_linear :])
        return refined_rows(self.operator, self.linear, layers, self.sets, self.name, case, self.config, rng)


def operator_of(family: str, config: dict[str, Any]) -> Any:
    """Tomography of images, blur of signals on a line."""
    if family == "piecewise":
        return Blur(2 * config["size"], sigma=2.0)
    return Radon((config["size"],) * 2, n_angles=config["n_angles"])


def draw_sets(family: str, F: Any, config: dict[str, Any], rng: np.random.Generator) -> dict[str, Pairs]:
    held_out = {"split": "test"} if family == "photographs" else {}
    options: dict[str, Any] = TOMOGRAPHY_OPTIONS.get(family, {})
    n_train = min(config["n_train"], SLOW.get(family, config["n_train"]))
    return {
        "train": draw_pairs(family, F, n_train, rng, **options),
        "validation": draw_pairs(family, F, config["n_validation"], rng, **options),
        "test": draw_pairs(family, F, config["n_test"], rng, **options, **held_out),
        "calibration": draw_pairs(family, F, config["n_calibration"], rng, **options, **held_out),
    }


def first(pairs: Pairs, n: int) -> Pairs:
    return Pairs(pairs.signals[:n], pairs.clean[:n])


def fit_linear(F: Any, train: Pairs, level: float = LEVEL) -> BayesRiskReconstructor:
    linear = BayesRiskReconstructor(F, noise=GaussianNoise(relative=level), rank="full")
    return linear.fit(train.signals, train.clean)


def refined_rows(
    F: Any,
    linear: BayesRiskReconstructor,
    layers: Pairs,
    sets: dict[str, Pairs],
    family: str,
    case: list[Any],
    config: dict[str, Any],
    rng: np.random.Generator,
) -> Rows:
    """Patch-affine refinement against tuned total variation, error and time; at 2 % the linear map as well.

    The layers learn from images that the linear map has not seen.
    """
    level, n_stages, n_gates = case
    noise, test = GaussianNoise(relative=level), sets["test"]
    y = noise.sample(test.clean, rng).astype(np.float32)
    tv = tuned_tv(F, sets["validation"], noise, config, rng)
    below = linear.at(noise=noise, rank="full")
    curve = below.risk_curve_
    below = below.at(rank=max(1, int(np.argmax(curve <= (1 + NEGLIGIBLE) * curve[below.rank_]))))
    options = {"n_stages": n_stages, "n_clusters": n_gates, "n_folds": 2, "bounds": (0, None)}
    refiner = PatchAffineRefiner(below, prefit=True, max_images=len(layers), **options)
    refiner.fit(layers.signals, layers.clean)
    errors = {"TV": error(tv, test, y), "linear": error(below, test, y), "refined": error(refiner, test, y)}
    name = f"{LABELS[family]}, {100 * level:g} %"
    detail = ", ".join(f"{label} {value:.4f}" for label, value in errors.items())
    detail += f"; {n_stages} layers on rank {below.rank_}, sharpness {refiner.sharpness_:g}"
    detail += f", {int(np.mean(tv.n_iter_))} iterations of TV"
    rows = [figure(f"refined error / TV, {name}", errors["refined"] / errors["TV"], detail)]
    methods = {"TV": tv, "refined": refiner}
    many = noise.sample(first(sets["calibration"], 500).clean, rng).astype(np.float32)
    batches = {"TV": y, "refined": many}
    if family == "ellipses" and level == LEVEL:
        methods |= {"linear": linear.at(rank=min(500, linear.rank_)), "FBP": FilteredBackprojection(F).fit()}
        batches |= {"linear": many, "FBP": many}
    seconds = seconds_per_sample(methods, batches)
    detail = ", ".join(f"{label} {1e3 * value:.3g} ms" for label, value in seconds.items())
    rows.append(figure(f"throughput, refined / TV, {name}", seconds["TV"] / seconds["refined"], detail))
    if "linear" in seconds:
        detail += f"; rank {linear.at(rank=min(500, linear.rank_)).rank_}"
        for rival in ("TV", "FBP"):
            rows.append(
                figure(f"throughput, linear map / {rival}", seconds[rival] / seconds["linear"], detail)
            )
        projection = astra_ratio(F, sets["calibration"].signals[:500])
        if projection is not None:
            rows.append(figure("throughput, batched Radon / ASTRA CPU", projection))
    return rows


def linear_rows(
    F: Any,
    linear: BayesRiskReconstructor,
    sets: dict[str, Pairs],
    config: dict[str, Any],
    rng: np.random.Generator,
) -> Rows:
    """The linear map on smooth fields against total variation and CGLS."""
    noise, test = GaussianNoise(relative=LEVEL), sets["test"]
    y = noise.sample(test.clean, rng).astype(np.float32)
    errors = {
        "linear": error(linear, test, y),
        "TV": error(tuned_tv(F, sets["validation"], noise, config, rng), test, y),
        "CGLS": error(Cgls(F, parameter="discrepancy", noise=noise).fit(), test, y),
    }
    name, detail = LABELS["gaussian"], ", ".join(f"{label} {value:.4f}" for label, value in errors.items())
    return [
        figure(f"linear error / TV, {name}, 2 %", errors["linear"] / errors["TV"], detail),
        figure(f"linear error / CGLS, {name}, 2 %", errors["linear"] / errors["CGLS"], detail),
    ]


def limited_angle_rows(config: dict[str, Any], rng: np.random.Generator) -> Rows:
    """Views over 90 degrees only."""
    angles = np.linspace(0, np.pi / 2, config["n_angles"], endpoint=False)
    F = Radon((config["size"],) * 2, angles=angles)
    sets, noise = draw_sets("gaussian", F, config, rng), GaussianNoise(relative=LEVEL)
    y = noise.sample(sets["test"].clean, rng).astype(np.float32)
    own = error(fit_linear(F, sets["train"]), sets["test"], y)
    tv = error(tuned_tv(F, sets["validation"], noise, config, rng), sets["test"], y)
    name = f"limited angle (90 degrees), {LABELS['gaussian']}, 2 %"
    return [figure(f"linear error / TV, {name}", own / tv, f"linear {own:.4f}, TV {tv:.4f}")]


def calibration_rows(
    linear: BayesRiskReconstructor, held: Pairs, family: str, rng: np.random.Generator
) -> Rows:
    """Coverage of calibrated intervals, and the risk that the fit promised, on signals it has not seen."""
    y = GaussianNoise(relative=LEVEL).sample(held.clean, rng)
    x_hat = linear.predict(y)
    measured = float(np.mean(np.sum((x_hat - held.signals).reshape(len(y), -1) ** 2, axis=1)))
    promised, half = linear.validated_risk_, len(y) // 2  # before calibrate, which measures it anew
    linear.calibrate(held.signals[:half], y[:half])
    coverage = linear.coverage(held.signals[half:], y[half:], levels=(0.9,))[0]
    width = coverage["width_ratio"]
    detail = f"{coverage['gaussian']:.4f} before, {width:.2f} times the width after; {half} pairs"
    name = LABELS[family]
    rows = [figure(f"coverage of calibrated 90 % intervals, {name}", coverage["calibrated"], detail)]
    if (
        promised is not None and family != "photographs"
    ):  # other photographs are another distribution: nothing to promise
        label = f"measured / validated risk, learnt prior, {name}"
        rows.append(figure(label, measured / promised, f"measured {measured:.4g}"))
    return rows


def few_sample_rows(config: dict[str, Any], rng: np.random.Generator) -> Rows:
    """Few samples with kernel shrinkage and the symmetry of the square against very many."""
    F, noise = operator_of("ellipses", config), GaussianNoise(relative=LEVEL)
    few = draw_pairs("ellipses", F, config["n_few"], rng)
    held = draw_pairs("ellipses", F, 500, rng)
    y = noise.sample(held.clean, rng)
    small = BayesRiskReconstructor(F, noise=noise, rank="full", shrinkage="kernel", augment="d4")
    own = error(small.fit(few.signals, few.clean), held, y)
    train = draw_pairs("ellipses", F, config["n_many"], rng)
    large = fit_linear(F, train)
    bound = error(large, held, y)
    name = f"error learnt from few / from very many, {LABELS['ellipses']}, 2 %"
    detail = f"{own:.4f} from N = {len(few)}, {bound:.4f} from N = {len(train)}"
    return [figure(name, own / bound, detail)]


def scale_rows(config: dict[str, Any], rng: np.random.Generator) -> Rows:
    """One large problem in a process of its own: time and memory of the fit, and accuracy."""
    size, n = config["large"], config["n_large"]
    large = fit_large(size, n, LEVEL, int(rng.integers(2**31)))
    name, size_text = "large problem", f"{size} x {size}, N = {n}"
    busy = f"{size_text}; {large['processor_seconds']:.0f} s of processor time, ± {large['spread']:.1f} s"
    errors = f"linear {large['error']:.4f}, CGLS {large['cgls']:.4f}"
    return [
        figure(f"{name}: seconds to fit", large["seconds"], busy),
        figure(f"{name}: peak memory, data included [GiB]", large["peak_gib"], size_text),
        figure(f"{name}: error / CGLS", large["error"] / large["cgls"], errors),
    ]


def tuned_tv(
    F: Any, validation: Pairs, noise: GaussianNoise, config: dict[str, Any], rng: np.random.Generator
) -> Any:
    method = TotalVariation(F, parameter="validation", nonnegative=True, max_iter=config["tv_iterations"])
    return method.fit(validation.signals, noise.sample(validation.clean, rng).astype(np.float32))


def error(method: Any, pairs: Pairs, y: np.ndarray) -> float:
    """Mean relative error."""
    return float(relative_error(np.asarray(method.predict(y)), pairs.signals).mean())
