"""Measurements of another scale or kind are noticed; error bars are calibrated from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import invae

SHAPE = (12, 12)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A model of smooth positive images seen through a blur, images it has not seen, and measurements."""
    folder = tmp_path_factory.mktemp("strange")
    rng = np.random.default_rng(0)
    prior = invae.GaussianPrior.matern(SHAPE, length_scale=3.0)
    x = 0.3 * prior.sample(260, rng).reshape(-1, *SHAPE) + 1.0
    blur = invae.Blur(SHAPE, sigma=1.0)
    model = invae.BayesRiskReconstructor(blur, noise=invae.GaussianNoise(0.05), rank="full").fit(x[:100])
    model.save(folder / "model.h5")
    y = np.stack([(blur @ image.ravel()) for image in x]) + 0.05 * rng.normal(size=(260, 144))
    np.save(folder / "held_out.npy", x[100:200])
    np.save(folder / "y.npy", y[200:].reshape(-1, *SHAPE))
    return folder


@pytest.mark.parametrize("scale", [1.0, 1000.0, 1 / 255])
def test_measurements_in_other_units_are_told_in_one_warning(house, run, tmp_path, scale):
    np.save(tmp_path / "y.npy", np.load(house / "y.npy") * scale)
    status, _, err = run(
        "reconstruct", tmp_path / "y.npy", "--with", house / "model.h5", "-o", tmp_path / "x.npy"
    )
    assert status == 0
    assert err.count("warning:") == (scale != 1.0)
    assert ("unlike those that the model was made for" in err and "same units" in err) == (scale != 1.0)


def test_calibration_makes_the_score_speak_of_another_kind_of_object(house, run, tmp_path, rng):
    model = tmp_path / "calibrated.h5"
    status, out, _ = run(
        *("calibrate", house / "held_out.npy", "--with", house / "model.h5", "-o", model, "--json")
    )
    facts = json.loads(out)
    assert status == 0 and facts["samples"] == 100 and set(facts["factors"]) == {"0.68", "0.9", "0.95"}
    assert facts["factors"]["0.9"] == invae.load(model).calibration_.factor(0.9)
    status, _, err = run("reconstruct", house / "y.npy", "--with", model, "-o", tmp_path / "x.npy")
    assert status == 0 and "warning" not in err
    checkers = 1 + 0.3 * np.sign(np.sin(np.indices(SHAPE).sum(0) * 2.1))  # same size, another kind
    np.save(tmp_path / "other.npy", checkers + 0.05 * rng.normal(size=(20, *SHAPE)))
    status, _, err = run("reconstruct", tmp_path / "other.npy", "--with", model, "-o", tmp_path / "o.npy")
    assert status == 0 and err.count("warning:") == 1 and "20 of 20 have an anomaly score" in err


def test_a_model_can_be_calibrated_in_place_and_signals_are_never_overwritten(house, run, tmp_path):
    model = tmp_path / "m.h5"
    model.write_bytes((house / "model.h5").read_bytes())
    words = ("calibrate", house / "held_out.npy", "--with", model, "-o")
    assert run(*words, model)[0] == 1
    status, _, err = run(*words, model, "--force")
    assert status == 0 and "90%" in err
    status, _, err = run(*words, house / "held_out.npy", "--force")
    assert status == 1 and "would be lost" in err


def test_an_arc_in_radians_is_noticed(house, run, tmp_path):
    words = ("fit", house / "held_out.npy", "-o", tmp_path / "m.h5", "--operator", "radon", "--angles", 6)
    status, _, err = run(*words, "--arc", 3.14159, "--noise", 0.05)
    assert status == 0 and "degrees" in err and "radians" in err
