from __future__ import annotations

import time

from experiments.shared import timing
from experiments.shared.timing import Timing, time_call, time_calls


def test_the_first_run_does_not_count():
    runs = []

    def work():
        runs.append(len(runs))
        time.sleep(0.2 if runs == [0] else 0)
        return runs[-1]

    found = time_call(work)
    assert runs == [0, 1, 2, 3] and found.value == 3
    assert len(found.seconds) == 3 and max(found.seconds) < 0.2


def test_a_warm_up_on_less_data_takes_the_place_of_the_first_run():
    runs = []
    found = time_call(lambda: runs.append("all"), repeats=2, warm_up=lambda: runs.append("few"))
    assert runs == ["few", "all", "all"] and len(found.seconds) == 2


def test_pieces_of_work_take_turns():
    runs = []
    time_calls({"a": lambda: runs.append("a"), "b": lambda: runs.append("b")}, repeats=2)
    assert "".join(runs) == "ab" + "abab"


def test_long_work_is_not_repeated(monkeypatch):
    monkeypatch.setattr(timing, "LONG_ENOUGH", 0.0)
    assert len(time_call(lambda: None, repeats=5).seconds) == 1


def test_median_and_half_the_range_are_told():
    found = Timing((1.0, 4.0, 2.0), None)
    assert found.columns() == {"seconds": 2.0, "seconds, ±": 1.5, "repetitions": 3}
    assert Timing((1.0,), None).columns() == {"seconds": 1.0, "seconds, ±": None, "repetitions": 1}
