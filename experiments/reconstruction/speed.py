"""Throughputs as ratios: methods in turns on their batches, and ASTRA's projector against ours."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from experiments.reconstruction.peers import have_astra
from experiments.shared.timing import time_calls
from invae.operators import Radon

__all__ = ["astra_ratio", "seconds_per_sample"]

ASTRA_IMAGES = 50  # one at a time, as that library takes them: enough to average over
PAIRS = 7  # projections of both in turns


def seconds_per_sample(methods: dict[str, Any], batches: dict[str, np.ndarray]) -> dict[str, float]:
    """Median seconds of ``predict`` per sample, the methods taking turns, after one untimed sample each."""
    works = {label: partial(method.predict, batches[label]) for label, method in methods.items()}
    first = {label: partial(method.predict, batches[label][:1]) for label, method in methods.items()}
    timings = time_calls(works, warm_up=first)
    return {label: timing.median / len(batches[label]) for label, timing in timings.items()}


def astra_ratio(F: Radon, signals: np.ndarray) -> float | None:
    """ASTRA's seconds per forward projection over ours in batches; None without astra-toolbox."""
    if not have_astra():
        return None
    import astra

    volume = astra.create_vol_geom(*F.dims)
    scan = astra.create_proj_geom("parallel", F.detector_spacing, F.n_detectors, F.angles)
    projector = astra.create_projector("linear", scan, volume)
    few = signals[:ASTRA_IMAGES]

    def project() -> None:
        for image in few:
            key, _ = astra.create_sino(image, projector)
            astra.data2d.delete(key)

    timings = time_calls({"astra": project, "ours": lambda: F.apply(signals)}, repeats=PAIRS)
    astra.projector.delete(projector)
    ratios = [a / b for a, b in zip(timings["astra"].seconds, timings["ours"].seconds)]
    return float(np.median(ratios)) * len(signals) / len(few)
