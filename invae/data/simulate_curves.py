"""Simulated small-angle scattering curves with the parameters of each: sasmodels at random parameters.

``simulate_curves(n, models="sas55")`` at any n re-makes an equivalent of the public set SAS-55M-20k
(55 models x 20,000 noiseless curves of 512 points; Yildirim, Doutch, Cole, Digital Discovery 3 (2024) 694,
doi 10.1039/D3DD00225J). The article's list of models is kept in a binary file; ours holds the models of its
parameter table that draw their own random parameters, less those whose cost is over half a second a curve
or that are one straight line in logarithms: 55 names. Parameters are drawn by sasmodels' own generators.

Sample i of a seed is the same whatever n, the number of processes, and what the cache holds: its random
numbers come from ``SeedSequence(seed, spawn_key=(i, attempt))`` and its model from a golden-ratio sequence.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from invae.data import sasmodels_bridge as bridge
from invae.data.manifest import cache_folder
from invae.data.simulated import SimulatedCurves
from invae.errors import FormatError, InputError

__all__ = ["Progress", "SimulatedCurves", "default_q", "measure_cost", "simulate_curves"]

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]

BLOCK = 64  # samples of one cache file and of one task of a worker
ATTEMPTS = 200
GOLDEN = 0.6180339887498949
MODEL_SETS = {
    "fast": bridge.FAST_MODELS,
    "sas55": bridge.SAS55_MODELS,
    "all": tuple(bridge.COST_MS),
    "python": bridge.PYTHON_MODELS,
}


def default_q(n: int = 512) -> np.ndarray:
    """n log-spaced q values from 0.001 to 1 per angstrom.

    >>> default_q(4)
    array([0.001, 0.01 , 0.1  , 1.   ])
    """
    return np.geomspace(1e-3, 1.0, n)


def simulate_curves(
    n: int,
    models: str | Sequence[str] | None = None,
    q: np.ndarray | None = None,
    rng: int | np.random.Generator | None = None,
    noise: float | None = None,
    *,
    shares: Mapping[str, float] | None = None,
    polydispersity: bool = False,
    resolution: float | None = None,
    quadrature: int | None = None,
    jobs: int = 1,
    cache: bool | str | os.PathLike[str] = False,
    progress: Progress | None = None,
) -> SimulatedCurves:
    """Simulate n curves, models in turn, parameters at random.

    Draws with a value that is NaN, infinite, zero or negative are rejected and drawn again.

    Parameters
    ----------
    n : int
        Number of curves.
    models : {"fast", "sas55", "all", "python"} or sequence of str
        A set of models, or names in the notation of sasmodels, products with a structure factor
        (``"sphere@hardsphere"``) included. "fast" (the default) holds the models below 25 ms a curve.
    q : ndarray of shape (n_q,), optional
        Positive, increasing, in 1/angstrom; `default_q` by default.
    rng : int, Generator or None
        Seed of the whole set. ``None`` draws one, which ``settings`` reports.
    noise : float, optional
        Dose: expected counts over all points of a curve, shared out by I(q) times the ring area q dq.
        Counts are Poisson; sigma is that of max(count, 1).
    shares : mapping of str to float, optional
        Relative number of curves by model, 1 where not named. The slow models take up to a second a curve
        (`COST_MS`): lower their share to save time.
    polydispersity : bool
        Also draw the dispersity of sizes. It multiplies the cost, so the mesh is thinned to stay below about
        100 ms a curve, and models slower than 20 ms stay monodisperse.
    resolution : float, optional
        Standard deviation of the instrument's resolution over q (pinhole, Gaussian), e.g. 0.05.
    quadrature : {76, 150}, optional
        Fixed number of Gauss points for orientation averages in place of adaptive integration: bounded
        cost (2-D averages .1 s), but wrong at high q for large particles.
    jobs : int
        Number of processes.
    cache : bool or path
        Keep finished blocks of 64 curves on disk (True: in invae's cache folder) and take from there what has
        been made before; an interrupted or smaller run is continued.
    progress : callable(done, total), optional

    Raises
    ------
    InputError
        Unknown model, no C compiler for a C model, a wrong q, or a model that gives no valid curve there.

    Examples
    --------
    >>> curves = simulate_curves(4, models=["guinier_porod", "teubner_strey"], q=default_q(64), rng=0)
    >>> curves.intensity.shape, sorted(set(curves.model))
    ((4, 64), ['guinier_porod', 'teubner_strey'])
    """
    settings = _settings(models, q, rng, noise, shares, polydispersity, resolution, quadrature)
    bridge.check_models(tuple(settings["models"]))
    if not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"n={n!r}: ask for at least one curve")
    folder = _cache_folder(cache, settings)
    blocks = [(first, min(first + BLOCK, n)) for first in range(0, n, BLOCK)]
    pieces, done = {}, 0
    missing = []
    for first, last in blocks:
        held = _from_cache(folder, first, last) if folder else None
        if held is None:
            missing.append((first, last))
        else:
            pieces[first] = held
            done += last - first
    if progress and done:
        progress(done, n)
    for first, last, piece in _make_blocks(settings, missing, jobs):
        pieces[first] = piece
        if folder:
            SimulatedCurves(*piece, settings=settings).write(_block_path(folder, first), overwrite=True)
        done += last - first
        if progress:
            progress(done, n)
    ordered = [pieces[first] for first, _ in blocks]
    return SimulatedCurves(
        q=np.asarray(settings["q"]),
        intensity=np.concatenate([piece[1] for piece in ordered]),
        sigma=None if noise is None else np.concatenate([piece[2] for piece in ordered]),
        model=tuple(name for piece in ordered for name in piece[3]),
        parameters=tuple(p for piece in ordered for p in piece[4]),
        settings=settings,
    )


def measure_cost(
    models: str | Sequence[str] = "all",
    q: np.ndarray | None = None,
    rng: int | np.random.Generator | None = 0,
    draws: int = 5,
    seconds: float = 3.0,
) -> list[dict[str, Any]]:
    """Time of one monodisperse curve by model: rows of model, median_ms, worst_ms, draws, rejected.

    At most ``draws`` draws and about ``seconds`` seconds a model; compilation is not counted.
    """
    settings = _settings(models, q, rng, None, None, False, None, None)
    bridge.check_models(tuple(settings["models"]))
    rows = []
    for name in settings["models"]:
        kernel = bridge.make_kernel(name, [np.asarray(settings["q"])])
        times, rejected = [], 0
        while len(times) < draws and sum(times) < seconds:
            seed = np.random.SeedSequence(settings["seed"], spawn_key=(len(times), 0))
            parameters = bridge.random_parameters(name, seed)
            start = time.perf_counter()
            intensity = bridge.evaluate(kernel, parameters)
            times.append(time.perf_counter() - start)
            rejected += not _valid(intensity)
        rows.append(
            {
                "model": name,
                "median_ms": 1e3 * float(np.median(times)),
                "worst_ms": 1e3 * max(times),
                "draws": len(times),
                "rejected": rejected,
            }
        )
    return rows


def _settings(models, q, rng, noise, shares, polydispersity, resolution, quadrature) -> dict[str, Any]:
    """Validated description of a set: JSON-able, and equal for equal sets."""
    models = "fast" if models is None else models
    if isinstance(models, str):
        names = MODEL_SETS.get(models, (models,))
    else:
        names = tuple(str(name) for name in models)
    q = default_q() if q is None else np.asarray(q, np.float64)
    if q.ndim != 1 or len(q) < 2 or not np.isfinite(q).all() or q[0] <= 0 or (np.diff(q) <= 0).any():
        raise InputError(
            "q must be a finite, positive, increasing array of at least two values in 1/angstrom"
        )
    if noise is not None and not (np.isfinite(noise) and noise > 0):
        raise InputError(
            f"noise={noise!r} is the expected number of counts of a curve: pass a positive number"
        )
    if resolution is not None and not 0 < resolution < 0.5:
        raise InputError(f"resolution={resolution!r} is sigma_q / q: pass a number between 0 and 0.5")
    unknown = set(shares or {}) - set(names)
    weights = [float((shares or {}).get(name, 1.0)) for name in names]
    if unknown or min(weights, default=1.0) < 0 or (weights and sum(weights) <= 0):
        raise InputError(
            f"shares must be non-negative and name simulated models only; unknown: {sorted(unknown)}"
        )
    if isinstance(rng, int | np.integer):
        seed = int(rng)
    else:
        seed = int(np.random.default_rng(rng).integers(2**63))
    return {
        "models": list(names),
        "shares": weights,
        "q": q.tolist(),
        "seed": seed,
        "noise": None if noise is None else float(noise),
        "polydispersity": bool(polydispersity),
        "resolution": resolution,
        "quadrature": quadrature,
        "sasmodels": bridge.sasmodels_version(),
    }


def _make_blocks(settings, missing, jobs):
    """Yield (first, last, piece) in order, from this process or from ``jobs`` worker processes."""
    if jobs == 1 or len(missing) < 2:
        for first, last in missing:
            yield first, last, _make_block(settings, first, last)
        return
    from joblib import Parallel, delayed

    for name in settings["models"]:  # compile once, before workers race for the same file
        bridge.make_kernel(name, [np.asarray(settings["q"])])
    tasks = (delayed(_make_block)(settings, first, last) for first, last in missing)
    made = Parallel(n_jobs=jobs, return_as="generator", batch_size=1)(tasks)
    for (first, last), piece in zip(missing, made):
        yield first, last, piece


def _make_block(settings: dict[str, Any], first: int, last: int) -> tuple:
    """Samples first to last - 1: (q, intensity, sigma, models, parameters)."""
    q = np.asarray(settings["q"])
    rows, sigmas, names, parameters = [], [], [], []
    for i in range(first, last):
        name = model_of(i, settings["models"], settings["shares"])
        intensity, drawn = _one_curve(settings, name, i, q)
        sigma = None
        if settings["noise"] is not None:
            generator = np.random.default_rng(
                np.random.SeedSequence(settings["seed"], spawn_key=(i, ATTEMPTS))
            )
            intensity, sigma = _count(q, intensity, settings["noise"], generator)
        rows.append(intensity)
        sigmas.append(sigma)
        names.append(name)
        parameters.append(drawn)
    return (
        q,
        np.array(rows),
        None if settings["noise"] is None else np.array(sigmas),
        tuple(names),
        tuple(parameters),
    )


def model_of(i: int, models: Sequence[str], shares: Sequence[float]) -> str:
    """Model of sample i: the golden-ratio sequence meets every share, evenly over any stretch of samples."""
    edges = np.cumsum(shares)
    u = ((i + 0.5) * GOLDEN) % 1.0
    return models[min(int(np.searchsorted(edges, u * edges[-1], side="right")), len(models) - 1)]


def _one_curve(settings, name, i, q) -> tuple[np.ndarray, dict[str, Any]]:
    smear = _Pinhole(q, settings["resolution"]) if settings["resolution"] else None
    kernel = bridge.make_kernel(name, [q if smear is None else smear.q_fine], settings["quadrature"])
    cost = max(bridge.COST_MS.get(part, 1.0) for part in bridge.model_parts(name))
    mesh = int(100.0 / cost) if settings["polydispersity"] else 1
    for attempt in range(ATTEMPTS):
        seed = np.random.SeedSequence(settings["seed"], spawn_key=(i, attempt))
        parameters = bridge.random_parameters(name, seed, max_evaluations=max(mesh, 1))
        intensity = bridge.evaluate(kernel, parameters)
        if _valid(intensity):
            return (intensity if smear is None else smear(intensity)), parameters
    raise InputError(
        f"{name} gave no finite, positive curve in {ATTEMPTS} draws on q = {q[0]:g} ... {q[-1]:g}; "
        "leave that model out or change q"
    )


def _valid(intensity: np.ndarray) -> bool:
    return bool(np.isfinite(intensity).all() and (intensity > 0).all())


class _Pinhole:
    """Gaussian smearing of relative width: q widened by 2.5 sigma at both ends, sasmodels' own weights."""

    def __init__(self, q: np.ndarray, resolution: float) -> None:
        from sasmodels.resolution import Pinhole1D

        self._pinhole = Pinhole1D(q, resolution * q)
        self.q_fine = np.asarray(self._pinhole.q_calc)

    def __call__(self, intensity: np.ndarray) -> np.ndarray:
        return np.asarray(self._pinhole.apply(intensity))


def _count(q, intensity, dose, generator) -> tuple[np.ndarray, np.ndarray]:
    """Poisson counts of a curve at a total dose: N_j = dose * I_j w_j / sum(I w) with w = q dq."""
    weight = q * np.gradient(q)
    scale = dose * weight / np.sum(intensity * weight)
    counts = generator.poisson(intensity * scale)
    return counts / scale, np.sqrt(np.maximum(counts, 1)) / scale


def _cache_folder(cache, settings) -> Path | None:
    if cache is False or cache is None:
        return None
    root = cache_folder() / "simulated" if cache is True else Path(cache)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:20]
    folder = root / f"curves-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _block_path(folder: Path, first: int) -> Path:
    return folder / f"{first:09d}.h5"


def _from_cache(folder: Path, first: int, last: int) -> tuple | None:
    """Block of the cache when it is there, whole, and holds at least the samples wanted."""
    path = _block_path(folder, first)
    if not path.is_file():
        return None
    try:
        block = SimulatedCurves.read(path)
    except FormatError:
        log.warning("damaged cache file %s is made again", path)
        return None
    m = last - first
    if len(block) < m:
        return None
    sigma = None if block.sigma is None else block.sigma[:m]
    return block.q, block.intensity[:m], sigma, block.model[:m], block.parameters[:m]
