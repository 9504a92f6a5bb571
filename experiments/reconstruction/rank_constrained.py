"""The closed form of each rank against a linear autoencoder of that rank, trained, on blurred images.

The set-up of arXiv 2508.05831: 28 x 28 images, a 5 x 5 Gaussian kernel of sigma 1.5, 5 % noise, ranks 25 to
775. Both see the same training images; the errors are of images that neither has seen. The closed forms of
all ranks come from one factorisation; every trained map has its own budget of seconds. A set with fewer
images than are asked for is split three to one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.shared.image_sets import available_sets
from experiments.shared.timing import time_call
from invae.autoencoders import BayesRiskReconstructor
from invae.autoencoders.networks import TrainedLinearAutoencoder
from invae.data.simulation.phantoms import photograph_patches
from invae.evaluation.results import Figure, Results, Table
from invae.operators import Blur, GaussianNoise

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Rank-constrained deblurring: closed form or training"
QUICK = {
    "sets": ["photographs"],
    "ranks": [25, 225, 775],
    "trained_ranks": [25, 225, 775],
    "n_train": 2000,
    "n_test": 400,
    "epochs": 200,
    "seconds": 4.0,
}
FULL = {
    "sets": ["photographs", "mnist", "fashion-mnist"],
    "ranks": [25, 75, 125, 225, 325, 475, 625, 775],
    "n_train": 10_000,
    "n_test": 2000,
    "trained_ranks": [25, 125, 325, 775],
    "epochs": 2000,
    "seconds": 25.0,
}
SIZE = 28
NOISE = GaussianNoise(relative=0.05)


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("rank_constrained", TITLE, __doc__, config)
    offset = np.arange(5) - 2
    line = np.exp(-0.5 * (offset / 1.5) ** 2)
    F = Blur((SIZE, SIZE), kernel=np.outer(line, line) / line.sum() ** 2)
    for name in config["sets"]:
        pairs = images(name, config["n_train"], config["n_test"], rng)
        if pairs is not None:
            study(results, name, F, *pairs, config, rng)
    return results


def images(
    name: str, n_train: int, n_test: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """Training and test rows; None where this machine does not have the set."""
    if name == "photographs":
        train = photograph_patches(n_train, (SIZE, SIZE), rng)
        test = photograph_patches(n_test, (SIZE, SIZE), rng, split="test")
        return train.reshape(n_train, -1), test.reshape(n_test, -1)
    for images in available_sets([name]):
        if images.shape == (SIZE, SIZE):
            rows = images.subset(n_train + n_test, rng).pixels
            rows = rows[rng.permutation(len(rows))]
            n_test = min(n_test, len(rows) // 4)
            return rows[n_test:], rows[:n_test]
    return None


def study(
    results: Results,
    name: str,
    F: Blur,
    train: np.ndarray,
    test: np.ndarray,
    config: dict[str, Any],
    rng: np.random.Generator,
) -> None:
    """One set: a table of errors by rank, and their curves."""
    clean, y_test = F.apply(train), NOISE.sample(F.apply(test), rng)
    y_train = NOISE.sample(clean, rng)
    timing = time_call(lambda: BayesRiskReconstructor(F, noise=NOISE, rank="full").fit(train))
    full, took = timing.value, f"{timing.median:.2g} ± {timing.spread:.1g} s"
    power = np.sum(train**2, axis=1).mean()
    rows = []
    for rank in config["ranks"]:
        closed = full.at(rank=min(rank, full.rank_))
        row = {
            "rank": rank,
            "closed form": error(np.asarray(closed.predict(y_test)), test),
            "by the model": float(np.sqrt(closed.risk_ / power)),
            "validated": float(np.sqrt(closed.validated_risk_ / power)),
        }
        if rank in config["trained_ranks"]:
            trained = TrainedLinearAutoencoder(
                rank,
                epochs=config["epochs"],
                batch_size=256,
                max_seconds=config["seconds"],
                learning_rate=3e-3,
                rng=rng,
            ).fit(train, y_train)
            row["trained"] = error(trained.predict(y_test), test)
            row["trained / closed"] = row["trained"] / row["closed form"]
            row["trained, s"] = trained.seconds_
            row["epochs"] = len(trained.history_) - 1
        rows.append(row)
    caption = (
        f"{name}: {len(train)} training and {len(test)} test images; root of mean squared error over mean "
        "power on the test images; the same from the model's risk and from training images left out in turn "
        f"(both over the power of the training images). The closed forms of all ranks took {took}."
    )
    results.tables.append(Table(name, caption, rows, best={"closed form": "min", "trained": "min"}))
    series = [
        {
            "x": np.array([row["rank"] for row in rows if key in row]),
            "y": np.array([row[key] for row in rows if key in row]),
            "label": key,
            "style": "both",
        }
        for key in ("closed form", "trained")
    ]
    data = {"series": series, "xlabel": "rank", "ylabel": "error"}
    results.figures.append(Figure("lines", f"{name}: test error by rank.", data))


def error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Root of the mean squared error over the mean power."""
    return float(np.sqrt(np.sum((estimate - truth) ** 2) / np.sum(truth**2)))
