"""Simulated small-angle scattering curves with the parameters of each: sasmodels at random parameters.

``simulate_curves(n, models="sas55")`` at any n re-makes an equivalent of the public set SAS-55M-20k
(55 models x 20,000 noiseless curves of 512 points; Yildirim, Doutch, Cole, Digital Discovery 3 (2024) 694,
doi 10.1039/D3DD00225J). The article's list of names was not in the texts we had; ours are the models of its
parameter table that draw their own random parameters, less pure power laws and the slow relatives of a model
that is in (fcc and sc beside bcc_paracrystal, say): 55. Parameters are drawn by sasmodels' own generators.

Cost: a curve of each of the 55 takes about 7 s of one core with adaptive quadrature (nine tenths of it in
barbell, capped_cylinder and the shapes without rotational symmetry), 1.1 s with ``quadrature=76``; the 50
"fast" models .1 s in all. So the full 1.1 million curves are 6 core-hours with fixed quadrature.

Sample i of a seed is the same whatever n, the number of processes, and what the cache holds: its random
numbers come from ``SeedSequence(seed, spawn_key=(i, attempt))`` and its model from a golden-ratio sequence.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from invae.data.simulation import sasmodels_bridge
from invae.data.simulation.blocks import Progress, make_in_blocks, model_of, sample_generator, seed_of
from invae.data.simulation.sets import SimulatedCurves
from invae.errors import InputError

__all__ = ["default_q", "measure_cost", "simulate_curves"]

BLOCK = 64  # samples of one cache file and of one task of a worker
ATTEMPTS = 200
MODEL_SETS = {
    "fast": sasmodels_bridge.FAST_MODELS,
    "sas55": sasmodels_bridge.SAS55_MODELS,
    "all": tuple(sasmodels_bridge.COST_MS),
    "python": sasmodels_bridge.PYTHON_MODELS,
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
    sasmodels_bridge.check_models(tuple(settings["models"]))
    blocks = make_in_blocks(
        _make_block,
        SimulatedCurves,
        settings,
        n,
        BLOCK,
        jobs,
        cache,
        progress,
        prepare=lambda: [sasmodels_bridge.make_kernel(name, [default_q(2)]) for name in settings["models"]],
    )
    return SimulatedCurves.join(blocks)


def measure_cost(
    models: str | Sequence[str] = "all",
    q: np.ndarray | None = None,
    rng: int | np.random.Generator | None = 0,
    draws: int = 5,
    seconds: float = 3.0,
    quadrature: int | None = None,
) -> list[dict[str, Any]]:
    """Processor time of a monodisperse curve by model: rows of model, median_ms, worst_ms, draws, rejected.

    At most ``draws`` draws and about ``seconds`` seconds a model; compilation is not counted.
    """
    settings = _settings(models, q, rng, None, None, False, None, quadrature)
    sasmodels_bridge.check_models(tuple(settings["models"]))
    rows = []
    for name in settings["models"]:
        kernel = sasmodels_bridge.make_kernel(name, [np.asarray(settings["q"])], quadrature)
        times: list[float] = []
        rejected = 0
        while len(times) < draws and sum(times) < seconds:
            seed = np.random.SeedSequence(settings["seed"], spawn_key=(len(times), 0))
            parameters = sasmodels_bridge.random_parameters(name, seed)
            start = time.process_time()
            intensity = sasmodels_bridge.evaluate(kernel, parameters)
            times.append(time.process_time() - start)
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
    return {
        "models": list(names),
        "shares": weights,
        "q": q.tolist(),
        "seed": seed_of(rng),
        "noise": None if noise is None else float(noise),
        "polydispersity": bool(polydispersity),
        "resolution": resolution,
        "quadrature": quadrature,
        "sasmodels": sasmodels_bridge.sasmodels_version(),
    }


def _make_block(settings: dict[str, Any], first: int, last: int) -> SimulatedCurves:
    """Samples first to last - 1."""
    q = np.asarray(settings["q"])
    rows, sigmas, names, parameters = [], [], [], []
    for i in range(first, last):
        name = model_of(i, settings["models"], settings["shares"])
        intensity, drawn = _one_curve(settings, name, i, q)
        if settings["noise"] is not None:
            intensity, deviation = _count(
                q, intensity, settings["noise"], sample_generator(settings["seed"], i)
            )
            sigmas.append(deviation)
        rows.append(intensity)
        names.append(name)
        parameters.append(drawn)
    sigma = np.array(sigmas) if sigmas else None
    return SimulatedCurves(q, np.array(rows), tuple(names), tuple(parameters), sigma, settings)


def _one_curve(settings, name, i, q) -> tuple[np.ndarray, dict[str, Any]]:
    smear = _Pinhole(q, settings["resolution"]) if settings["resolution"] else None
    kernel = sasmodels_bridge.make_kernel(
        name, [q if smear is None else smear.q_fine], settings["quadrature"]
    )
    cost = max(sasmodels_bridge.COST_MS.get(part, 1.0) for part in sasmodels_bridge.model_parts(name))
    mesh = int(100.0 / cost) if settings["polydispersity"] else 1
    for attempt in range(ATTEMPTS):
        seed = np.random.SeedSequence(settings["seed"], spawn_key=(i, attempt))
        parameters = sasmodels_bridge.random_parameters(name, seed, max_evaluations=max(mesh, 1))
        intensity = sasmodels_bridge.evaluate(kernel, parameters)
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
