"""Training what codes curves: taps by least absolute deviation, the network, then a pass of coding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numba import njit

from invae.codec.coding.gaps import fill_gaps
from invae.codec.curves.experts import FEWEST, LENGTH_A, LENGTH_B, N_A, N_B, PAD, classes
from invae.codec.curves.model import NETWORK, CurveModel
from invae.codec.learning.memory import start_recurrent, train_recurrent
from invae.codec.learning.network import count_decisions
from invae.codec.learning.taps import least_absolute, whole_taps

__all__ = [
    "DEFAULT_BOUNDS",
    "HELD_OUT",
    "draw_planes",
    "fit_taps",
    "log_rows",
    "part_of",
    "train_curves",
    "train_default_curves",
]

DEFAULT_BOUNDS = (5e-5, 2e-1)
# Models that the shipped model never saw, for tests of generalisation.
HELD_OUT = (
    "core_shell_sphere",
    "fractal_core_shell",
    "gauss_lorentz_gel",
    "pearl_necklace",
    "teubner_strey",
    "vesicle",
)
FEWEST_POINTS = 16
FIT_ROWS = 600
MOST_ROWS_A_CLASS = 20_000
CHUNK = 50
SERIES = 0.1  # share of planes whose rows are made a series
ROUND_RATES = 3e-3, 2e-3  # of a network from nothing, and of one that goes on with other curves
FURTHER_RATE = 1e-3  # with a user's own
EARLY, LATE = (10, 4, 400, 10), (4, 2, 400, 3)  # rates of the first and the second half of training


def train_curves(
    logs: Sequence[np.ndarray],
    bounds: tuple[float, float],
    rng: np.random.Generator,
    progress: Any,
    network: Sequence[np.ndarray],
    n_draws: int,
    n_steps: int | None,
) -> CurveModel:
    """Learn from rows of log10 intensities; see `invae.codec.learning.train.train_codec`."""
    planes = [plane for _ in range(n_draws) for plane in draw_planes(logs, bounds, rng)]
    if n_steps is None:
        n_steps = int(np.clip(sum(row.size for row in logs) // 500, 80, 1500))
    return train_on_planes(planes, network, n_steps, FURTHER_RATE, rng, progress)


def draw_planes(
    logs: Sequence[np.ndarray], bounds: tuple[float, float], rng: np.random.Generator
) -> list[np.ndarray]:
    """Planes of at most `CHUNK` curves of one length (log10 values), each plane on its own grid.

    Rows are scaled by random factors, or turned into a series of like curves.
    """
    groups: list[list[np.ndarray]] = []
    for k in rng.permutation(len(logs)):
        if groups and len(groups[-1]) < CHUNK and groups[-1][0].size == logs[k].size:
            groups[-1].append(logs[k])
        else:
            groups.append([logs[k]])
    planes = []
    for group in groups:
        step = 2 * 10 ** rng.uniform(*np.log10(bounds))
        rows = np.stack(group)
        if rng.random() < SERIES:
            rows = as_series(rows, rng)
        else:
            rows = rows + rng.uniform(-2, 2, (len(rows), 1))
        planes.append(np.rint(rows / step).astype(np.int64))
    return planes


def as_series(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As many rows that move from the first to the second by a random walk of their mixture."""
    walk = np.cumsum(rng.standard_normal(len(rows)) * 10 ** rng.uniform(-4, -1))
    share = 0.5 + np.arctan(walk)[:, None] / np.pi
    return (1 - share) * rows[0] + share * rows[-1]


def train_on_planes(
    planes: Sequence[np.ndarray],
    network: Sequence[np.ndarray],
    n_steps: int,
    rate: float,
    rng: np.random.Generator,
    progress: Any = None,
) -> CurveModel:
    """Learn a model from int64 planes whose rows are curves on integer grids.

    A pass of coding warms up and records what the network is to see; ``n_steps`` of training improve the
    network; a second pass trains mixers and tables beside it.
    """
    total = 2 * len(planes) + n_steps
    report = progress or (lambda done, total: None)
    watching = CurveModel.untrained()
    A, B = fit_taps(planes)
    watching.set_arrays(A=A, B=B)
    for plane in planes[: len(planes) // 7]:
        watching.learn(plane, EARLY)
    watched = []
    for k, plane in enumerate(planes):
        watched.append(watching.watch(plane, LATE))
        report(k + 1, total)
    seen = [s for s, _ in watched]
    counts = [count_decisions(t.reshape(-1, 2)).reshape(*t.shape[:2], -1, 2) for _, t in watched]
    del watched
    done = len(planes)
    weights = train_recurrent(
        seen, counts, network, n_steps, rng, rate, progress=lambda k, _: report(done + k, total)
    )
    model = CurveModel.untrained()
    L, C = watching.arrays("L", "C")
    model.set_arrays(A=A, B=B, L=L, C=C, **dict(zip(NETWORK, weights)))
    done += n_steps
    for k, plane in enumerate(planes):
        model.learn(plane, EARLY if 2 * k < len(planes) else LATE)
        report(done + k + 1, total)
    return model.settled()


def part_of(progress: Any, k: int, n_parts: int) -> Any:
    """Progress of the k-th of several trainings of equal weight, told as progress of all."""
    if progress is None:
        return None
    return lambda done, total: progress(k * total + done, n_parts * total)


def fit_taps(planes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return taps (2^-14) of both learned experts by class, shapes (N_A, LENGTH_A) and (N_B, LENGTH_B)."""
    samples: tuple[list[list[np.ndarray]], list[list[np.ndarray]]] = (
        [[] for _ in range(N_A)],
        [[] for _ in range(N_B)],
    )
    share = max(1, len(planes) * CHUNK // (FIT_ROWS * 7))
    for plane in planes[::share]:
        for parts_of, length, (kinds, x, y) in zip(samples, (LENGTH_A, LENGTH_B), _samples(plane)):
            for k in np.unique(kinds):
                chosen = kinds == k
                parts_of[k].append(np.c_[x[chosen][:, 1:length], y[chosen]])
    taps = np.zeros((N_A, LENGTH_A)), np.zeros((N_B, LENGTH_B))
    rng = np.random.default_rng(0)
    for parts_of, fitted in zip(samples, taps):
        for k, parts in enumerate(parts_of):
            if not parts:
                continue
            rows = np.concatenate(parts).astype(np.float64)
            if len(rows) > MOST_ROWS_A_CLASS:
                rows = rows[rng.permutation(len(rows))[:MOST_ROWS_A_CLASS]]
            if len(rows) >= 50:
                fitted[k, 1:] = least_absolute(rows[:, :-1], rows[:, -1])
    return whole_taps(taps[0]), whole_taps(taps[1])


def _samples(plane: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
    """For both experts: class, differences of past values to the last, and the next difference."""
    n = plane.shape[1]
    padded = np.concatenate([np.repeat(plane[:, :1], PAD, axis=1), plane], axis=1)
    j = np.arange(min(FEWEST, n), n)
    past = np.stack([padded[:, PAD + j - 1 - k] for k in range(LENGTH_B + 2)], axis=-1)
    x, y = past - past[..., :1], plane[:, j] - past[..., 0]
    both = _classes(x, n)
    return tuple((both[..., k].ravel(), x.reshape(-1, x.shape[-1]), y.ravel()) for k in range(2))


@njit(cache=True)
def _classes(x: np.ndarray, n: int) -> np.ndarray:
    """Classes of both experts for the last values of rows of ``n``, given differences x to the last one."""
    out = np.empty((x.shape[0], x.shape[1], 2), dtype=np.int64)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j, 0], out[i, j, 1] = classes(x[i, j], n - x.shape[1] + j, n)
    return out


def log_rows(curves: Iterable[np.ndarray]) -> list[np.ndarray]:
    """log10 of curves with at least `FEWEST_POINTS` positive values; other values are filled as in coding."""
    rows = []
    for curve in curves:
        positive = np.isfinite(curve) & (curve > 0)
        if positive.sum() >= FEWEST_POINTS:
            rows.append(fill_gaps(np.log10(np.where(positive, curve, 1.0)), ~positive))
    return rows


def train_default_curves(
    n_curves: int = 12_000, n_steps: int = 14_000, n_rounds: int = 2, seed: int = 0, progress: Any = None
) -> CurveModel:
    """Train the package's model for curves: simulated ones of the fast sasmodels without `HELD_OUT`.

    Every round simulates new curves and goes on from the last one's network. They are noiseless. With a third
    of counted curves (doses of 1e4 to 1e8) a model without memory was 3 to 5 % shorter on real curves under
    ``log`` bounds and 2 % longer on noiseless ones; curves with standard deviations are better coded in steps
    of these anyway. The model that ships was made in about an hour by

        from invae.codec.learning.curves import train_default_curves
        open("curves.invm", "wb").write(train_default_curves().to_bytes())
    """
    from invae.data.simulation.curves import default_q, simulate_curves
    from invae.data.simulation.sasmodels_bridge import FAST_MODELS

    models = [name for name in FAST_MODELS if name not in HELD_OUT]
    model = CurveModel.untrained()
    for k in range(n_rounds):
        rng = np.random.default_rng(seed + k)
        rows = log_rows(simulate_curves(n_curves, models, default_q(256), seed + k).intensity)
        planes = [plane for _ in range(3) for plane in draw_planes(rows, DEFAULT_BOUNDS, rng)]
        network = model.network if k else start_recurrent(rng)
        part = part_of(progress, k, n_rounds)
        model = train_on_planes(planes, network, n_steps, ROUND_RATES[min(k, 1)], rng, part)
    return model
