"""Compilation is told once, and can be had ahead."""

from __future__ import annotations

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from invae.cli.console import stop_telling, tell_compiling


def test_compilation_is_told_once_and_only_while_a_verb_runs(capsys):
    @numba.njit
    def one_more(x):
        return x + 1

    tell_compiling()
    try:
        assert capsys.readouterr().err == ""
        one_more(1)
        one_more(1.0)
    finally:
        stop_telling()
    one_more(np.zeros(2))
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "invae warm" in told


@pytest.mark.slow  # compiles everything: minutes
def test_after_warming_no_call_compiles(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}

    def run(*words):
        line = [sys.executable, "-m", "invae.cli", *words]
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)

    assert "compiled" in run("warm").stderr
    assert "all kernels were compiled already" in run("warm").stderr
    rng = np.random.default_rng(1)
    np.save(tmp_path / "rows.npy", rng.normal(size=(60, 300)).cumsum(axis=1))
    np.save(tmp_path / "frames.npy", rng.poisson(4, (5, 50, 60)).astype(np.int32))
    for name, bound in (
        ("rows", "abs:0.01"),
        ("rows", "l2:0.05"),
        ("frames", "0.25sigma"),
        ("frames", "lossless"),
    ):
        archive = f"{name}-{bound[:3]}.inva"
        assert "compiling" not in run("compress", f"{name}.npy", "-o", archive, "--bound", bound).stderr
        assert "compiling" not in run("verify", archive).stderr
