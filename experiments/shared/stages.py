"""Long experiments in stages: each keeps what it found, and one that fails leaves the others alone.

Finished stages are kept in the cache folder under a hash of the configuration, the seed and the project's
source, so that an interrupted run goes on where it stopped and never mixes two versions of the code.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.arrays.atomic import atomic_path
from invae.data.sets.manifest import cache_folder

__all__ = ["run_stages"]

FAILURES = (ValueError, ArithmeticError, MemoryError, OSError, RuntimeError)
SOURCES = ("invae", "experiments")

log = logging.getLogger(__name__)

Rows = list[dict[str, Any]]


def run_stages(
    stages: dict[str, Callable[[np.random.Generator], Rows]],
    config: dict[str, Any],
    rng: np.random.Generator,
    failed: Callable[[str, str], dict[str, Any]],
) -> Rows:
    """Rows of all stages, in order.

    Parameters
    ----------
    stages : dict
        Name -> function of its own random generator.
    config : dict
        With "resume": whether finished stages are kept and taken from an earlier run.
    rng : Generator
    failed : callable
        Row for the name of a stage that failed, and why.
    """
    folder = cache_folder() / "stages" / _fingerprint(config, rng) if config["resume"] else None
    rows: Rows = []
    for (name, stage), own in zip(stages.items(), rng.spawn(len(stages))):
        kept = None if folder is None else folder / f"{name}.json"
        if kept is not None and kept.is_file():
            log.info("stage %s: kept from %s", name, kept)
            rows += json.loads(kept.read_text(encoding="utf-8"))
            continue
        start = time.perf_counter()
        try:
            added = stage(own)
        except FAILURES as error:
            log.exception("stage %s failed", name)
            rows.append(failed(name, f"{type(error).__name__}: {error}"))
            continue
        log.info("stage %s: %d rows in %.0f s", name, len(added), time.perf_counter() - start)
        rows += added
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(kept, overwrite=True) as temporary:
                temporary.write_text(json.dumps(added), encoding="utf-8")
    return rows


def _fingerprint(config: dict[str, Any], rng: np.random.Generator) -> str:
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256(json.dumps([config, rng.bit_generator.state], sort_keys=True).encode())
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
