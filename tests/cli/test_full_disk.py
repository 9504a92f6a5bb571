"""A full disk: one sentence that names the output, nothing left of it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

OUTPUTS = [
    ("compress", "big.npy", "-o", "{disk}/a.inva"),
    ("decompress", "big.inva", "-o", "{disk}/x.h5"),
    ("decompress", "big.inva", "-o", "{disk}/folder"),
    ("get", "0", "curve.inva", "-o", "{disk}/c.h5"),
    ("get", "0", "curve.inva", "-o", "{disk}/c.dat"),
    ("get", "0", "curve.inva", "-o", "{disk}/c.xml"),
    ("convert", "curve.dat", "-o", "{disk}/c.h5"),
    ("convert", "curve.dat", "-o", "{disk}/c.npy"),
    ("simulate", "phantoms", "-o", "{disk}/p.tif", "-n", "9"),
    ("simulate", "phantoms", "-o", "{disk}/p.h5", "-n", "9"),
]


@pytest.fixture
def files(tmp_path, rng, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("big.npy", rng.normal(size=(40, 500)))
    rows = "\n".join(f"{q:.4f} {1 + 1 / q:.6f} 0.01" for q in np.linspace(0.001, 1, 3000))
    (tmp_path / "curve.dat").write_text(f"# q (1/A) I (1/cm) dI\n{rows}\n")
    for name in ("big.npy", "curve.dat"):
        assert run("compress", name, "-o", f"{name.partition('.')[0]}.inva")[0] == 0
    return tmp_path


def test_no_output_ends_the_process_or_leaves_anything(files, run):
    disk = files / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        for words in OUTPUTS:
            status, out, err = run(*(word.format(disk=disk) for word in words))
            assert status == 1 and not out, words
            assert err.startswith(f"invae: cannot write {disk}/") and "no space left in" in err, words
            assert err.count("\n") == 1 and not list(disk.iterdir()), words
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_stdout_is_named(files):
    for words in (("get", "0", "curve.inva"), ("compress", "curve.dat", "-o", "-")):
        with open("/dev/full", "wb", buffering=0) as full:
            line = [sys.executable, "-m", "invae.cli", *words]
            found = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True)
        assert found.returncode == 1 and "stdout: No space left on device" in found.stderr, words
