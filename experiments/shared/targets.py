"""Rows of a table of targets, and the throughputs that stand in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from invae.operators import Radon

__all__ = ["astra_ratio", "at_least", "at_most", "seconds_per_sample", "within"]

REPEATS = 3


def at_most(target: str, measured: float, limit: float, detail: str = "") -> dict[str, Any]:
    return row(target, f"<= {limit:g}", measured, measured <= limit, detail)


def at_least(target: str, measured: float, limit: float, detail: str = "") -> dict[str, Any]:
    return row(target, f">= {limit:g}", measured, measured >= limit, detail)


def within(target: str, measured: float, centre: float, width: float, detail: str = "") -> dict[str, Any]:
    return row(target, f"{centre:g} ± {width:g}", measured, abs(measured - centre) <= width, detail)


def row(target: str, wanted: str, measured: float, met: bool, detail: str) -> dict[str, Any]:
    found = {"target": target, "wanted": wanted, "measured": float(measured), "met": bool(met)}
    return found | {"detail": detail}


def seconds_per_sample(methods: dict[str, Any], batches: dict[str, np.ndarray]) -> dict[str, float]:
    """Median seconds of ``predict`` per sample, the methods taking turns, after one untimed sample each."""
    seconds: dict[str, list[float]] = {label: [] for label in methods}
    for label, method in methods.items():
        method.predict(batches[label][:1])
    for _ in range(REPEATS):
        for label, method in methods.items():
            seconds[label].append(timed(method.predict, batches[label]))
    return {label: float(np.median(found)) for label, found in seconds.items()}


def timed(work: Callable[[np.ndarray], Any], batch: np.ndarray) -> float:
    start = time.perf_counter()
    work(batch)
    return (time.perf_counter() - start) / len(batch)


def astra_ratio(F: Radon, signals: np.ndarray) -> float | None:
    """ASTRA's seconds per forward projection over ours in batches; None without astra-toolbox."""
    from experiments.reconstruction.peers import have_astra

    if not have_astra():
        return None
    import astra

    volume = astra.create_vol_geom(*F.dims)
    scan = astra.create_proj_geom("parallel", F.detector_spacing, F.n_detectors, F.angles)
    projector = astra.create_projector("linear", scan, volume)

    def project(images: np.ndarray) -> None:
        for image in images:
            key, _ = astra.create_sino(image, projector)
            astra.data2d.delete(key)

    project(signals[:1])
    F.apply(signals)
    ratios = [timed(project, signals[:50]) / timed(F.apply, signals) for _ in range(2 * REPEATS + 1)]
    astra.projector.delete(projector)
    return float(np.median(ratios))
