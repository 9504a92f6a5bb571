"""Would a sparse autoencoder's prediction help the bounded mode on curves? What it adds to the network.

A dictionary is learned on windows of 39 past grid integers (relative to the last one, newest weigh most) and
the one that follows. To predict, the past alone is coded by a few atoms; the codes then give a correction of
the coder's own prediction, fitted by least absolute deviation. Two inputs, its distance to the centre and the
size of its recent errors, join the 92 of a network without memory (the package's fast one),
which is trained twice from the same start on the same batches: with and without them. The coder's statement
is nearly the network's, so the fall of the network's cost is what a file could gain. Dictionary and codes are
real numbers here: an integer form that decodes fast and fits in the model would do worse.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from invae.autoencoders import SparseAutoencoder
from invae.autoencoders.sparse.coding import orthogonal_matching_pursuit
from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.network import OUT_SHIFT, SHIFTS
from invae.codec.coding.tables import mixing_tables
from invae.codec.curves import memory
from invae.codec.curves.model import RATES, CurveModel, fast_curve_model
from invae.codec.learning.curves import DEFAULT_BOUNDS, HELD_OUT, draw_planes
from invae.codec.learning.network import count_decisions, start_weights, train_network
from invae.data.simulation.curves import default_q, simulate_curves
from invae.data.simulation.sasmodels_bridge import FAST_MODELS
from invae.evaluation.results import Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "A sparse autoencoder as expert of the bounded mode"
QUICK = {
    "n_train": 150,
    "n_validation": 60,
    "bounds": [1e-1, 1e-2, 1e-3],
    "validation_seed": 9013,
    "dictionaries": [[64, 2]],
    "starts": ["fast model"],
    "n_steps": 200,
}
FULL = {
    **QUICK,
    "n_train": 2000,
    "n_validation": 300,
    "dictionaries": [[64, 2], [256, 3]],
    "starts": ["fast model", "random"],
    "n_steps": 5_000,
}
PAST = 39
FADING = 8.0  # values after which a past value weighs 1 / e
RATE = {"fast model": 1e-3, "random": 4e-3}
MOST_WINDOWS, MOST_FIT = 40_000, 100_000
N_SEEN, HIDDEN = memory.N_SEEN[0], memory.HIDDEN[0]
PHASE = N_SEEN - 8  # place of it in what the network sees

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """What the coder had before each value but a row's first; (N, n - 1, ...), in grid steps."""

    seen: np.ndarray  # by the network, flat
    counts: np.ndarray  # answers of decisions, flat
    past: np.ndarray  # past values relative to the last, newest first; (N, n - 1, PAST)
    truth: np.ndarray  # step to the next value
    centre: np.ndarray
    sign: np.ndarray  # of the mirror
    z: np.ndarray  # log2 of the size of a cell
    base: np.ndarray  # the coder's own prediction, real


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    seed = int(rng.integers(2**31))
    models = [name for name in FAST_MODELS if name not in HELD_OUT]
    training = [watch(p) for p in draw_planes(_logs(config["n_train"], models, seed), DEFAULT_BOUNDS, rng)]
    rows = np.stack(_logs(config["n_validation"], models, config["validation_seed"]))
    planes = {bound: np.rint(rows / (2 * bound)).astype(np.int64) for bound in config["bounds"]}
    validation = {bound: watch(plane) for bound, plane in planes.items()}
    coded = {bound: _bits(plane) for bound, plane in planes.items()}
    inputs = {"none": (_seen(training), {bound: part.seen for bound, part in validation.items()})}
    errors = {"none": {bound: _mean_error(part, part.base) for bound, part in validation.items()}}
    for l, k in config["dictionaries"]:
        name = f"{l} atoms, {k} used"
        predict = learn_expert(training, l, k, rng)
        log.info("dictionary of %s", name)
        features = np.concatenate([look(part, predict(part)) for part in training])
        foreseen = {bound: predict(part) for bound, part in validation.items()}
        errors[name] = {bound: _mean_error(validation[bound], p) for bound, p in foreseen.items()}
        inputs[name] = (
            np.hstack([_seen(training), features]),
            {
                bound: np.hstack([part.seen, look(part, foreseen[bound])])
                for bound, part in validation.items()
            },
        )
    counts = np.concatenate([part.counts for part in training])
    table = []
    for start in config["starts"]:
        plain: dict[float, float] = {}
        for name, (seen, held) in inputs.items():
            weights = _start(start, seen.shape[1])
            batches = np.random.default_rng(seed)
            weights = train_network(seen, counts, weights, config["n_steps"], batches, rate=RATE[start])
            for bound in config["bounds"]:
                bits = cost(weights, held[bound], validation[bound].counts)
                plain.setdefault(bound, bits)
                table.append(
                    {
                        "expert": name,
                        "start": start,
                        "bound": bound,
                        "mean |error|, steps": errors[name][bound],
                        "network, bits": bits,
                        "gain, % of the file": 100 * (plain[bound] - bits) / coded[bound],
                    }
                )
            log.info("network from a %s start with %s", start, name)
    caption = (
        f"{config['n_validation']} curves of 256 points (seed {config['validation_seed']}), mean |error| of "
        "the coder's own prediction or of the corrected one, cost of the network after "
        f"{config['n_steps']} steps on {len(counts)} values. Bits of a value as coded now: "
        + ", ".join(f"{bits:.3f} at {bound:g}" for bound, bits in coded.items())
        + "."
    )
    return Results(
        "sparse_expert", TITLE, __doc__, config, [Table("experts", caption, table, group="bound")], []
    )


def _bits(plane: np.ndarray) -> float:
    """Bits a value of the fast model."""
    blob = fast_curve_model().encode(plane)
    if blob is None:
        raise RuntimeError(f"the fast model does not take this plane of shape {plane.shape}")
    return 8 * len(blob) / plane.size


def watch(plane: np.ndarray) -> Watched:
    """Code a plane and undo the mirror of what the network saw."""
    model = CurveModel.from_bytes(fast_curve_model().to_bytes())
    seen, met = model.watch(plane, tuple(RATES))
    n = plane.shape[1] - 1
    padded = np.hstack([np.repeat(plane[:, :1], PAST + 1, axis=1), plane])
    past = np.stack([padded[:, PAST + 1 + np.arange(n) - k] for k in range(PAST + 1)], axis=-1)
    past = past - past[..., :1]
    z, r, sign = met[..., 1], met[..., 0], np.sign(seen[..., -1]).astype(np.int64)
    truth = plane[:, 1:] - plane[:, :-1]
    centre = truth - r * sign
    base = centre + sign * seen[..., PHASE] / 128.0
    flat, counts = seen[..., :-1].reshape(-1, N_SEEN), count_decisions(met.reshape(-1, 2))
    return Watched(flat, counts, past[..., 1:], truth, centre, sign, z, base)


def learn_expert(training: list[Watched], n_atoms: int, k: int, rng: np.random.Generator) -> Any:
    """Dictionary of windows and what follows; returns the corrected prediction of a `Watched`, (N, n - 1)."""
    X = np.concatenate([_windows(part) for part in training])
    following = np.concatenate([part.truth.ravel() for part in training])
    missed = following - np.concatenate([part.base.ravel() for part in training])
    size = np.linalg.norm(X, axis=1)
    pick = rng.permutation(np.flatnonzero(size > 2))[:MOST_WINDOWS]
    W = np.c_[X[pick], following[pick]] / size[pick, None]
    ae = SparseAutoencoder(
        n_atoms, encoder="omp", n_nonzero=k, tolerance=0.0, center=False, n_epochs=10, batch_size=4096, rng=0
    ).fit(W[np.abs(W[:, -1]) < 2])
    atoms = ae.decoder_[:PAST] / np.linalg.norm(ae.decoder_[:PAST], axis=0)
    pick = rng.permutation(len(X))[:MOST_FIT]
    taps = _least_absolute(orthogonal_matching_pursuit(X[pick], atoms, k), missed[pick])

    def predict(part: Watched) -> np.ndarray:
        pieces = np.array_split(_windows(part), max(1, part.truth.size // 100_000))
        codes = (orthogonal_matching_pursuit(piece, atoms, k) @ taps for piece in pieces)
        return part.base + np.concatenate(list(codes)).reshape(part.base.shape)

    return predict


def look(part: Watched, prediction: np.ndarray) -> np.ndarray:
    """Both inputs for the network, as `memory.observe` forms them of other experts; int8."""
    p = np.rint(256 * np.clip(prediction, -(2**22), 2**22)).astype(np.int64)
    seen = np.empty((*p.shape, 2), np.int8)
    _look(p, part.truth, part.centre, part.sign, part.z, mixing_tables()[2], seen)
    return seen.reshape(-1, 2)


@njit(cache=True)
def _look(p, truth, centre, sign, z, inverse, seen):
    for i in range(p.shape[0]):
        R = 256
        for j in range(p.shape[1]):
            off = (p[i, j] - (centre[i, j] << 8)) * sign[i, j]
            scale = R >> (z[i, j] + 2)
            seen[i, j, 0] = clip((off * inverse[min(scale, inverse.size - 1)]) >> (16 + z[i, j]), 127)
            seen[i, j, 1] = clip(4 * level(scale) - 60, 127)
            R = (3 * R + abs((truth[i, j] << 8) - p[i, j]) + 2) >> 2


def cost(weights: list[np.ndarray], seen: np.ndarray, counts: np.ndarray) -> float:
    """Mean bits of all decisions of a value under the whole-number network."""
    first, second, last = (w.astype(np.int64) for w in weights)
    bits = 0.0
    for cut in np.array_split(np.arange(len(seen)), max(1, len(seen) // 50_000)):
        a = np.clip((seen[cut].astype(np.int64) @ first) >> SHIFTS[0], 0, 127)
        b = np.clip((a @ second[:-1] + 64 * second[-1]) >> SHIFTS[1], 0, 127)
        logits = np.clip((b @ last[:-1] + 64 * last[-1]) >> OUT_SHIFT, -2047, 2047) / 256
        no, yes = counts[cut, :, 0], counts[cut, :, 1]
        bits += float((no * np.logaddexp(0, logits) + yes * np.logaddexp(0, -logits)).sum())
    return bits / np.log(2) / len(seen)


def _start(start: str, n_seen: int) -> list[np.ndarray]:
    """That network with small weights for further inputs, or a random one."""
    rng = np.random.default_rng(5)
    weights = start_weights((N_SEEN, *HIDDEN), rng) if start == "random" else fast_curve_model().network
    further = np.rint(rng.uniform(-2, 2, (n_seen - N_SEEN, HIDDEN[0]))).astype(np.int16)
    return [np.vstack([weights[0], further]), *weights[1:]]


def _windows(part: Watched) -> np.ndarray:
    return (part.past * np.exp(-np.arange(PAST) / FADING)).reshape(-1, PAST)


def _least_absolute(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    weight, taps = np.ones(len(y)), np.zeros(Z.shape[1])
    for _ in range(6):
        gram = (Z * weight[:, None]).T @ Z
        gram[np.diag_indices_from(gram)] += 1e-5 * len(y) + 1e-6 * np.trace(gram) / len(gram)
        taps = np.linalg.solve(gram, (Z * weight[:, None]).T @ y)
        weight = 1.0 / (np.abs(y - Z @ taps) + 0.5)
    return taps


def _logs(n: int, models: list[str], seed: int) -> list[np.ndarray]:
    return list(np.log10(simulate_curves(n, models=models, q=default_q(256), rng=seed).intensity))


def _seen(parts: list[Watched]) -> np.ndarray:
    return np.concatenate([part.seen for part in parts])


def _mean_error(part: Watched, prediction: np.ndarray) -> float:
    return float(np.abs(part.truth - prediction).mean())
