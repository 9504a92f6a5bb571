from __future__ import annotations

import numpy as np
import pytest

from experiments.shared.stages import run_stages


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INVAE_CACHE", str(tmp_path))
    return tmp_path


def failed(name, why):
    return {"target": name, "met": False, "detail": why}


def stages(calls):
    def good(rng):
        calls.append("good")
        return [{"target": "good", "value": rng.random()}]

    def bad(rng):
        calls.append("bad")
        raise np.linalg.LinAlgError("singular")

    return {"bad": bad, "good": good}


def test_a_stage_that_fails_leaves_the_others_alone(cache):
    rows = run_stages(stages([]), {"resume": False}, np.random.default_rng(0), failed)
    assert rows[0]["detail"] == "LinAlgError: singular" and rows[1]["target"] == "good"
    assert not any(cache.iterdir())


def test_finished_stages_are_kept_and_failed_ones_tried_again(cache):
    calls = []
    first, second = (
        run_stages(stages(calls), {"resume": True}, np.random.default_rng(0), failed) for _ in range(2)
    )
    assert calls == ["bad", "good", "bad"] and first == second
    run_stages(stages(calls), {"resume": True}, np.random.default_rng(1), failed)
    run_stages(stages(calls), {"resume": True, "size": 3}, np.random.default_rng(0), failed)
    assert calls.count("good") == 3
