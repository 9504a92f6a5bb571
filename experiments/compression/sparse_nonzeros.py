"""How many codes each dictionary needs at equal relative L2 error: whole atoms against moved kernels.

All by orthogonal matching pursuit until ||x' - x|| <= X ||x - mean(x)||, for every curve and frame. Frames
are coded in patches, all patches of a frame to one error, or as a whole by kernels that lie anywhere. A code
of a larger dictionary takes more bits to name: where the L2 mode's own coder can take a dictionary, its bytes
stand beside the counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from invae.autoencoders import ConvolutionalSparseAutoencoder, SparseAutoencoder
from invae.autoencoders.sparse.coding import orthogonal_matching_pursuit
from invae.autoencoders.sparse.kernel_coding import convolutional_pursuit
from invae.autoencoders.sparse.kernel_dictionary import KernelDictionary
from invae.codec.l2.bases import CURVE_ATOMS, analytic_atoms
from invae.codec.l2.codes import L2Model, analytic_model, encode_l2
from invae.evaluation.results import Table

__all__ = ["FRAME_ATOMS", "PATCH", "nonzero_table", "patches"]

PATCH = 16
FRAME_ATOMS = ("dct16", "impulse")
LEAST_NORM = 0.3  # of a kernel cut at the edge, to be an atom of the L2 mode
N_TREND = 12  # polynomials (curves) taken off before kernels are learned
SIDE_TREND = 6  # cosines on either axis, the same for frames
OF_USAGE = 300  # curves that say how often an atom is used


def nonzero_table(
    curves: tuple[np.ndarray, np.ndarray], frames: tuple[np.ndarray, np.ndarray], config: dict[str, Any]
) -> Table:
    """``curves`` and ``frames`` are pairs: held out, training."""
    held = frames[0][: config["n_nonzero_frames"]]
    some = curves[0][: config["n_nonzero_curves"]]
    rows = curve_rows(some, curves[1], config) + frame_rows(held, frames[1], config)
    caption = (
        f"Mean number of codes of {len(some)} held-out curves and {len(held)} frames at a relative L2 "
        "error X, and bytes per curve where the L2 mode can code the dictionary (its model not counted). "
        "Trends: the analytic smooth atoms of curves, chosen by the pursuit like any other; "
        f"{SIDE_TREND**2} cosines of frames, always counted."
    )
    return Table("nonzeros", caption, rows)


def curve_rows(test: np.ndarray, train: np.ndarray, config: dict[str, Any]) -> list[dict[str, Any]]:
    n = test.shape[1]
    mean = train.mean(axis=0)
    own = test - test.mean(axis=1, keepdims=True)
    spread = np.linalg.norm(own, axis=1)
    centred = train - train.mean(axis=1, keepdims=True)
    directions = np.linalg.svd(train - mean, full_matrices=False)[2].T
    atoms = _atoms(train, 30, 0.02, config).decoder_
    kernels = _kernels(train - mean, 0.01, config["kernel_size"], config).decoder_
    smooth = analytic_atoms(n, ("smooth",))
    trend = np.linalg.qr(smooth[:, :N_TREND])[0]
    detailed = _kernels(centred - centred @ trend @ trend.T, 0.1, config["kernel_size"], config).decoder_
    moved = KernelDictionary(kernels, (n,))
    model = shifted_model(detailed, smooth, centred)
    analytic = analytic_model(n)

    def pursued(rows: np.ndarray, D: np.ndarray) -> Any:
        return lambda X: (orthogonal_matching_pursuit(rows, D, None, X * spread) != 0).sum(axis=1)

    def moving(X: float) -> np.ndarray:
        return (convolutional_pursuit(test - mean, moved, n, X * spread) != 0).sum(axis=(1, 2))

    counts = {
        "principal directions": (directions.shape[1], pursued(test - mean, directions), None),
        "sparse autoencoder": (atoms.shape[1], pursued(test - mean, atoms), None),
        "convolutional autoencoder": (moved.n_codes, moving, None),
        "analytic atoms": (
            analytic.atoms.shape[1],
            pursued(own, analytic_atoms(n, CURVE_ATOMS)),
            analytic,
        ),
        "smooth atoms + convolutional": (model.atoms.shape[1], pursued(own, model.dictionary), model),
    }
    rows = []
    for name, (size, count, coder) in counts.items():
        row: dict[str, Any] = {"dictionary": f"curves: {name}", "atoms": size}
        for X in config["nonzero_tolerances"]:
            row[f"codes at {X:.0%}"] = float(np.mean(count(X)))
        for X in config["nonzero_tolerances"]:
            row[f"bytes at {X:.0%}"] = len(encode_l2(test, X, coder)) / len(test) if coder else None
        rows.append(row)
    return rows


def shifted_model(kernels: np.ndarray, smooth: np.ndarray, rows: np.ndarray) -> L2Model:
    """The smooth atoms and every shift of the kernels as a dictionary of the L2 mode.

    How often atoms are used is learned from ``rows``, for all shifts of a kernel together.
    """
    D = KernelDictionary(kernels, (len(smooth),))
    places = [place for place in np.ndindex(len(kernels), *D.grid) if D.norms[place] > LEAST_NORM]
    atoms = np.array([D.atom(k, (g,)) / D.norms[k, g] for k, g in places]).T
    dictionary = np.hstack([smooth, atoms])
    rows = rows[:OF_USAGE]
    codes = orthogonal_matching_pursuit(rows, dictionary, None, 0.02 * np.linalg.norm(rows, axis=1))
    usage = (codes != 0).mean(axis=0)
    owner = np.concatenate([np.full(smooth.shape[1], -1), [k for k, _ in places]])
    for k in range(len(kernels)):
        usage[owner == k] = usage[owner == k].mean()
    return L2Model.from_dictionary(dictionary, np.maximum(usage, 5e-4))


def frame_rows(test: np.ndarray, train: np.ndarray, config: dict[str, Any]) -> list[dict[str, Any]]:
    test, train = (part - part.mean(axis=(1, 2), keepdims=True) for part in (test, train))
    spread = np.linalg.norm(test.reshape(len(test), -1), axis=1)
    tiles = patches(train)
    mean = tiles.mean(axis=0)
    directions = np.linalg.svd(tiles - mean, full_matrices=False)[2].T
    learned = _atoms(tiles, 20, 0.03, config)
    trend = _low_cosines(test.shape[1:])
    details = _kernels(_detail(train, trend), 0.1, config["frame_kernel"], config).decoder_
    moved = KernelDictionary(details, test.shape[1:])
    analytic = analytic_atoms(PATCH**2, FRAME_ATOMS)

    def moving(X: float) -> np.ndarray:
        codes = convolutional_pursuit(_detail(test, trend), moved, test[0].size, X * spread)
        return (codes != 0).sum(axis=(1, 2, 3)) + len(trend)

    counts: dict[str, tuple[int, Callable[[float], Any]]] = {
        "principal directions of patches": (
            directions.shape[1],
            lambda X: patch_counts(test, directions, mean, X),
        ),
        "sparse autoencoder of patches": (
            learned.decoder_.shape[1],
            lambda X: patch_counts(test, learned.decoder_, learned.mean_, X),
        ),
        "analytic atoms of patches": (
            analytic.shape[1],
            lambda X: patch_counts(test, analytic, 0 * mean, X),
        ),
        "low cosines + convolutional": (moved.n_codes + len(trend), moving),
    }
    return [
        {"dictionary": f"frames: {name}", "atoms": size}
        | {f"codes at {X:.0%}": float(np.mean(count(X))) for X in config["frame_nonzero_tolerances"]}
        for name, (size, count) in counts.items()
    ]


def patch_counts(frames: np.ndarray, D: np.ndarray, mean: np.ndarray, X: float) -> list[int]:
    """Codes of each frame, all its patches coded to the largest common error that meets X."""
    counts = []
    for frame in frames:
        rows = patches(frame[None]) - mean
        budget = X * float(np.linalg.norm(frame))
        low, high, best = 0.0, budget, rows.size
        for _ in range(12):
            middle = (low + high) / 2
            codes = orthogonal_matching_pursuit(rows, D, None, middle)
            if np.linalg.norm(rows - codes @ D.T) <= budget:
                low, best = middle, int((codes != 0).sum())
            else:
                high = middle
        counts.append(best)
    return counts


def patches(frames: np.ndarray) -> np.ndarray:
    """Frames (N, r, c) as rows of patches, (N r c / 256, 256), frame after frame."""
    N, r, c = frames.shape
    tiles = frames.reshape(N, r // PATCH, PATCH, c // PATCH, PATCH).swapaxes(2, 3)
    return tiles.reshape(-1, PATCH * PATCH)


def _atoms(rows: np.ndarray, k: int, tolerance: float, config: dict[str, Any]) -> SparseAutoencoder:
    """Twice as many atoms as values, learned by pursuit: fewer codes than learned by the lasso (measured)."""
    return SparseAutoencoder(
        2 * rows.shape[1],
        encoder="omp",
        n_nonzero=k,
        tolerance=tolerance,
        n_epochs=config["n_epochs"],
        rng=0,
    ).fit(rows)


def _kernels(
    signals: np.ndarray, penalty: float, size: int, config: dict[str, Any]
) -> ConvolutionalSparseAutoencoder:
    return ConvolutionalSparseAutoencoder(
        config["n_kernels"],
        size,
        penalty,
        n_epochs=config["n_epochs"],
        batch_size=64 if signals.ndim == 2 else 16,
        center=False,
        rng=0,
    ).fit(signals)


def _low_cosines(shape: tuple[int, ...]) -> np.ndarray:
    """Orthonormal products of the lowest cosines, (SIDE_TREND^2, r c)."""
    axes = []
    for n in shape:
        waves = np.cos(math.pi / n * np.outer(np.arange(SIDE_TREND), np.arange(n) + 0.5))
        axes.append(waves / np.linalg.norm(waves, axis=1)[:, None])
    return np.kron(*axes)


def _detail(frames: np.ndarray, trend: np.ndarray) -> np.ndarray:
    rows = frames.reshape(len(frames), -1)
    return (rows - (rows @ trend.T) @ trend).reshape(frames.shape)
