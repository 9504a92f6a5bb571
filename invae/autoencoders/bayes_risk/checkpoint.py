"""Sums of a long fit on disk, so that an interrupted one goes on where it stopped.

A fit to a stream reads every batch once and keeps moments and some held-out pairs. These, the number of rows
read and the state of the random numbers are all that the rest of the fit needs.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.arrays.atomic import atomic_path
from invae.errors import FileError
from invae.linalg.moments import PairMoments

__all__ = ["Checkpoint"]

logger = logging.getLogger(__name__)

SECONDS = 60.0  # an interruption costs a minute's work, and writing takes but a share of it


class Checkpoint:
    """A file with the sums of a fit that is under way.

    Parameters
    ----------
    path : path
        Written whole or not at all (.npz inside, whatever the name).
    job : mapping
        JSON-able; what pins down data and model.
    overwrite : bool
        Forget the sums of another job instead of refusing.
    seconds : float, optional
        Time between two writings, by default 60.

    Attributes
    ----------
    n_rows : int
        Rows that the sums hold; the stream must start after them.

    Raises
    ------
    FileError
        The file is no checkpoint, or one of another job.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        job: Mapping[str, Any],
        overwrite: bool = False,
        seconds: float | None = None,
    ) -> None:
        self.path = Path(path)
        self.seconds = SECONDS if seconds is None else seconds
        self._job = json.dumps(job, sort_keys=True)
        self._state: dict[str, np.ndarray] | None = None
        self._written = time.monotonic()
        self.n_rows = 0
        if self.path.exists():
            self._read(overwrite)

    def restore(self, rng: np.random.Generator) -> tuple[PairMoments, list[np.ndarray], list[np.ndarray]]:
        """Moments and held-out signals and measurements so far; ``rng`` goes on where it was."""
        moments = PairMoments()
        if self._state is None:
            return moments, [], []
        for name, value in self._state.items():
            if name.startswith("moments_"):
                part = name.removeprefix("moments_")
                setattr(moments, part, int(value) if part == "n_samples" else value)
        rng.bit_generator.state = json.loads(str(self._state["rng"]))
        logger.info("going on after row %d, from %s", self.n_rows, self.path)
        return moments, [self._state["held_x"]], [self._state["held_y"]]

    def keep(
        self,
        n_rows: int,
        moments: PairMoments,
        held_x: list[np.ndarray],
        held_y: list[np.ndarray],
        rng: np.random.Generator,
    ) -> None:
        """Write the sums of the first ``n_rows`` rows, unless that was done a short while ago."""
        if n_rows <= self.n_rows or time.monotonic() - self._written < self.seconds:
            return
        state = {f"moments_{name}": value for name, value in vars(moments).items()}
        state |= {"held_x": np.concatenate(held_x), "held_y": np.concatenate(held_y)}
        state |= {"rng": json.dumps(rng.bit_generator.state), "job": self._job, "n_rows": n_rows}
        with atomic_path(self.path, overwrite=True) as temporary, open(temporary, "wb") as file:
            np.savez(file, **state)
        self.n_rows, self._written = n_rows, time.monotonic()

    def _read(self, overwrite: bool) -> None:
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                state = dict(archive)
            same = str(state["job"]) == self._job
        except (OSError, ValueError, KeyError) as error:
            raise FileError(f"{self.path} holds no sums of an unfinished fit; move it away") from error
        if same:
            self._state, self.n_rows = state, int(state["n_rows"])
        elif not overwrite:
            raise FileError(
                f"{self.path} holds the sums of another unfinished fit (other data, operator or settings); "
                "delete it, or allow overwriting (--force) to start anew"
            )
