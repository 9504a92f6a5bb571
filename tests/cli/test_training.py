import json

import numpy as np
import pytest

import invae


@pytest.fixture(scope="module")
def curves():
    q = np.geomspace(0.01, 0.5, 120)
    rng = np.random.default_rng(3)
    radius, scale = rng.uniform(10, 60, (60, 1)), rng.uniform(1, 100, (60, 1))
    return scale * (np.exp(-((q * radius) ** 2) / 3) + 1e-3)


def test_a_trained_model_codes_and_decodes(curves, tmp_path, run):
    np.save(tmp_path / "train.npy", curves[:40])
    np.save(tmp_path / "test.npy", curves[40:])
    model, out = tmp_path / "model.h5", tmp_path / "x.inva"
    status, stdout, stderr = run("train", tmp_path / "train.npy", "-o", model, "--json")
    assert status == 0, stderr
    assert json.loads(stdout)["curves"] == 40
    compress = ("compress", tmp_path / "test.npy", "-o", out, "--bound", "log:0.01")
    assert run(*compress, "--model", model)[0] == 0
    status, _, stderr = run("decompress", out, "-o", tmp_path / "y.npy", "--model", model)
    assert status == 0, stderr
    y = np.load(tmp_path / "y.npy")
    assert np.abs(np.log10(y) - np.log10(curves[40:])).max() <= 0.01 + 1e-12
    assert run("verify", out, "--model", model)[0] == 0
    assert run("evaluate", tmp_path / "test.npy", out, "--model", model)[0] == 0
    with invae.Archive(out) as archive:
        uses_model = bool(archive.info["models"])
    if uses_model:
        status, _, stderr = run("verify", out)
        assert status == 1 and "model" in stderr
    assert run(*compress, "--model", model, "--embed", "--force")[0] == 0
    assert run("verify", out)[0] == 0
    assert run(*compress, "--model", "none", "--force")[0] == 0


def test_a_model_of_frames_codes_counts_without_loss(tmp_path, run):
    counts = np.random.default_rng(0).poisson(
        30 * np.exp(-np.hypot(*np.indices((40, 48)) - 20) / 9), (6, 40, 48)
    )
    np.save(tmp_path / "train.npy", counts[:4])
    np.save(tmp_path / "test.npy", counts[4:])
    model, out = tmp_path / "model.h5", tmp_path / "x.inva"
    status, stdout, stderr = run("train", tmp_path / "train.npy", "-o", model, "--json")
    assert status == 0, stderr
    assert json.loads(stdout)["frames"] == 4
    assert run("compress", tmp_path / "test.npy", "-o", out, "--bound", "lossless", "--model", model)[0] == 0
    status, _, stderr = run("verify", out)
    assert status == 1 and "model" in stderr
    assert run("decompress", out, "-o", tmp_path / "y.npy", "--model", model)[0] == 0
    assert np.array_equal(np.load(tmp_path / "y.npy"), counts[4:])


def test_what_is_no_model_or_no_curve_is_named(curves, tmp_path, run):
    np.save(tmp_path / "train.npy", curves)
    np.save(tmp_path / "stack.npy", np.ones((2, 3, 4)))
    status, _, stderr = run("train", tmp_path / "stack.npy", "-o", tmp_path / "m.h5")
    assert status == 1 and "none of the 2 items" in stderr
    command = ("compress", tmp_path / "train.npy", "-o", tmp_path / "x.inva", "--bound", "log:0.01")
    status, _, stderr = run(*command, "--model", tmp_path / "train.npy")
    assert status == 1 and "no model" in stderr
    invae.save(invae.GaussianNoise(0.1), tmp_path / "noise.h5")
    status, _, stderr = run(*command, "--model", tmp_path / "noise.h5")
    assert status == 1 and "GaussianNoise" in stderr
    assert not (tmp_path / "x.inva").exists()
