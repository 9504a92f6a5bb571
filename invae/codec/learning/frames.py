"""Training what codes frames: taps by least absolute deviation, the network, then a pass of coding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from invae.codec.bounds import sentinels
from invae.codec.coding.gaps import fill_gaps
from invae.codec.frames.centres import find_centres
from invae.codec.frames.experts import N_CLASSES, N_NEAR, N_TAPS
from invae.codec.frames.kernel import HIDDEN, Hints, Watched
from invae.codec.frames.model import UNWATCHED, FrameModel, run_frames, working_arrays
from invae.codec.frames.observe import N_SEEN
from invae.codec.learning.network import count_decisions, start_weights, train_network
from invae.codec.learning.taps import least_absolute, whole_taps
from invae.codec.sigma.counts import MOST_DITHERED, DitheredCells, dither

__all__ = ["draw_frame_planes", "train_default_frames", "train_frames"]

DRAWS = 3
DEFAULT_BOUNDS = (1e-4, 2e-1)
DOSES = (1e3, 5e6)  # counts of a whole simulated frame
# number, side, centre and detector of simulated frames
DEFAULT_SETS = (
    (200, 64, "middle", "perfect"),
    (240, 64, "random", "perfect"),
    (80, 64, (1.0, 2.0), "perfect"),
    (60, 128, "random", "perfect"),
    (8, 256, "random", "perfect"),
    (120, 64, "random", "real"),
    (24, 128, "random", "real"),
)
MOST_STACKED = 8
WINDOW = 256  # longest side of what is taken of a frame
MOST_PIXELS = 8_000_000
SIGMAS = (0.2, 1.2)  # bounds of counts in their sigma
LOSSLESS = 0.5  # share of counts that are coded as they are
MOST_ROWS_A_CLASS, FEWEST_ROWS_A_CLASS = 12_000, 300
MOST_DIFFERENCE = 1 << 18
EARLY, LATE = (10, 4, 400, 10), (4, 2, 400, 3)  # rates of the first and the second half of training


class Plane(NamedTuple):
    """Stacked frames on an integer grid, the rows of a frame, and the offsets of a dither (or none)."""

    codes: np.ndarray
    height: int
    offsets: np.ndarray


def train_frames(
    frames: Sequence[np.ndarray],
    bounds: tuple[float, float],
    rng: np.random.Generator,
    progress: Any,
    network: Sequence[np.ndarray],
    n_draws: int | None = None,
    n_steps: int | None = None,
) -> FrameModel:
    """Learn from frames, counts or intensities; see `invae.codec.learning.train.train_codec`.

    A pass of coding without a network records what taps weigh, a second one what the network is to see;
    ``n_steps`` of training improve the network; a third pass trains mixers and corrections beside it.
    """
    planes = draw_frame_planes(frames, bounds, rng, DRAWS if n_draws is None else n_draws)
    n_pixels = sum(plane.codes.size for plane in planes)
    if n_steps is None:
        n_steps = int(np.clip(n_pixels // 100, 1500, 20_000))
    total = 3 * len(planes) + n_steps
    report = progress or (lambda done, total: None)
    centres = [
        np.array(find_centres(codes.reshape(-1, height, codes.shape[1])), dtype=np.int64)
        for codes, height, _ in planes
    ]
    arrays = FrameModel.untrained().arrays
    samples = []
    for k, plane in enumerate(planes):
        near = np.zeros((*plane.codes.shape, N_TAPS + 2), dtype=np.int64)
        learn_plane(working_arrays(arrays), plane, centres[k], LATE, UNWATCHED._replace(near=near))
        chosen = rng.random(plane.codes.size) < min(1.0, 4e5 / n_pixels + 0.05)
        samples.append(near.reshape(-1, N_TAPS + 2)[chosen])
        report(k + 1, total)
    arrays["A"][...] = fit_frame_taps(np.concatenate(samples), rng)
    watching = working_arrays(arrays)
    seen, counts = [], []
    for k, plane in enumerate(planes):
        look = np.zeros((*plane.codes.shape, N_SEEN), dtype=np.int8)
        targets = np.zeros((*plane.codes.shape, 2), dtype=np.int64)
        learn_plane(watching, plane, centres[k], LATE, UNWATCHED._replace(seen=look, targets=targets))
        seen.append(look.reshape(-1, N_SEEN))
        counts.append(count_decisions(targets.reshape(-1, 2)))
        report(len(planes) + k + 1, total)
    done = 2 * len(planes)
    arrays["N1"], arrays["N2"], arrays["N3"] = train_network(
        np.concatenate(seen),
        np.concatenate(counts),
        network,
        n_steps,
        rng,
        progress=lambda k, _: report(done + k, total),
    )
    arrays["L"], arrays["C"] = watching["L"], watching["C"]
    learning = working_arrays(arrays)
    for k, plane in enumerate(planes):
        learn_plane(learning, plane, centres[k], EARLY if 2 * k < len(planes) else LATE)
        report(done + n_steps + k + 1, total)
    learned = {name: learning[name] for name in ("L", "C")}
    learned["W"] = np.rint(learning["W"].mean(axis=2)).astype(np.int32)
    learned["V"] = np.rint(learning["V"].mean(axis=1)).astype(np.int32)
    return FrameModel.from_bytes(FrameModel(arrays | learned).to_bytes())


def learn_plane(
    full: dict[str, np.ndarray],
    plane: Plane,
    centres: np.ndarray,
    rates: tuple[int, int, int, int],
    watched: Watched = UNWATCHED,
) -> None:
    """Code a plane and keep what working arrays learned."""
    codes, height, offsets = plane
    room = np.empty(16 * codes.size + 65536, dtype=np.uint8)
    steps = np.array(rates, dtype=np.int64)
    run_frames(full, room, codes, False, height, Hints(centres, offsets), steps, watched)


def draw_frame_planes(
    frames: Sequence[np.ndarray], bounds: tuple[float, float], rng: np.random.Generator, n_draws: int
) -> list[Plane]:
    """Stacks of up to `MOST_STACKED` frames of one shape and kind, turned at random, each on its own grid.

    Counts are coded as they are or within a part of their sigma; positive values in log10 within one of
    ``bounds``; other values on a grid of such a part of their spread.
    """
    groups: dict[Any, list[np.ndarray]] = {}
    for frame in frames:
        groups.setdefault((frame.shape, frame.dtype.kind == "f"), []).append(frame)
    stacks = []
    for _ in range(n_draws):
        for group in groups.values():
            order = rng.permutation(len(group))
            while order.size:
                n = int(rng.integers(1, MOST_STACKED + 1))
                stacks.append([group[k] for k in order[:n]])
                order = order[n:]
    planes: list[Plane] = []
    n_pixels = 0
    for k in rng.permutation(len(stacks)):
        codes, offsets = _codes(_turned(_window(np.stack(stacks[k]), rng), rng), bounds, rng)
        flat = (-1, codes.shape[2])
        planes.append(Plane(np.ascontiguousarray(codes.reshape(flat)), codes.shape[1], offsets.reshape(flat)))
        n_pixels += codes.size
        if n_pixels > MOST_PIXELS:
            break
    return planes


def _window(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most `WINDOW` rows and columns, somewhere."""
    starts = [int(rng.integers(0, max(0, side - WINDOW) + 1)) for side in stack.shape[1:]]
    return stack[:, starts[0] : starts[0] + WINDOW, starts[1] : starts[1] + WINDOW]


def _turned(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        stack = stack[:, ::-1] if rng.random() < 0.5 else stack[:, :, ::-1]
    return stack.transpose(0, 2, 1) if rng.random() < 0.5 else stack


def _codes(
    stack: np.ndarray, bounds: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Put frames on an integer grid; with the offsets of its dither, if it has one."""
    none = np.zeros((0, stack.shape[2]), dtype=np.int64)
    step = 2 * 10 ** rng.uniform(*np.log10(bounds))
    if stack.dtype.kind == "f":
        gaps = ~np.isfinite(stack)
        known = np.where(gaps, 0.0, stack)
        positive = known > 0
        if positive.mean() > 0.5:
            gaps, values = ~positive, np.log10(np.where(positive, known, 1.0)) + rng.uniform(-1, 1)
        else:
            values = known / max(float(np.abs(known).mean()), 1e-300)
        return fill_gaps(np.rint(np.clip(values / step, -(2.0**27), 2.0**27)).astype(np.int64), gaps), none
    gaps = sentinels(stack) | (stack < 0)
    numbers = np.where(gaps, 0, stack).astype(np.int64)
    if rng.random() < LOSSLESS:
        return fill_gaps(numbers, gaps), none
    numbers = np.minimum(numbers, MOST_DITHERED - 1)
    cells, u = DitheredCells(rng.uniform(*SIGMAS), int(numbers.max())), dither(numbers.size, 0)
    u = u.reshape(numbers.shape)
    return fill_gaps(cells.numbers(numbers, u), gaps), fill_gaps(cells.offsets(u), gaps)


def fit_frame_taps(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Taps (2^-14) of every class, shape (N_CLASSES, N_TAPS).

    ``rows`` hold the differences that taps weigh, the one to predict and the class; the first of them is that
    of the pixel from which differences are taken.
    """
    taps = np.zeros((N_CLASSES, N_TAPS))
    rows = rows[np.abs(rows[:, :-1]).max(axis=1) < MOST_DIFFERENCE]
    for k in range(N_CLASSES):
        own = rows[rows[:, -1] == k].astype(np.float64)
        if len(own) > MOST_ROWS_A_CLASS:
            own = own[rng.permutation(len(own))[:MOST_ROWS_A_CLASS]]
        if len(own) >= FEWEST_ROWS_A_CLASS:
            n = N_TAPS if k >= N_CLASSES // 2 else N_NEAR
            taps[k, 1:n] = least_absolute(own[:, 1:n], own[:, -2])
    return whole_taps(taps)


def train_default_frames(n_steps: int = 180_000, seed: int = 0, progress: Any = None) -> FrameModel:
    """Train the package's model for frames: simulated ones of the oriented sasmodels, smooth and counted.

    The model that ships was made in a quarter of an hour by

        from invae.codec.learning.frames import train_default_frames
        open("frames.invm", "wb").write(train_default_frames().to_bytes())
    """
    from invae.data.simulation.frames import simulate_frames

    rng = np.random.default_rng(seed)
    perfect = {"gaps": False, "dead": 0.0, "hot": 0.0, "beamstop": None}
    frames: list[np.ndarray] = []
    for k, (n, side, centre, detector) in enumerate(DEFAULT_SETS):
        settings: dict[str, Any] = perfect if detector == "perfect" else {}
        place: Any = centre
        simulated = simulate_frames(n, None, (side, side), 100 * seed + k, centre=place, **settings)
        frames += list(simulated.expected)
        low, high = np.log10(DOSES)
        doses = 10 ** rng.uniform(low, high, n)
        for image, marks, dose in zip(simulated.expected, simulated.mask, doses):
            counts = rng.poisson(image * (dose / image.sum()))
            frames.append(np.where(marks != 0, -1, counts))
    network = start_weights((N_SEEN, *HIDDEN), rng)
    return train_frames(frames, DEFAULT_BOUNDS, rng, progress, network, n_steps=n_steps)
