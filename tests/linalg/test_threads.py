from __future__ import annotations

import numpy as np
import pytest

from invae.linalg.threads import in_threads, one_thread


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
