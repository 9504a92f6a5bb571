"""The theory's experiments run in miniature, say what the theory says, and draw."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.shared import image_sets
from experiments.theory import landscape, pca_speed, principal_directions, step_functions
from invae.errors import InputError
from invae.report.figures import render


def run(module, **changes):
    return module.run({**module.QUICK, **changes}, np.random.default_rng(0))


def rows(results, name):
    return {next(iter(row.values())): row for row in next(t for t in results.tables if t.name == name).rows}


def draws(results):
    assert results.figures
    for figure in results.figures:
        picture, _ = render(figure.kind, figure.data)
        assert len(picture) > 1000


def test_landscape_in_miniature():
    results = run(landscape, m=8, n_samples=10, n_components=3, weight=0.9, adam_steps=50, lbfgs_steps=15)
    for row in results.tables[0].rows:
        if row["optimiser"] == "lbfgs":
            assert row["relative excess"] < 1e-6
    indices = rows(results, "indices")
    assert all(row["agree, (k - l)(m_s - l)"] == row["Hessians computed"] for row in indices.values())
    assert indices["sum"]["agree, (k - l)(m - l)"] < indices["sum"]["Hessians computed"]
    gaps = [row["end"] for row in results.tables[2].rows if row["optimiser"] == "lbfgs"]
    assert max(gaps) < 1e-6
    draws(results)


def test_principal_directions_in_miniature(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (60, 5, 4), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=images, labels=np.arange(60) % 3)
    changes = {"n_components": 3, "n_steps": 6, "decay_over_variance": [0.0, 0.3]}
    results = run(principal_directions, files=[str(tmp_path / "set.npz")], **changes)
    assert [table.name for table in results.tables] == ["set"]
    assert len(results.tables[0].rows) == 2
    draws(results)


def test_pca_speed_in_miniature():
    results = run(pca_speed, shapes=[[300, 40]], n_components=4, n_epochs=2, repeats=1)
    table = rows(results, "300 x 40")
    assert table["streamed Gram matrix"]["relative excess"] < 1e-10
    assert table["full SVD"]["worst abs cos"] == pytest.approx(1.0, abs=1e-9)
    draws(results)


def test_step_functions_in_miniature():
    results = run(step_functions, sizes=[5, 20], shown=5, n_epochs=200, starts=1, draws=500)
    for row in results.tables[0].rows:
        assert row["ReLU, integer codes, largest error"] == 0.0
        assert row["sigmoid, mean squared error"] <= 1e-5
    assert rows(results, "training")["interlaced thresholds, one solve"]["mean squared error"] < 1e-25
    draws(results)


def test_images_of_every_kind_of_file_become_grey_rows(tmp_path, rng):
    colour = rng.integers(0, 255, (6, 4, 3, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", colour)
    found = image_sets.read_images(tmp_path / "a.npy")
    assert found.pixels.shape == (6, 12) and found.shape == (4, 3) and found.labels is None
    assert found.pixels.max() == 1.0
    assert len(found.subset(4, rng).pixels) == 4
    np.save(tmp_path / "b.npy", np.ones(3))
    with pytest.raises(InputError, match="expected images"):
        image_sets.read_images(tmp_path / "b.npy")
    np.savez(tmp_path / "c.npz", other=np.ones(3))
    with pytest.raises(InputError, match="no array 'images'"):
        image_sets.read_images(tmp_path / "c.npz")


def test_sets_that_this_machine_lacks_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(image_sets, "FOLDERS", (tmp_path,))
    assert [found.name for found in image_sets.available_sets(["digits", "mnist"])] == ["digits 8 x 8"]


def test_shared_sets_are_found(shared_data):
    found = {s.name: s for s in image_sets.available_sets(["mnist", "fashion-mnist", "cifar10"])}
    assert {name: s.pixels.shape for name, s in found.items()} == {
        "mnist": (10_000, 784),
        "fashion-mnist": (900, 784),
        "cifar10": (1000, 1024),
    }
    assert all(s.labels is not None and len(s.labels) == len(s.pixels) for s in found.values())
