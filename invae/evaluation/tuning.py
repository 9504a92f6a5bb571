"""Rivals at their best: every layout of a set and every setting is tried, and the smallest result counts.

Choosing on the very data that are reported favours the rival. What a choice costs to store (which layout,
which setting) is not counted. Where the bindings give no options (SZ3 chooses its predictor by itself), the
layouts are what is left to tune.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from invae.errors import BoundError
from invae.evaluation.domains import domain_for
from invae.evaluation.rates import Codec
from invae.evaluation.rivals import (
    Bitshuffle,
    JpegXl,
    JpegXlGrid,
    Pcodec,
    Sperr,
    Sz3,
    TrivialGrid,
    Zfp,
    Zstd,
    codecs,
)

__all__ = ["Tuned", "layouts", "tuned_rivals"]

GROUPED = 8  # rows of a block where curves are made a volume

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tuned:
    """The smallest result of one rival; ``layout`` and ``setting`` it was found with, ``tried`` in all."""

    codec: str
    layout: str
    setting: str
    n_bytes: int
    max_error: float
    encode_seconds: float
    decode_seconds: float
    tried: int


def layouts(array: np.ndarray) -> dict[str, np.ndarray]:
    """The same values in other orders and shapes.

    >>> list(layouts(np.zeros((16, 9)))), list(layouts(np.zeros((2, 8, 8)))), list(layouts(np.zeros(64)))
    (['rows', 'columns', 'flat', 'volume'], ['stack', 'tall', 'flat'], ['flat', 'folded'])
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    if array.ndim == 1:
        side = int(np.sqrt(array.size))
        while side > 1 and array.size % side:
            side -= 1
        return {"flat": flat} | ({"folded": flat.reshape(side, -1)} if side >= 8 else {})
    if array.ndim == 2:
        views = {"rows": array, "columns": np.ascontiguousarray(array.T), "flat": flat}
        if len(array) % GROUPED == 0 and len(array) > GROUPED:
            views["volume"] = array.reshape(-1, GROUPED, array.shape[1])
        return views
    return {"stack": array, "tall": array.reshape(-1, array.shape[-1]), "flat": flat}


def tuned_rivals(
    array: np.ndarray,
    bound: str | float | None,
    sigma: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    *,
    efforts: tuple[int, ...] = (7, 9),
    among: tuple[str, ...] | None = None,
    repeats: int = 1,
) -> list[Tuned]:
    """Code an array with every rival in every layout and setting; the bound is verified on every decode.

    Parameters
    ----------
    array : ndarray of one to three axes
        The first axis counts samples where there are two (curves) or three (frames).
    bound : str, float or None
        As for `invae.evaluation.domains.domain_for`.
    sigma, mask : ndarray like ``array``, optional
    efforts : tuple of int
        Settings of JPEG XL.
    among : tuple of str, optional
        Names of the only rivals to run.
    repeats : int
        More than 1: the best layout and setting of a rival is run so often again for its median times.

    Returns
    -------
    list of Tuned
        One for every rival that can do it.

    Examples
    --------
    >>> rivals = tuned_rivals(np.sin(np.arange(256) / 20).reshape(16, 16), "abs:0.01")
    >>> all(best.max_error <= 1 for best in rivals), "grid + best lossless" in [best.codec for best in rivals]
    (True, True)
    """
    views = layouts(np.asarray(array))
    sigmas = layouts(np.asarray(sigma)) if sigma is not None else {}
    masks = layouts(np.asarray(mask)) if mask is not None else {}
    domains = {key: domain_for(view, bound, sigmas.get(key), masks.get(key)) for key, view in views.items()}
    best_of_each = []
    for name, settings in _settings(efforts).items():
        if among is not None and name not in among:
            continue
        best: Tuned | None = None
        tried = 0
        for setting, codec in settings.items():
            for layout, domain in domains.items():
                if not codec.supports(np.ascontiguousarray(domain.values), domain.tolerance):
                    continue
                try:
                    result = domain.measure(codec)
                except BoundError as error:
                    log.info("%s, %s: %s", name, layout, error)
                    continue
                tried += 1
                size = result.n_bytes + domain.side_bytes
                if best is None or size < best.n_bytes:
                    seconds = result.encode_seconds, result.decode_seconds
                    best = Tuned(name, layout, setting, size, result.max_error, *seconds, tried)
        if best is not None:
            if repeats > 1:
                again = domains[best.layout].measure(settings[best.setting], repeats)
                best = replace(best, encode_seconds=again.encode_seconds, decode_seconds=again.decode_seconds)
            best_of_each.append(replace(best, tried=tried))
    return best_of_each


def _settings(efforts: tuple[int, ...]) -> dict[str, dict[str, Codec]]:
    """Rival -> setting -> codec, of those that are installed."""
    everything: dict[str, dict[str, Codec]] = {
        "SZ3": {"default": Sz3()},
        "SPERR": {"default": Sperr()},
        "ZFP": {"default": Zfp()},
        "grid + JPEG XL": {f"effort {effort}": JpegXlGrid(effort) for effort in efforts},
        "JPEG XL": {f"effort {effort}": JpegXl(effort) for effort in efforts},
        "pcodec": {f"level {level}": Pcodec(level) for level in (8, 12)},
        "grid + best lossless": {"best of 15": TrivialGrid()},
        "bitshuffle-lz4": {"default": Bitshuffle("lz4")},
        "bitshuffle-zstd": {"default": Bitshuffle("zstd")},
        "zstd-19": {"level 19": Zstd(19)},
    }
    installed = set(codecs())
    return {
        name: settings
        for name, settings in everything.items()
        if name.removeprefix("grid + ") in installed or name in installed
    }
