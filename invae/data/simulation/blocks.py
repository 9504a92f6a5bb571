"""Simulated sets are made in blocks: by several processes, kept on disk, continued where a run stopped."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from invae.data.arguments import generator, whole_number
from invae.data.sets.manifest import cache_folder
from invae.errors import FileError, FormatError, InputError
from invae.extras import optional_imports

__all__ = ["Progress", "make_in_blocks", "model_of", "sample_generator", "seed_of"]

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
GOLDEN = 0.6180339887498949
NOISE = 2**31  # spawn key of the noise of a sample; smaller ones number its attempts at parameters


class Block(Protocol):
    """A set of samples that can be cut, written and read."""

    def __len__(self) -> int: ...
    def head(self, n: int) -> Any: ...
    def write(self, path: Path, overwrite: bool = False) -> Path: ...
    @classmethod
    def read(cls, path: Path) -> Any: ...


B = TypeVar("B", bound=Block)


def make_in_blocks(
    make: Callable[[dict[str, Any], int, int], B],
    kind: type[B],
    settings: dict[str, Any],
    n: int,
    size: int,
    jobs: int,
    cache: bool | str | os.PathLike[str],
    progress: Progress | None,
    prepare: Callable[[], object],
) -> list[B]:
    """Blocks of ``size`` samples, the last one shorter, that together hold samples 0 to n - 1.

    Parameters
    ----------
    make : callable(settings, first, last)
        Makes samples first to last - 1; sample i must depend on settings and i only.
    kind : type
        Class of the blocks.
    settings : dict
        JSON-able; equal settings share one cache folder, whatever n.
    cache : bool or path
        Root of the cache; True is invae's own, False none.
    prepare : callable()
        Called once in this process before workers start (compilation).
    """
    if not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"n={n!r}: ask for at least one sample")
    if not isinstance(jobs, int | np.integer) or jobs < 1:
        raise InputError(f"jobs={jobs!r}: ask for at least one process")
    folder = _folder(cache, kind, settings)
    spans = [(first, min(first + size, n)) for first in range(0, n, size)]
    blocks = {span: held for span in spans if folder and (held := _held(folder, kind, span)) is not None}
    done = sum(len(block) for block in blocks.values())
    if progress and done:
        progress(done, n)
    missing = [span for span in spans if span not in blocks]
    for span, block in _run(make, settings, missing, jobs, prepare):
        blocks[span] = block
        if folder:
            try:
                block.write(_path(folder, span), overwrite=True)
            except FileError as error:  # a full disk, or another run that makes the same samples
                log.warning("not kept in the cache: %s", error)
        done += len(block)
        if progress:
            progress(done, n)
    return [blocks[span] for span in spans]


def model_of(i: int, models: Sequence[str], shares: Sequence[float]) -> str:
    """Model of sample i: the golden-ratio sequence meets every share, evenly over any stretch of samples."""
    edges = np.cumsum(shares)
    u = ((i + 0.5) * GOLDEN) % 1.0
    return models[min(int(np.searchsorted(edges, u * edges[-1], side="right")), len(models) - 1)]


def sample_generator(seed: int, i: int) -> np.random.Generator:
    """Random numbers of sample i for everything but its model parameters."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i, NOISE)))


def seed_of(rng: int | np.random.Generator | None) -> int:
    """The integer that a whole set is made from."""
    if isinstance(rng, int | np.integer):
        return whole_number(rng, "rng")
    return int(generator(rng).integers(2**63))


def _run(make, settings, missing, jobs, prepare) -> Iterator[tuple]:
    if jobs == 1 or len(missing) < 2:
        for span in missing:
            yield span, make(settings, *span)
        return
    with optional_imports():
        from joblib import Parallel, delayed

    prepare()
    tasks = (delayed(make)(settings, *span) for span in missing)
    yield from zip(missing, Parallel(n_jobs=jobs, return_as="generator", batch_size=1)(tasks))


def _folder(cache, kind, settings) -> Path | None:
    if cache is False or cache is None:
        return None
    root = cache_folder() / "simulated" if cache is True else Path(cache)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:20]
    folder = root / f"{kind.__name__}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _path(folder: Path, span: tuple[int, int]) -> Path:
    return folder / f"{span[0]:09d}.h5"


def _held(folder: Path, kind: type[B], span: tuple[int, int]) -> B | None:
    """Block of the cache when it is there, whole, and holds at least the samples wanted."""
    path = _path(folder, span)
    if not path.is_file():
        return None
    try:
        block = kind.read(path)
    except FormatError:
        log.warning("damaged cache file %s is made again", path)
        return None
    wanted = span[1] - span[0]
    return block.head(wanted) if len(block) >= wanted else None
