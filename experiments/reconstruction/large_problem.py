"""One large problem in a process of its own, so that its peak memory is nobody else's."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from experiments.reconstruction.study import draw_pairs
from experiments.shared.timing import time_call
from invae.autoencoders import BayesRiskReconstructor
from invae.classical import Cgls
from invae.evaluation import relative_error
from invae.operators import GaussianNoise, Radon

__all__ = ["fit_large"]

N_TEST = 8
WARM_UP = 24  # pixels a side and images of the fit that compiles the kernels
NAMES = ("signals", "clean", "test", "noisy")


def fit_large(size: int, n: int, level: float, seed: int) -> dict[str, float]:
    """Tomography of ellipses: seconds of the fit (wall, processor), peak memory with the data, errors.

    The data are drawn in one process and fitted in another, which only reads them.
    """
    with tempfile.TemporaryDirectory() as folder:
        for step in ("draw", "fit"):
            arguments = [step, folder, str(size), str(n), str(level), str(seed)]
            command = [sys.executable, "-m", "experiments.reconstruction.large_problem", *arguments]
            process = subprocess.run(command, check=False, capture_output=True, text=True)
            if process.returncode != 0:
                raise RuntimeError(
                    f"the process of the large problem failed: {process.stderr.strip()[-300:]}"
                )
    return json.loads(process.stdout)


def draw(folder: Path, size: int, n: int, level: float, seed: int) -> None:
    rng, F = np.random.default_rng(seed), operator(size)
    train, test = draw_pairs("ellipses", F, n, rng), draw_pairs("ellipses", F, N_TEST, rng)
    noisy = GaussianNoise(relative=level).sample(test.clean, rng)
    for name, array in zip(NAMES, (train.signals, train.clean, test.signals, noisy), strict=True):
        np.save(folder / f"{name}.npy", array)


def fit(folder: Path, size: int, level: float) -> dict[str, float]:
    signals, clean, test, y = (np.load(folder / f"{name}.npy") for name in NAMES)
    F, noise = operator(size), GaussianNoise(relative=level)
    small = operator(WARM_UP)
    few = draw_pairs("ellipses", small, WARM_UP, np.random.default_rng(0))

    def timed_fit() -> tuple[BayesRiskReconstructor, float]:
        busy = time.process_time()
        return fitted(F, noise, signals, clean), time.process_time() - busy

    timing = time_call(timed_fit, warm_up=lambda: fitted(small, noise, few.signals, few.clean))
    linear, busy = timing.value
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cgls = Cgls(F, parameter="discrepancy", noise=noise).fit()
    errors = [float(relative_error(np.asarray(method.predict(y)), test).mean()) for method in (linear, cgls)]
    figures = {"seconds": timing.median, "spread": timing.spread, "processor_seconds": busy, "peak_gib": peak}
    return figures | {"error": errors[0], "cgls": errors[1]}


def fitted(F: Radon, noise: GaussianNoise, signals: np.ndarray, clean: np.ndarray) -> BayesRiskReconstructor:
    return BayesRiskReconstructor(F, noise=noise, rank="full").fit(signals, clean)


def operator(size: int) -> Radon:
    return Radon((size, size), n_angles=size // 4)


if __name__ == "__main__":
    step, where, side, n_signals, relative, first_seed = sys.argv[1:]
    if step == "draw":
        draw(Path(where), int(side), int(n_signals), float(relative), int(first_seed))
    else:
        print(json.dumps(fit(Path(where), int(side), float(relative))))
