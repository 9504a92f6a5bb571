"""Simulated detector frames: oriented particles, a detector with gaps, bad pixels and a beamstop, counts.

The beam may hit anywhere. Frame i of a seed does not depend on how many are made or by how many processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from invae.data.simulation import sasmodels_bridge
from invae.data.simulation.blocks import Progress, make_in_blocks, model_of, sample_generator, seed_of
from invae.data.simulation.sets import BEAMSTOP, DEAD, GAP, HOT, SimulatedFrames
from invae.errors import InputError

__all__ = ["simulate_frames"]

BLOCK = 16
ATTEMPTS = 50
LEAK = 1e-3  # part of the intensity that a beamstop lets through


def simulate_frames(
    n: int,
    models: str | Sequence[str] | None = None,
    shape: tuple[int, int] = (128, 128),
    rng: int | np.random.Generator | None = None,
    dose: float | None = None,
    *,
    centre: str | tuple[float, float] = "random",
    q_max: float | tuple[float, float] = (0.03, 0.3),
    smearing: float = 1.0,
    beamstop: float | None = 0.03,
    gaps: bool = True,
    dead: float = 1e-3,
    hot: float = 2e-4,
    dispersity: bool = True,
    shares: Mapping[str, float] | None = None,
    jobs: int = 1,
    cache: bool | str | os.PathLike[str] = False,
    progress: Progress | None = None,
) -> SimulatedFrames:
    """Simulate n frames of oriented particles.

    Parameters
    ----------
    n : int
        Number of frames.
    models : sequence of str, optional
        Models that have a 2-D pattern; by default the 22 oriented models of sasmodels.
    shape : (int, int)
        Rows and columns of pixels.
    rng : int, Generator or None
        Seed of the whole set.
    dose : float, optional
        Expected counts of a whole frame (good pixels); int32 Poisson counts come out. Without it float64
        intensities in 1/cm.
    centre : {"random", "middle"} or (row, column)
        Where the beam hits, in pixels; random is anywhere in the frame.
    q_max : float or (low, high)
        q in 1/angstrom at half the shorter side from the beam; a pair is drawn from evenly in logarithms.
    smearing : float
        Standard deviation of the beam spot in pixels.
    beamstop : float, optional
        Radius as a part of the shorter side; behind it a thousandth of the intensity comes through.
    gaps : bool
        One or two module gaps of 1 to 3 % of the side in each direction, as on tiled detectors.
    dead, hot : float
        Parts of the pixels that count nothing, or far too much.
    dispersity : bool
        Draw distributions of orientation and size, meshes of at most 25 points.
    shares, jobs, cache, progress
        As for `invae.data.simulation.curves.simulate_curves`.

    Raises
    ------
    InputError
        Unknown model, no C compiler, or an impossible detector.

    Examples
    --------
    >>> frames = simulate_frames(2, ["ellipsoid"], shape=(24, 32), rng=0, dose=1e5)
    >>> frames.data.shape, frames.data.dtype, int(frames.data.min()) >= -2
    ((2, 24, 32), dtype('int32'), True)
    """
    settings = _settings(
        models=models,
        shape=shape,
        rng=rng,
        dose=dose,
        centre=centre,
        q_max=q_max,
        smearing=smearing,
        beamstop=beamstop,
        gaps=gaps,
        dead=dead,
        hot=hot,
        dispersity=dispersity,
        shares=shares,
    )
    sasmodels_bridge.check_models(tuple(settings["models"]))
    blocks = make_in_blocks(
        _make_block,
        SimulatedFrames,
        settings,
        n,
        BLOCK,
        jobs,
        cache,
        progress,
        prepare=lambda: [
            sasmodels_bridge.make_kernel(name, [np.ones(2), np.ones(2)]) for name in settings["models"]
        ],
    )
    return SimulatedFrames.join(blocks)


def _settings(
    *, models, shape, rng, dose, centre, q_max, smearing, beamstop, gaps, dead, hot, dispersity, shares
) -> dict[str, Any]:
    names = (models,) if isinstance(models, str) else tuple(models or sasmodels_bridge.ORIENTED_MODELS)
    shape = tuple(int(size) for size in shape)
    if len(shape) != 2 or min(shape) < 8:
        raise InputError(f"shape={shape}: a frame has two sides of at least 8 pixels")
    if dose is not None and not (np.isfinite(dose) and dose > 0):
        raise InputError(f"dose={dose!r} is the expected number of counts of a frame: pass a positive number")
    if isinstance(centre, str):
        if centre not in ("random", "middle"):
            raise InputError(f"centre={centre!r}: pass 'random', 'middle' or (row, column)")
    else:
        centre = [float(c) for c in centre]
    low, high = q_max if isinstance(q_max, Sequence | np.ndarray) else (q_max, q_max)
    if not 0 < low <= high:
        raise InputError(f"q_max={q_max!r}: pass a positive number or an increasing pair in 1/angstrom")
    if min(smearing, dead, hot, beamstop or 0.0) < 0 or dead + hot > 0.5 or (beamstop or 0) > 0.5:
        raise InputError("smearing, beamstop, dead and hot must not be negative, parts at most one half")
    unknown = set(shares or {}) - set(names)
    weights = [float((shares or {}).get(name, 1.0)) for name in names]
    if unknown or min(weights) < 0 or sum(weights) <= 0:
        raise InputError(f"shares must be non-negative and name simulated models; unknown: {sorted(unknown)}")
    return {
        "models": list(names),
        "shares": weights,
        "shape": list(shape),
        "seed": seed_of(rng),
        "dose": None if dose is None else float(dose),
        "centre": centre,
        "q_max": [float(low), float(high)],
        "smearing": float(smearing),
        "beamstop": beamstop,
        "gaps": bool(gaps),
        "dead": float(dead),
        "hot": float(hot),
        "dispersity": bool(dispersity),
        "sasmodels": sasmodels_bridge.sasmodels_version(),
    }


def _make_block(settings: dict[str, Any], first: int, last: int) -> SimulatedFrames:
    """Frames first to last - 1."""
    made = [_make_frame(settings, i) for i in range(first, last)]
    data, expected, mask, model, parameters, geometry = zip(*made)
    return SimulatedFrames(
        np.array(data), np.array(expected), np.array(mask), model, parameters, geometry, settings
    )


def _make_frame(settings: dict[str, Any], i: int) -> tuple:
    generator = sample_generator(settings["seed"], i)
    name = model_of(i, settings["models"], settings["shares"])
    geometry = _draw_geometry(settings, generator)
    intensity, parameters = _pattern(settings, name, i, geometry)
    mask = _draw_mask(settings, geometry, generator)
    expected = np.where(mask & BEAMSTOP, LEAK * intensity, intensity)
    if settings["dose"] is None:
        data = np.where(mask & (GAP | DEAD), np.nan, expected)
        data[(mask & HOT) > 0] = 100 * expected.max()
    else:
        good = (mask & (GAP | DEAD | HOT)) == 0
        scale = settings["dose"] / expected[good].sum()
        geometry["counts_per_intensity"] = float(scale)
        expected = scale * expected
        data = generator.poisson(np.minimum(expected, 2.0**30)).astype(np.int32)
        data[(mask & HOT) > 0] = min(2**20, 100 * int(data.max()) + 1000)
        data[(mask & GAP) > 0] = -1
        data[((mask & DEAD) > 0) & ((mask & GAP) == 0)] = -2
    return data, expected, mask, name, parameters, geometry


def _draw_geometry(settings, generator) -> dict[str, Any]:
    rows, columns = settings["shape"]
    side = min(rows, columns)
    if settings["centre"] == "random":
        centre = [float(generator.uniform(0, rows - 1)), float(generator.uniform(0, columns - 1))]
    elif settings["centre"] == "middle":
        centre = [(rows - 1) / 2, (columns - 1) / 2]
    else:
        centre = list(settings["centre"])
    q_edge = float(np.exp(generator.uniform(*np.log(settings["q_max"]))))
    return {
        "centre": centre,
        "q_per_pixel": q_edge / (side / 2),
        "beamstop_radius": None if settings["beamstop"] is None else settings["beamstop"] * side,
        "counts_per_intensity": None,
    }


def _pattern(settings, name, i, geometry) -> tuple[np.ndarray, dict[str, Any]]:
    """Intensity on the frame, smeared with a margin so that the border has no edge effect."""
    margin = int(np.ceil(4 * settings["smearing"]))
    rows, columns = (np.arange(-margin, size + margin) for size in settings["shape"])
    y, x = np.meshgrid(rows - geometry["centre"][0], columns - geometry["centre"][1], indexing="ij")
    at_beam = (x == 0) & (y == 0)
    x[at_beam] = 0.25  # most models divide by q
    step = geometry["q_per_pixel"]
    kernel = sasmodels_bridge.make_kernel(name, [x * step, y * step])
    mesh = 25 if settings["dispersity"] else 1
    for attempt in range(ATTEMPTS):
        seed = np.random.SeedSequence(settings["seed"], spawn_key=(i, attempt))
        parameters = sasmodels_bridge.random_parameters(name, seed, oriented=True, max_evaluations=mesh)
        intensity = sasmodels_bridge.evaluate(kernel, parameters).reshape(x.shape)
        if np.isfinite(intensity).all() and (intensity > 0).all():
            break
    else:
        raise InputError(
            f"{name} gave no finite, positive frame in {ATTEMPTS} draws; leave that model out or change q_max"
        )
    if settings["smearing"]:
        from scipy.ndimage import gaussian_filter

        intensity = gaussian_filter(intensity, settings["smearing"], truncate=4.0)
    inner = slice(margin, -margin or None)
    return intensity[inner, inner], parameters


def _draw_mask(settings, geometry, generator) -> np.ndarray:
    rows, columns = settings["shape"]
    mask = np.zeros((rows, columns), np.uint8)
    if geometry["beamstop_radius"]:
        y, x = np.ogrid[:rows, :columns]
        distance = np.hypot(y - geometry["centre"][0], x - geometry["centre"][1])
        mask[distance <= geometry["beamstop_radius"]] |= BEAMSTOP
    if settings["gaps"]:
        for axis, size in enumerate((rows, columns)):
            for _ in range(int(generator.integers(1, 3))):
                width = max(1, round(size * generator.uniform(0.01, 0.03)))
                start = int(generator.integers(0, size - width))
                band = [slice(None), slice(None)]
                band[axis] = slice(start, start + width)
                mask[tuple(band)] |= GAP
    for part, bit in ((settings["dead"], DEAD), (settings["hot"], HOT)):
        chosen = generator.random((rows, columns)) < part
        mask[chosen & ((mask & (GAP | DEAD)) == 0)] |= bit
    return mask
