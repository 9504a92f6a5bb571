"""Threads: our own over chunks of work, those of BLAS held back meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numba
from threadpoolctl import ThreadpoolController

__all__ = ["in_threads", "one_thread"]


def in_threads(work: Callable[[int, int], Any], n: int, chunk: int) -> None:
    """Call ``work(first, last)`` on chunks of range(n), shared among the threads that numba may use."""
    spans = [(first, min(first + chunk, n)) for first in range(0, n, chunk)]
    if len(spans) == 1 or numba.get_num_threads() == 1:
        for span in spans:
            work(*span)
        return
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(lambda span: work(*span), spans))


def one_thread() -> AbstractContextManager[Any]:
    """While this context is open, BLAS works in the thread that calls it."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries, some milliseconds
