import json

import numpy as np
import pytest

from invae.data.simulation.sets import SimulatedCurves, SimulatedFrames

FAST = "guinier_porod,teubner_strey"


def test_curves_are_the_same_for_the_same_seed_and_can_be_compressed(tmp_path, run):
    make = ("simulate", "curves", "-n", 4, "--models", FAST, "--points", 40, "--no-cache", "--dose", 1e6)
    for name, seed in (("a.h5", 3), ("b.h5", 3), ("c.h5", 4)):
        status, stdout, stderr = run(*make, "--seed", seed, "-o", tmp_path / name)
        assert (status, stdout) == (0, ""), stderr
    a, b, c = (SimulatedCurves.read(tmp_path / name) for name in ("a.h5", "b.h5", "c.h5"))
    np.testing.assert_array_equal(a.intensity, b.intensity)
    assert not np.array_equal(a.intensity, c.intensity)
    assert a.intensity.shape == (4, 40) and a.sigma is not None

    assert run("compress", tmp_path / "a.h5", "-o", tmp_path / "a.inva", "--bound", "0.5sigma")[0] == 0
    status, stdout, _ = run("list", tmp_path / "a.inva")
    assert len(stdout.split()) == 4 and "guinier_porod_000000" in stdout
    status, stdout, _ = run("evaluate", tmp_path / "a.h5", tmp_path / "a.inva", "--json")
    assert status == 0 and json.loads(stdout)["kept"] is True
    status, stdout, _ = run("info", tmp_path / "a.h5")
    assert "4 records" in stdout


def test_frames(tmp_path, run):
    out = tmp_path / "f.h5"
    arguments = ("-n", 1, "--models", "ellipsoid", "--shape", "24x32", "--dose", 1e5, "--no-cache", "--json")
    status, stdout, stderr = run("simulate", "frames", "-o", out, *arguments)
    assert status == 0, stderr
    assert json.loads(stdout)["samples"] == 1
    assert SimulatedFrames.read(out).data.shape == (1, 24, 32)


@pytest.mark.parametrize("family, shape", [("ellipses", "16x20"), ("gaussian", "16x20"), ("piecewise", "50")])
def test_phantoms(tmp_path, run, family, shape):
    out = tmp_path / "x.npy"
    status, _, stderr = run("simulate", "phantoms", "-n", 3, "-o", out, "--family", family, "--shape", shape)
    assert status == 0, stderr
    assert np.load(out).shape == (3, *map(int, shape.split("x")))


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("curves", "-n", 2, "--models", "no_such_model"), 1, "no_such_model"),
        (("curves", "-n", 0), 2, "--number"),
        (("phantoms", "-n", 2, "--shape", "big"), 2, "64x64"),
        (("frames", "-n", 2, "--shape", "64"), 2, "64x64"),
        (("sounds",), 2, "sounds"),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, run, arguments, status, words):
    out = () if arguments == ("sounds",) else ("-o", tmp_path / "x.h5")
    found, stdout, stderr = run("simulate", *arguments, *out)
    assert found == status and words in stderr and stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_data_sets_are_listed_and_unknown_ones_named(run):
    status, stdout, _ = run("data", "list")
    assert status == 0 and "mnist" in stdout
    status, stdout, _ = run("data", "list", "--json")
    assert "fashion-mnist" in [item["name"] for item in json.loads(stdout)]
    status, _, stderr = run("data", "fetch", "no-such-set")
    assert status == 1 and "no-such-set" in stderr
