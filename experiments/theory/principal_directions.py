"""Principal directions from a trained linear autoencoder: SVD of the decoder, Rayleigh-Ritz, and PCA.

An autoencoder with biases is trained by Adam on minibatches, with decay s from 0 to almost the smallest kept
variance. The singular vectors of its decoder are principal directions only as far as the decay parts their
singular values, sqrt(1 - s / sigma_i^2); the Rayleigh-Ritz step on the same decoder needs no decay. "Worst
abs cos" is over the k directions, against PCA of the centred images; "uncentred" is the first singular vector
of the raw images, which is the mean image rather than a direction of variation.
"""

from __future__ import annotations

import numpy as np

from experiments.shared.image_sets import ImageSet, available_sets, read_images
from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.linear.directions import cosines, decoder_svd, rayleigh_ritz
from invae.autoencoders.linear.landscape import Landscape
from invae.autoencoders.linear.training import train_minibatch
from invae.evaluation.results import Figure, Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Principal directions from trained decoders"
QUICK = {
    "sets": ["digits"],
    "files": [],
    "n_images": 1797,
    "n_components": 9,
    "decay_over_variance": [0.0, 0.01, 0.3],
    "n_steps": 3400,
    "batch_size": 32,
    "rate_times_pixels": 3.2,
}
FULL = {
    **QUICK,
    "sets": ["digits", "mnist", "fashion-mnist", "cifar10"],
    "n_images": 5000,
    "decay_over_variance": [0.0, 0.001, 0.01, 0.1, 0.3, 0.9],
    "n_steps": 10_000,
}

# As many as the house style has colours for.
MOST_CLASSES = 7


def run(config: dict, rng: np.random.Generator) -> Results:
    results = Results("principal_directions", TITLE, __doc__.strip().partition("\n\n")[2], config, [], [])
    sets = [read_images(path) for path in config["files"]] or available_sets(config["sets"])
    for images in sets:
        study(results, images.subset(config["n_images"], rng), config, rng)
    return results


def study(results: Results, images: ImageSet, config: dict, rng: np.random.Generator) -> None:
    """One image set: a table over the decays, the directions as images, the first two codes as a map."""
    X, k = images.pixels, config["n_components"]
    pca = LinearAutoencoder(k).fit(X)
    gamma = np.cov(X.T, bias=True)
    uncentred = np.linalg.svd(X, full_matrices=False)[2][:k].T
    n_epochs = max(1, round(config["n_steps"] * config["batch_size"] / len(X)))
    rows, decoders = [], {}
    for fraction in config["decay_over_variance"]:
        J = Landscape(gamma, k, decay=fraction * pca.variances_[k - 1])
        trained = train_minibatch(
            X,
            k,
            decay=J.decay,
            n_epochs=n_epochs,
            batch_size=config["batch_size"],
            learning_rate=config["rate_times_pixels"] / X.shape[1],
            landscape=J,
            record_every=n_epochs,
            rng=rng,
        )
        decoders[fraction] = trained.decoder
        svd, ritz = decoder_svd(trained.decoder)[0], rayleigh_ritz(trained.decoder, gamma)[0]
        rows.append(
            {
                "decay / sigma_k^2": fraction,
                "SVD(W2), worst abs cos": cosines(svd, pca.directions_).min(),
                "Rayleigh-Ritz, worst abs cos": cosines(ritz, pca.directions_).min(),
                "uncentred, first abs cos": cosines(uncentred, pca.directions_)[0],
                "relative excess loss": trained.trajectory.loss[-1] / J.minimum - 1,
                "seconds": trained.trajectory.seconds[-1],
            }
        )
    caption = f"{images.name}: {len(X)} images, k = {k}, Adam, {n_epochs} epochs"
    results.tables.append(Table(images.name, caption, rows))
    first = config["decay_over_variance"][0]
    results.figures.append(direction_figure(images, pca, decoders[first], gamma, first))
    if images.labels is not None:
        results.figures.append(embedding_figure(images, pca, decoders[first], gamma))


def ways(pca: LinearAutoencoder, decoder: np.ndarray, gamma: np.ndarray) -> dict[str, np.ndarray]:
    """Directions (m, q) by each way, turned towards PCA's, since signs mean nothing."""
    ways_to = {
        "PCA": pca.directions_,
        "Rayleigh-Ritz": rayleigh_ritz(decoder, gamma)[0],
        "SVD(W2)": decoder_svd(decoder)[0],
    }
    return {
        label: U * np.where(np.sum(U * pca.directions_[:, : U.shape[1]], axis=0) < 0, -1.0, 1.0)
        for label, U in ways_to.items()
    }


def direction_figure(
    images: ImageSet, pca: LinearAutoencoder, decoder: np.ndarray, gamma: np.ndarray, fraction: float
) -> Figure:
    """k directions as images, one row per way to find them, abs cos to PCA below each."""
    rows = [
        {
            "label": label,
            "images": [direction.reshape(images.shape) for direction in U.T],
            "notes": [f"{c:.3f}" for c in cosines(U, pca.directions_)],
            "symmetric": True,
        }
        for label, U in ways(pca, decoder, gamma).items()
    ]
    caption = f"{images.name}, decay {fraction:g} sigma_k^2: directions, and their abs cos to PCA's."
    return Figure("images", caption, {"rows": rows, "size": 1.0}, f"directions of {images.name}")


def embedding_figure(
    images: ImageSet, pca: LinearAutoencoder, decoder: np.ndarray, gamma: np.ndarray
) -> Figure:
    """Images in the plane of the first two directions, by class."""
    panels = []
    for title, U in ways(pca, decoder, gamma).items():
        codes = (images.pixels - pca.mean_) @ U[:, :2]
        series = []
        for label in np.unique(np.asarray(images.labels))[:MOST_CLASSES]:
            mine = codes[images.labels == label][:60]
            series.append({"label": str(label), "x": mine[:, 0], "y": mine[:, 1], "style": "markers"})
        panels.append({"title": title, "series": series, "xlabel": "first code", "ylabel": "second code"})
    caption = f"{images.name} in two dimensions, up to 60 images of each of the first {MOST_CLASSES} classes."
    return Figure("lines", caption, {"panels": panels, "columns": 3}, f"embedding of {images.name}")
