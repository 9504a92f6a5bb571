"""Threads: our own over chunks of work, those of BLAS held back meanwhile."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import numba
from threadpoolctl import ThreadpoolController

__all__ = ["WORKER", "in_threads", "one_thread", "workers"]

WORKER = "invae-worker"


@contextmanager
def workers(n: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """A ``map`` in n threads (one: the caller's own) that ends with the block.

    After an error or an interruption what has not begun is cancelled, and nothing is waited for: what runs
    stops by itself at its next line of Python, which after a compiled kernel may be some time later; until
    then its thread has a name that begins with `WORKER`.
    """
    if n == 1:
        yield map
        return
    running: set[int] = set()

    def mapped(work: Callable[..., Any], *inputs: Iterable[Any]) -> Iterator[Any]:
        def noted(*given: Any) -> Any:
            running.add(threading.get_ident())
            try:
                return work(*given)
            finally:
                running.discard(threading.get_ident())

        return pool.map(noted, *inputs)

    pool = ThreadPoolExecutor(n, thread_name_prefix=WORKER)
    try:
        yield mapped
        pool.shutdown(cancel_futures=True)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for thread in list(running):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))
        raise


def in_threads(work: Callable[[int, int], Any], n: int, chunk: int) -> None:
    """Call ``work(first, last)`` on chunks of range(n), shared among the threads that numba may use."""
    spans = [(first, min(first + chunk, n)) for first in range(0, n, chunk)]
    if len(spans) == 1 or numba.get_num_threads() == 1:
        for span in spans:
            work(*span)
        return
    with workers(numba.get_num_threads()) as map_:
        list(map_(lambda span: work(*span), spans))


def one_thread() -> AbstractContextManager[Any]:
    """While this context is open, BLAS works in the thread that calls it."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries, some milliseconds
