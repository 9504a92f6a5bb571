"""Wall time of work: a first run that does not count (kernels compile, caches fill), then a median.

Every row of a study that states a time takes it from here. Where several pieces of work are compared they
take turns, so that a busy minute of the machine falls on all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["REPEATS", "Timing", "time_call", "time_calls"]

REPEATS = 3
LONG_ENOUGH = 20.0  # seconds: work that has taken as long in all is not repeated again, its spread is small


@dataclass(frozen=True)
class Timing:
    """Seconds of each repetition, and what the last one returned."""

    seconds: tuple[float, ...]
    value: Any

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """Half the range over the repetitions, 0 for a single one."""
        return (max(self.seconds) - min(self.seconds)) / 2

    def columns(self, name: str = "seconds") -> dict[str, float | int | None]:
        """For a row of a table: median, spread, repetitions."""
        spread = self.spread if len(self.seconds) > 1 else None
        return {name: self.median, f"{name}, ±": spread, "repetitions": len(self.seconds)}


def time_calls(
    works: Mapping[str, Callable[[], Any]],
    *,
    repeats: int = REPEATS,
    warm_up: Mapping[str, Callable[[], Any]] | None = None,
) -> dict[str, Timing]:
    """Time pieces of work that take turns.

    Parameters
    ----------
    works : dict of str to callable
    repeats : int
        At most; work that has taken 20 s in all is left at that.
    warm_up : dict of str to callable, optional
        Run once, untimed, in place of the work of the same name: the same on less data.

    Returns
    -------
    dict of str to Timing
    """
    for name, work in works.items():
        (warm_up or {}).get(name, work)()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    values: dict[str, Any] = {}
    for _ in range(max(1, repeats)):
        for name, work in works.items():
            if seconds[name] and sum(seconds[name]) >= LONG_ENOUGH:
                continue
            values.pop(name, None)  # two results at once may not fit into memory
            start = time.perf_counter()
            values[name] = work()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(seconds[name]), values[name]) for name in works}


def time_call(
    work: Callable[[], Any], *, repeats: int = REPEATS, warm_up: Callable[[], Any] | None = None
) -> Timing:
    """`time_calls` for one piece of work."""
    return time_calls({"": work}, repeats=repeats, warm_up={"": warm_up} if warm_up else None)[""]
