"""`pip install .` without extras reads, compresses and decompresses; what is missing is named."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("torch", "sklearn", "skimage", "pylops", "pywt", "sasmodels", "matplotlib", "jinja2", "sasdata")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Folder with the programs of a fresh environment that holds invae without extras."""
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder / "env", with_pip=True)
    programs = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    install = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-c", ROOT / "constraints.txt", ROOT], check=True)
    return programs


@pytest.mark.slow  # installs from the package index: minutes
def test_a_plain_installation_compresses_decompresses_and_tells(base, tmp_path, rng):
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}

    def run(*words, status=0):
        found = subprocess.run(
            [str(word) for word in words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert found.returncode == status, found.stdout + found.stderr
        return found

    tried = f"import importlib.util as u; print([m for m in {LEFT_OUT} if u.find_spec(m)])"
    assert run(base / "python", "-c", tried).stdout.strip() == "[]"
    q = np.geomspace(0.01, 0.3, 60)
    intensity = 5 * np.exp(-((30 * q) ** 2) / 3) + 0.01
    lines = [f"{a:.6e} {b:.6e} {0.03 * b:.6e}" for a, b in zip(q, intensity)]
    (tmp_path / "run.dat").write_text("# q (1/A)  I (1/cm)  dI\n" + "\n".join(lines) + "\n")
    np.save(tmp_path / "frames.npy", rng.poisson(3.0, (4, 32, 32)).astype(np.int32))
    invae = base / "invae"
    tried = (("run.dat", "0.25sigma"), ("frames.npy", "abs:2"), ("frames.npy", "l2:0.1"))
    for k, (source, bound) in enumerate(tried):
        run(invae, "compress", source, "-o", f"{k}.inva", "--bound", bound)
        run(invae, "verify", f"{k}.inva")
        run(invae, "decompress", f"{k}.inva", "-o", f"out{k}")
        assert "archive of" in run(invae, "info", f"{k}.inva", source).stdout
    again = np.loadtxt(next((tmp_path / "out0").iterdir()))[:, 1]
    given = np.array([float(line.split()[1]) for line in lines])
    assert np.all(np.abs(again - given) <= 0.0076 * intensity)
    run(invae, "evaluate", "run.dat", "0.inva")
    run(invae, "convert", "run.dat", "-o", "run.h5")
    for words, extra in (
        (("fit", "frames.npy", "-o", "m.h5", "--operator", "blur", "--sigma", "1"), "reconstruction"),
        (("simulate", "curves", "-o", "c.h5", "-n", "2"), "simulation"),
        (("evaluate", "run.dat", "0.inva", "--html", "r.html"), "report"),
    ):
        assert f"pip install 'invae[{extra}]'" in run(invae, *words, status=1).stderr
