"""What is wrong on the line or in the headers is told before anything heavy is loaded, or data are read."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import invae
from invae import persistence

WRONG = [
    ("fit", "x.npy", "-o", "m.h5"),
    ("fit", "absent.npy", "-o", "m.h5", "--operator", "blur", "--sigma", "1"),
    ("fit", "x.npy", "-o", "m.h5", "--operator", "radon"),
    ("fit", "x.npy", "-o", "m.h5", "--operator", "radon", "--angles", "5", "--shape", "5x5"),
    ("fit", "flat.npy", "-o", "m.h5", "--operator", "radon", "--angles", "5"),
    ("fit", "x.npy", "-o", "m.h5", "--measurements", "flat.npy"),
    ("fit", "x.npy", "-o", "m.h5", "--operator", "blur", "--sigma", "1", "--noise", "loud"),
    ("fit", "x.npy", "-o", "m.h5", "--operator", "blur", "--sigma", "1", "--rank", "some"),
    ("fit", "x.npy", "-o", "x.npy", "--operator", "blur", "--sigma", "1"),
    ("reconstruct", "x.npy", "--with", "absent.h5", "-o", "out.npy"),
    ("reconstruct", "x.npy", "--with", "x.npy", "-o", "out.npy"),
    ("reconstruct", "x.npy", "--with", "model.h5", "-o", "out.npy"),
    ("compress", "absent.dat", "-o", "a.inva"),
    ("compress", "x.npy", "-o", "a.inva", "--bound", "tight"),
    ("simulate", "phantoms", "-o", "p.png", "-n", "2"),
    ("calibrate", "x.npy", "--with", "absent.h5", "-o", "c.h5"),
    ("calibrate", "x.npy", "--with", "model.h5", "--measurements", "x.npy", "-o", "c.h5"),
]
CODE = """
import json, sys
from invae.cli import main
told = []
for line in json.loads(sys.argv[1]):
    status = main(line)
    heavy = {"torch", "pylops", "sklearn", "skimage", "sasmodels", "matplotlib"} & set(sys.modules)
    told.append([status, sorted(heavy)])
print(json.dumps(told))
"""


@pytest.fixture
def model(tmp_path, rng):
    x = rng.normal(size=(30, 8, 8)) + 3
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "flat.npy", x.reshape(30, 64)[:20])
    blur = invae.Blur((8, 8), sigma=1.0)
    fitted = invae.BayesRiskReconstructor(blur, noise=invae.GaussianNoise(0.1), rank=5).fit(x)
    fitted.save(tmp_path / "model.h5")
    return tmp_path / "model.h5"


def test_errors_of_a_new_user_load_no_heavy_library(tmp_path, rng, model):
    np.save(tmp_path / "x.npy", rng.normal(size=(30, 7, 9)))  # no shape of the model
    found = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(WRONG)], cwd=tmp_path, capture_output=True, text=True
    )
    told = json.loads(found.stdout)
    assert [(line, heavy) for line, (_, heavy) in zip(WRONG, told) if heavy] == [], found.stderr
    assert [(line, status) for line, (status, _) in zip(WRONG, told) if status not in (1, 2)] == []
    assert "Traceback" not in found.stderr


def test_a_wrong_shape_is_refused_without_loading_the_model(tmp_path, run, model, monkeypatch):
    np.save(tmp_path / "y.npy", np.ones((3, 9, 9)))

    def loaded(path):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(persistence, "load", loaded)
    status, _, err = run("reconstruct", tmp_path / "y.npy", "--with", model, "-o", tmp_path / "out.npy")
    assert status == 1 and "(3, 9, 9)" in err and "(N, 8, 8)" in err


def test_a_shape_that_is_not_that_of_the_signals_is_refused_before_they_are_read(tmp_path, run):
    np.save(tmp_path / "x.npy", np.full((10, 64), np.nan))
    status, _, err = run(
        *("fit", tmp_path / "x.npy", "-o", tmp_path / "m.h5", "--operator", "blur", "--sigma", 1),
        *("--shape", "9x9"),
    )
    assert status == 1 and "64 values each" in err and "--shape" in err
