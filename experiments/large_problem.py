"""One large problem in a process of its own, so that its peak memory is nobody else's."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import numpy as np

from experiments.reconstruction import draw_pairs
from invae.autoencoders import BayesRiskReconstructor
from invae.classical import Cgls
from invae.evaluation import relative_error
from invae.operators import GaussianNoise, Radon

__all__ = ["fit_large"]

N_TEST = 8


def fit_large(size: int, n: int, level: float, seed: int) -> dict[str, float]:
    """Tomography of ellipses: seconds of the fit (wall, processor), peak memory with the data, errors."""
    arguments = [str(value) for value in (size, n, level, seed)]
    command = [sys.executable, "-m", "experiments.large_problem", *arguments]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    if found.returncode != 0:
        raise RuntimeError(f"the process of the large problem failed: {found.stderr.strip()[-300:]}")
    return json.loads(found.stdout)


def measure(size: int, n: int, level: float, seed: int) -> dict[str, float]:
    rng, noise = np.random.default_rng(seed), GaussianNoise(relative=level)
    F = Radon((size, size), n_angles=size // 4)
    train, test = draw_pairs("ellipses", F, n, rng), draw_pairs("ellipses", F, N_TEST, rng)
    y = noise.sample(test.clean, rng)
    start, busy = time.perf_counter(), time.process_time()
    linear = BayesRiskReconstructor(F, noise=noise, rank="full").fit(train.signals, train.clean)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cgls = Cgls(F, parameter="discrepancy", noise=noise).fit()
    errors = [float(relative_error(method.predict(y), test.signals).mean()) for method in (linear, cgls)]
    found = {"seconds": seconds, "processor_seconds": busy, "peak_gib": peak}
    return found | {"error": errors[0], "cgls": errors[1]}


if __name__ == "__main__":
    side, n_signals, relative, first_seed = sys.argv[1:]
    print(json.dumps(measure(int(side), int(n_signals), float(relative), int(first_seed))))
