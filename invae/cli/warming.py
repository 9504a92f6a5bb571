"""``invae warm``: compile all kernels ahead, so that no later call has to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from invae.cli.console import plural, progress, say
from invae.errors import MissingExtraError

__all__ = ["VERBS", "warm"]


def warm() -> None:
    """Compile all kernels ahead (a minute or two, once on a machine); later calls find them compiled."""
    from numba.core import event

    count = 0

    class Counter(event.Listener):
        def on_start(self, event: Any) -> None:
            nonlocal count
            count += 1

        def on_end(self, event: Any) -> None:
            pass

    counter = Counter()
    event.register("numba:compile", counter)
    try:
        with progress("compiling") as update:
            examples = [*_codec_examples(), *_reconstruction_examples()]
            for k, example in enumerate(examples):
                # What is not installed needs no kernels; what the examples give is nobody's concern.
                with suppress(MissingExtraError), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    example()
                update(k + 1, len(examples))
    finally:
        event.unregister("numba:compile", counter)
    say(f"{plural(count, 'kernel')} compiled" if count else "all kernels were compiled already")


def _codec_examples() -> Iterator[Callable[[], Any]]:
    """Small data of every kind through every way of coding, and back."""
    from invae.codec import compress, decompress
    from invae.data.records import Curve

    rng = np.random.default_rng(0)
    q = np.geomspace(0.01, 0.5, 200)
    curve = 1e3 * np.exp(-((20 * q) ** 2) / 3) + 1
    sigma = np.sqrt(curve) / 10
    noisy = curve + sigma * rng.normal(size=q.shape)
    frames = rng.poisson(np.hypot(*np.indices((40, 40))) + 1, (3, 40, 40))

    def both_ways(data: Any, bound: str, **options: Any) -> Callable[[], Any]:
        return lambda: decompress(compress(data, bound, **options))

    for dtype in (np.float64, np.float32):
        stack = np.tile(noisy, (40, 1)).astype(dtype)
        for model in ("default", "fast", None):
            for bound in ("abs:0.1", "rel:1e-3", "log:1e-3"):
                yield both_ways(stack, bound, model=model)
        for bound in ("lossless", "l2:0.01"):
            yield both_ways(stack, bound)
            yield both_ways(frames.astype(dtype), bound)
        yield both_ways(frames.astype(dtype), "abs:0.5")
        yield both_ways(frames + rng.normal(size=frames.shape).astype(dtype), "abs:0.1")
    for counts in (np.uint16, np.int32):
        for bound in ("lossless", "0.25sigma", "abs:2"):
            yield both_ways(frames.astype(counts), bound)
    record = Curve(q=q, intensity=noisy, sigma=sigma, units={"q": "1/angstrom"})
    for bound in ("lossless", "0.25sigma", "rel:1e-3", "l2:0.01"):
        yield both_ways([record] * 20, bound)


def _reconstruction_examples() -> Iterator[Callable[[], Any]]:
    """Projections, penalties with iterations, sparse codes."""

    def fitted(name: str, dtype: Any) -> Callable[[], Any]:
        def run() -> None:
            import invae

            x = np.random.default_rng(0).random((20, 12, 12)).astype(dtype)
            radon = invae.Radon((12, 12), n_angles=8)
            y = np.stack([radon @ image.ravel() for image in x]).astype(dtype)
            if name == "PatchAffineRefiner":
                linear = invae.BayesRiskReconstructor(radon, noise=invae.GaussianNoise(0.1), rank=5)
                invae.PatchAffineRefiner(linear, n_stages=1).fit(x).predict(y[:1])
            elif name == "SparseAutoencoder":
                invae.SparseAutoencoder(n_atoms=16).fit(x.reshape(20, -1))
            else:
                options = {"max_iter": 2} if name.startswith("Total") else {}
                getattr(invae, name)(radon, **options).fit().predict(y[:1])

        return run

    for dtype in (np.float64, np.float32):
        for name in (
            "FilteredBackprojection",
            "TotalVariation",
            "TotalGeneralisedVariation",
            "PatchAffineRefiner",
            "SparseAutoencoder",
        ):
            yield fitted(name, dtype)


VERBS = (warm,)
