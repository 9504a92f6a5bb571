"""The sets that the compressor is held against: simulated from their own seeds, real ones where present.

The default model for curves was trained on seed 0 of the fast sasmodels without six held-out ones; the sets
here come from other seeds, the unseen models from those six.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

import invae
from experiments.compression.real_curves import example_curves
from experiments.scattering.files import BESIDE
from invae.codec.learning.curves import HELD_OUT
from invae.data.records import Curve, Frame
from invae.data.simulation.curves import default_q, simulate_curves
from invae.data.simulation.frames import simulate_frames
from invae.data.simulation.sasmodels_bridge import FAST_MODELS
from invae.errors import InvaeError, InvaeWarning

__all__ = ["SIMULATED", "TestSet", "log_floor", "poisson_floor", "real_curves", "real_frames"]

SEEN = tuple(name for name in FAST_MODELS if name not in HELD_OUT)
ORIENTED = ("cylinder", "ellipsoid", "core_shell_cylinder", "core_shell_ellipsoid", "stacked_disks")
DOSE = 1e6  # counts of a noisy curve
FRAME_DOSE = 3e4  # counts of a frame of 64 x 64
CLEAN: dict[str, Any] = {"gaps": False, "dead": 0.0, "hot": 0.0, "beamstop": None}
CROP = 384  # side of what is taken of large detectors, about the middle
SENTINELS = (2**16 - 1, 2**31 - 1, 2**32 - 1)


@dataclass(frozen=True, eq=False)
class TestSet:
    """Samples along the first axis, the bounds they are held to, and the noise floor in bits by bound.

    ``more`` holds these and many further samples, for a rival whose fixed costs weigh on small sets.
    """

    name: str
    data: np.ndarray
    bounds: Sequence[str]
    floors: dict[str, float] = field(default_factory=dict)
    curves: bool = False  # coded by the default model, whose bytes then count
    more: np.ndarray | None = None

    __test__ = False  # not a test


def curve_set(name: str, models: Sequence[str], seed: int, noisy: bool = False) -> Callable[..., TestSet]:
    def make(config: dict[str, Any]) -> TestSet:
        names = models if config["models"] is None else [m for m in models if m in config["models"]]
        q, n, cache = default_q(config["n_points"]), config["n_curves"], config["resume"]
        clean = simulate_curves(n, names, q, seed, cache=cache)
        if not noisy:
            more = None
            if config["stack"] > 1:
                more = simulate_curves(config["stack"] * n, names, q, seed, cache=cache).intensity
            return TestSet(name, clean.intensity, config["bounds"], curves=True, more=more)
        noise = simulate_curves(n, names, q, seed, DOSE, cache=cache)
        expected, per_count = expected_counts(q, clean.intensity)
        bounds = config["noisy_bounds"]
        floors = {bound: log_floor(expected, per_count, invae.Bound.parse(bound).value) for bound in bounds}
        return TestSet(name, noise.intensity, bounds, floors, curves=True)

    return make


def frame_set(name: str, side: int, n: str, seed: int, centre: Any) -> Callable[..., TestSet]:
    def make(config: dict[str, Any]) -> TestSet:
        frames = simulate_frames(
            config[n], ORIENTED, (side, side), seed, centre=centre, cache=config["resume"], **CLEAN
        )
        return TestSet(name, frames.expected, config["frame_bounds"])

    return make


def count_set(name: str, side: int, seed: int) -> Callable[..., TestSet]:
    def make(config: dict[str, Any]) -> TestSet:
        frames = simulate_frames(
            config["n_counts"],
            ORIENTED,
            (side, side),
            seed,
            FRAME_DOSE,
            centre="middle",
            cache=config["resume"],
            **CLEAN,
        )
        return TestSet(name, frames.data, ["lossless"], {"lossless": poisson_floor(frames.expected)})

    return make


SIMULATED: dict[str, Callable[[dict[str, Any]], TestSet]] = {
    "curves": curve_set("curves", SEEN, 1001),
    "curves, unseen models": curve_set("curves, unseen models", HELD_OUT, 1002),
    "curves, noisy": curve_set("curves, noisy", SEEN, 1003, noisy=True),
    "frames 64, beam in a corner": frame_set("frames 64, beam in a corner", 64, "n_frames", 1004, (2.0, 3.0)),
    "frames 64, centred": frame_set("frames 64, centred", 64, "n_frames", 1005, "middle"),
    "frames 128": frame_set("frames 128", 128, "n_large", 1006, "random"),
    "frames 256": frame_set("frames 256", 256, "n_large", 1007, "random"),
    "counts 64": count_set("counts 64", 64, 1008),
}


def expected_counts(q: np.ndarray, intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expected counts of every point and the intensity of one count, both (N, n), as simulated."""
    weight = q * np.gradient(q)
    scale = DOSE * weight / np.sum(intensity * weight, axis=1, keepdims=True)
    return intensity * scale, 1 / scale


def log_floor(expected: np.ndarray, per_count: np.ndarray, eps: float) -> float:
    """Mean entropy [bits] of Poisson counts whose log10 is rounded to a grid of step 2 eps; zero is a symbol.

    No code of those grid points is shorter on average, even one that knows every expected count.

    >>> round(log_floor(np.array([1e4]), np.array([1.0]), 1e-9) - poisson_floor(np.array([1e4])), 3)
    0.0
    """
    from scipy.special import pdtr

    step = 2 * eps
    total = 0.0
    for mean, unit in zip(np.ravel(expected), np.ravel(per_count), strict=True):
        spread = 12 * np.sqrt(mean) + 12
        low, high = max(1.0, np.floor(mean - spread)), np.ceil(mean + spread)
        if np.log10(high / low) / step > high - low:  # cells finer than counts
            counts = np.arange(low, high + 1)
            cells = np.rint(np.log10(counts * unit) / step)
            edges = np.r_[counts[:-1][np.diff(cells) > 0], high]
        else:
            first, last = (np.rint(np.log10(k * unit) / step) for k in (low, high))
            edges = np.floor(10 ** ((np.arange(first, last + 1) + 0.5) * step) / unit)
        below = pdtr(edges, mean)
        start = np.array([np.exp(-mean), pdtr(low - 1, mean) - np.exp(-mean)])
        p = np.r_[start, np.diff(np.r_[pdtr(low - 1, mean), below])]
        p = p[p > 1e-300]
        total -= float(np.sum(p * np.log2(p)))
    return total / np.size(expected)


def poisson_floor(expected: np.ndarray) -> float:
    """Mean entropy [bits] of Poisson counts of the given means.

    >>> round(poisson_floor(np.array([10.0])), 3)
    3.697
    """
    from scipy.special import gammaln

    means, repeats = np.unique(np.round(np.maximum(np.ravel(expected), 1e-12), 9), return_counts=True)
    total = 0.0
    for mean, n in zip(means, repeats, strict=True):
        spread = 12 * np.sqrt(mean) + 30
        k = np.arange(max(0.0, np.floor(mean - spread)), np.ceil(mean + spread))
        logs = k * np.log(mean) - mean - gammaln(k + 1)
        total -= n * float(np.sum(np.exp(logs) * logs)) / np.log(2)
    return total / np.size(expected)


def real_curves(limit: int, series_limit: int) -> list[Curve]:
    """Finite real curves: sasdata's examples and the data beside the checkout, few of a series."""
    taken: dict[str, int] = {}
    kept: list[Curve] = []
    if limit == 0:
        return kept
    beside = (record for _, record in records_of(BESIDE / "sas1d") if isinstance(record, Curve))
    for curve in chain(*example_curves()[0].values(), beside):
        series = Path(curve.source or curve.name).name[:6]
        taken[series] = taken.get(series, 0) + 1
        if np.isfinite(curve.intensity).all() and len(curve.q) >= 16 and taken[series] <= series_limit:
            kept.append(curve)
        if len(kept) == limit:
            break
    return kept


def real_frames(limit: int) -> dict[str, np.ndarray]:
    """Real integer detector images, large ones cropped about the middle; none where the data are absent."""
    frames: dict[str, np.ndarray] = {}
    if limit == 0:
        return frames
    for path, record in records_of(BESIDE / "sas2d"):
        values = getattr(record, "data", None)
        if not isinstance(record, Frame) or values is None or np.ndim(values) < 2:
            continue
        image = np.asarray(values).reshape(-1, *np.shape(values)[-2:])[0]
        if image.dtype.kind not in "iu" or image.itemsize < 4:
            continue
        rows, columns = ((side - min(side, CROP)) // 2 for side in image.shape)
        image = np.ascontiguousarray(image[rows : rows + CROP, columns : columns + CROP])
        frames[path.name] = image
        if len(frames) == limit:
            break
    return frames


def records_of(folder: Path) -> Iterator[tuple[Path, Any]]:
    """Everything that can be read below a folder, with the file it came from."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if not path.is_file():
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InvaeWarning)
                records = [r.load() if isinstance(r, Frame) else r for r in invae.read(path)]
        except InvaeError:
            continue
        yield from ((path, record) for record in records)


def special(image: np.ndarray) -> np.ndarray:
    """True where a detector marks a pixel: negative, or one of the largest integers."""
    return (image < 0) | np.isin(image, SENTINELS)
