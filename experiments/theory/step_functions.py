"""Autoencoders for step functions: handcrafted, for random codes, and trained.

The n + 1 steps of length n have an exact linear encoder to a scalar code, and exact decoders with one
hidden layer of the minimal width n, for any increasing codes. Training the same decoder stalls. Of random
thresholds the share whose hidden layer is able to fit falls as 0.63^n; from most random starts RMSProp
ends where that layer is singular, and even from thresholds that can fit it stops at the noise of its
fixed step. Thresholds that interlace with the codes and one linear solve for the output layer are exact
at once, and need no training.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from experiments.shared.timing import Timing, time_call
from invae.autoencoders.steps.decoders import (
    ReluDecoder,
    encode_steps,
    exact_step_decoder,
    interpolating_decoder,
    sigmoid_step_decoder,
    step_signals,
)
from invae.autoencoders.steps.solutions import unisolvence_probability
from invae.autoencoders.steps.training import (
    interlaced_decoder,
    random_thresholds,
    train_rmsprop,
    variable_projection,
)
from invae.evaluation.results import Figure, Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Exact autoencoders for step functions"
QUICK = {
    "sizes": [5, 10, 50, 100, 500],
    "tolerance": 1e-5,
    "shown": 10,
    "n_epochs": 20_000,
    "learning_rate": 1e-3,
    "starts": 3,
    "draws": 20_000,
}
FULL = {**QUICK, "n_epochs": 500_000, "starts": 5, "draws": 200_000}


def run(config: dict, rng: np.random.Generator) -> Results:
    results = Results("step_functions", TITLE, __doc__.strip().partition("\n\n")[2], config, [], [])
    results.tables.append(exactness_table(config, rng))
    results.figures.append(handcrafted_figure(config, rng))
    table, curves = training_study(config, rng)
    results.tables.append(table)
    results.figures += curves
    results.figures.append(chance_figure(config, rng))
    return results


def exactness_table(config: dict, rng: np.random.Generator) -> Table:
    """Errors of the handcrafted decoders over the length n."""
    rows = []
    for n in config["sizes"]:
        x = step_signals(n)
        z = encode_steps(x)
        random_codes = np.sort(rng.uniform(size=n + 1))
        data, data_codes = rng.standard_normal((n, 256)), rng.standard_normal(n)
        sigmoid = sigmoid_step_decoder(n, config["tolerance"])
        rows.append(
            {
                "n": n,
                "sigmoid, mean squared error": np.mean((sigmoid(z) - x) ** 2),
                "its bound": sigmoid.error_bound,
                "ReLU, integer codes, largest error": np.abs(exact_step_decoder(z)(z) - x).max(),
                "random codes": np.abs(exact_step_decoder(random_codes)(random_codes) - x).max(),
                "any data, 256 values": np.abs(
                    interpolating_decoder(data_codes, data)(data_codes) - data
                ).max(),
            }
        )
    return Table("exactness", "Handcrafted decoders", rows)


def handcrafted_figure(config: dict, rng: np.random.Generator) -> Figure:
    """What each decoder gives between the codes: columns of an image are values of z."""
    n = config["shown"]
    codes = np.arange(1.0, n + 2)
    random_codes = np.sort(rng.uniform(1, n + 1, n + 1))
    z = np.linspace(0.5, n + 1.5, 4 * n)
    pictures = [
        sigmoid_step_decoder(n, config["tolerance"])(z),
        exact_step_decoder(codes)(z),
        interlaced_decoder(codes, step_signals(n), 0.75)(z),
        exact_step_decoder(random_codes)(z),
    ]
    titles = ["sigmoid", "ReLU, integer codes", "ReLU, interlaced", "ReLU, random codes"]
    clipped = [np.clip(picture.T, -0.5, 1.5) for picture in pictures]
    data = {
        "rows": [{"images": clipped, "vmin": -0.5, "vmax": 1.5, "bar": "x"}],
        "titles": titles,
        "size": 2.4,
    }
    return Figure(
        "images", f"Decoded signals of length {n} (down) as the code moves (across).", data, "decoders"
    )


def training_study(config: dict, rng: np.random.Generator) -> tuple[Table, list[Figure]]:
    """Loss of trained decoders from random and from interlaced thresholds."""
    n = config["shown"]
    codes, x = np.arange(1.0, n + 2), step_signals(n)
    interlaced = codes[:-1] + 0.5
    starts = [random_thresholds(codes, n, rng) for _ in range(config["starts"])]
    rows, series, pictures = [], [], []
    solved = time_call(lambda: interlaced_decoder(codes, x))
    exact = solved.value
    loss = np.mean((exact(codes) - x) ** 2)
    rows.append(training_row("interlaced thresholds, one solve", exact, loss, 0, solved))
    cases = [(f"random start {i + 1}", t) for i, t in enumerate(starts)] + [("interlaced start", interlaced)]
    for color, (label, thresholds) in enumerate(cases):
        timing = timed_training(codes, x, thresholds, config, rng)
        trained = timing.value
        rows.append(
            training_row(f"RMSProp, {label}", trained.decoder, trained.losses[-1], config["n_epochs"], timing)
        )
        series.append({"label": label, "x": trained.epochs[1:], "y": trained.losses[1:], "color": color})
        pictures.append(trained.decoder(np.linspace(0.5, n + 1.5, 4 * n)))
        timing = time_call(partial(variable_projection, codes, x, thresholds))
        projected, steps = timing.value, len(timing.value.losses) - 1
        label = f"variable projection, {label}"
        rows.append(training_row(label, projected.decoder, projected.losses[-1], steps, timing))
    axes = {"xlabel": "epoch", "ylabel": "mean squared error", "yscale": "log"}
    curves = Figure("lines", f"RMSProp at n = {n}.", {"series": series, **axes}, "training")
    clipped = [np.clip(picture.T, -0.5, 1.5) for picture in pictures]
    row = {"images": clipped, "vmin": -0.5, "vmax": 1.5, "bar": "x"}
    shown = {"rows": [row], "titles": [label for label, _ in cases], "size": 2.4}
    caption = "Decoders trained by RMSProp: signals (down) as the code moves (across)."
    return Table("training", f"Trained decoders, n = {n}", rows), [
        curves,
        Figure("images", caption, shown, "trained"),
    ]


def timed_training(
    codes: np.ndarray, x: np.ndarray, thresholds: np.ndarray, config: dict, rng: np.random.Generator
) -> Timing:
    """RMSProp once, after two epochs that do not count: it is long, and its draws are not repeated."""
    keywords = {"learning_rate": config["learning_rate"], "record_every": max(1, config["n_epochs"] // 200)}
    start = thresholds.tolist()
    return time_call(
        lambda: train_rmsprop(codes, x, start, config["n_epochs"], **keywords, rng=rng),
        repeats=1,
        warm_up=lambda: train_rmsprop(codes, x, start, 2, rng=np.random.default_rng(0)),
    )


def training_row(label: str, decoder: ReluDecoder, error: float, epochs: int, timing: Timing) -> dict:
    """One row; the condition is that of the hidden layer at the codes of the n steps that are not zero."""
    n = len(decoder.offset)
    condition = float(np.linalg.cond(decoder.activations(np.arange(1.0, n + 1))))
    return {
        "decoder": label,
        "mean squared error": float(error),
        "condition of the hidden layer": condition,
        "epochs": epochs,
        **timing.columns(),
    }


def chance_figure(config: dict, rng: np.random.Generator) -> Figure:
    """Share of random thresholds for which the output layer can be solved, measured and in closed form."""
    sizes = np.arange(1, 21)
    shares = []
    for n in sizes:
        t = np.sort(rng.uniform(1, n + 1, (config["draws"], n)), axis=1)
        z = np.arange(1, n + 1)
        shares.append(np.mean(np.all(t > z, axis=1) & np.all(t[:, :-2] < z[2:], axis=1)))
    measured = np.where(np.array(shares) > 0, shares, np.nan)
    series = [
        {"label": "closed form", "x": sizes, "y": [unisolvence_probability(int(n)) for n in sizes]},
        {"label": "drawn", "x": sizes, "y": measured, "style": "markers"},
    ]
    data = {"series": series, "xlabel": "n", "ylabel": "share that can fit", "yscale": "log"}
    return Figure("lines", "Random thresholds whose hidden layer can fit the steps.", data, "chance")
