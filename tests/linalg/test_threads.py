from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from invae.linalg.threads import WORKER, in_threads, one_thread, workers


def test_an_interruption_cancels_what_has_not_begun():
    begun, go = [], threading.Event()

    def work(k):
        begun.append(k)
        go.wait(10)

    with pytest.raises(KeyboardInterrupt), workers(2) as map_:
        results = map_(work, range(100))
        assert results is not None
        while len(begun) < 2:
            pass
        threading.Timer(0.05, go.set).start()
        raise KeyboardInterrupt  # in the caller's own code, not in the map
    assert sorted(begun) == [0, 1]


def test_an_interruption_stops_what_runs():
    begun, ended = threading.Event(), []

    def work(k):
        begun.set()
        for _ in range(10_000_000):
            time.sleep(0.001)
        ended.append(k)

    with pytest.raises(KeyboardInterrupt), workers(2) as map_:
        results = map_(work, range(2))
        assert results is not None and begun.wait(10)
        raise KeyboardInterrupt
    for thread in threading.enumerate():
        if thread.name.startswith(WORKER):
            thread.join(20)
            assert not thread.is_alive()
    assert not ended  # it would have taken hours


def test_one_worker_is_the_caller_itself():
    with workers(1) as map_:
        assert (
            list(map_(lambda k: threading.current_thread() is threading.main_thread(), range(3)))
            == [True] * 3
        )


@pytest.mark.parametrize(("n", "chunk"), [(10, 3), (4, 8), (9, 3), (0, 2)])
def test_every_index_is_worked_on_once(n, chunk):
    counts = np.zeros(n, int)

    def work(first, last):
        counts[first:last] += 1

    with one_thread():
        if n:
            in_threads(work, n, chunk)
    assert (counts == 1).all()


def test_an_error_in_a_thread_reaches_the_caller():
    def work(first, last):
        raise ValueError(f"{first}..{last}")

    with pytest.raises(ValueError, match=r"\.\."):
        in_threads(work, 10, 2)
