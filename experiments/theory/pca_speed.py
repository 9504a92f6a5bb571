"""Ways to principal components: a streamed Gram matrix, SVDs, incremental PCA, and a trained autoencoder.

Signals have a spectrum that falls as a power of the index, like images. All methods see the same rows. The
excess is of the expected squared reconstruction error over the optimum of that rank; the time is relative to
the streamed Gram matrix and one eigendecomposition, which is what LinearAutoencoder does. Nobody should
train a linear autoencoder to obtain PCA.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.shared.image_sets import available_sets, read_images
from experiments.shared.timing import time_call
from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.linear.directions import cosines, rayleigh_ritz
from invae.autoencoders.linear.training import train_minibatch
from invae.evaluation.results import Figure, Results, Table
from invae.linalg.factorise import symmetric_eigen
from invae.linalg.moments import Moments

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Principal components: closed form against training"
QUICK = {
    "shapes": [[2000, 400]],
    "sets": [],
    "files": [],
    "spectrum_power": 1.0,
    "n_components": 32,
    "batch_size": 64,
    "learning_rate": 1e-2,
    "n_epochs": 30,
    "stream_batch": 1000,
    "repeats": 3,
}
FULL = {
    **QUICK,
    "shapes": [[5000, 784], [20_000, 784]],
    "sets": ["mnist"],
    "n_components": 64,
    "n_epochs": 60,
    "repeats": 3,
}

Directions = tuple[np.ndarray, np.ndarray]


def run(config: dict, rng: np.random.Generator) -> Results:
    results = Results("pca_speed", TITLE, __doc__.strip().partition("\n\n")[2], config, [], [])
    cases = [(f"{N} x {m}", power_law(N, m, config["spectrum_power"], rng)) for N, m in config["shapes"]]
    sets = [read_images(path) for path in config["files"]] or available_sets(config["sets"])
    cases += [
        (f"{images.name}, {len(images.pixels)} x {images.pixels.shape[1]}", images.pixels) for images in sets
    ]
    for name, X in cases:
        table = study(name, X, config, rng)
        results.tables.append(table)
        series = [
            {"label": row["method"], "x": [row["seconds"]], "y": [max(row["relative excess"], 1e-16)]}
            for row in table.rows
        ]
        axes = {"xlabel": "seconds", "ylabel": "relative excess error", "xscale": "log", "yscale": "log"}
        results.figures.append(
            Figure("scatter", f"{name}: time and excess.", {"series": series, **axes}, name)
        )
    return results


def power_law(N: int, m: int, power: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian rows (N, m) with standard deviations i^-power along random directions, and a mean."""
    Q, _ = np.linalg.qr(rng.standard_normal((m, m)))
    scale = np.arange(1.0, m + 1) ** -power
    return (rng.standard_normal((N, m)) * scale) @ Q.T + rng.standard_normal(m)


def study(name: str, X: np.ndarray, config: dict, rng: np.random.Generator) -> Table:
    """Time of every method, and how far its k directions are from the best."""
    k = config["n_components"]
    reference = LinearAutoencoder(k).fit(X)
    mean, power = X.mean(axis=0), float(np.mean(np.sum((X - X.mean(axis=0)) ** 2, axis=1)))
    rows: list[dict] = []
    for label, method in methods(X, k, config, rng).items():
        trained = label.startswith("trained")
        timing = time_call(method, repeats=1 if trained else config["repeats"])
        directions = timing.value
        error = power - float(np.mean(np.sum(((X - mean) @ directions) ** 2, axis=1)))
        rows.append(
            {
                "method": label,
                **timing.columns(),
                "times the first": timing.median / (rows[0]["seconds"] if rows else timing.median),
                "relative excess": max(error / reference.risk_ - 1, 0.0),
                "worst abs cos": cosines(directions, reference.directions_).min(),
            }
        )
    return Table(name, f"{name}, k = {k}", rows)


def methods(
    X: np.ndarray, k: int, config: dict, rng: np.random.Generator
) -> dict[str, Callable[[], np.ndarray]]:
    """Each gives orthonormal directions (m, k)."""
    from sklearn.decomposition import PCA, IncrementalPCA

    batch = config["stream_batch"]
    seed = int(rng.integers(2**31))
    # A favour to training: centred rows in single precision, outside its time.
    centred = (X - X.mean(axis=0)).astype(np.float32)

    def streamed_gram() -> np.ndarray:
        moments = Moments.from_batches(X[i : i + batch] for i in range(0, len(X), batch))
        return symmetric_eigen(moments.covariance)[1][:, :k]

    def trained() -> np.ndarray:
        run = train_minibatch(
            centred,
            k,
            n_epochs=config["n_epochs"],
            batch_size=config["batch_size"],
            learning_rate=config["learning_rate"],
            affine=False,
            record_every=config["n_epochs"],
            rng=seed,
        )
        return rayleigh_ritz(run.decoder, signals=X)[0]

    return {
        "streamed Gram matrix": streamed_gram,
        "randomised SVD": lambda: PCA(k, svd_solver="randomized", random_state=seed).fit(X).components_.T,
        "full SVD": lambda: PCA(k, svd_solver="full").fit(X).components_.T,
        "incremental PCA": lambda: IncrementalPCA(k, batch_size=batch).fit(X).components_.T,
        f"trained, Adam, {config['n_epochs']} epochs": trained,
    }
