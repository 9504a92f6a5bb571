from __future__ import annotations

import h5py
import numpy as np
import pytest

from invae.data.simulation import sasmodels_bridge
from invae.data.simulation.blocks import model_of
from invae.data.simulation.curves import default_q, measure_cost, simulate_curves
from invae.data.simulation.sets import SimulatedCurves
from invae.errors import FileError, FormatError, InputError

PYTHON = ["guinier_porod", "teubner_strey", "two_lorentzian"]
Q = default_q(32)
needs_compiler = pytest.mark.skipif(not sasmodels_bridge.has_compiler(), reason="no C compiler")


def test_same_seed_same_curves_and_another_seed_others():
    a, b, c = (simulate_curves(6, PYTHON, Q, rng) for rng in (3, 3, 4))
    assert np.array_equal(a.intensity, b.intensity) and a.parameters == b.parameters
    assert not np.array_equal(a.intensity, c.intensity)


def test_sample_does_not_depend_on_how_many_are_made_or_on_processes():
    many = simulate_curves(130, PYTHON, Q, rng=1, noise=1e4)
    few = simulate_curves(70, PYTHON, Q, rng=1, noise=1e4, jobs=2)
    assert np.array_equal(many.intensity[:70], few.intensity)
    assert np.array_equal(many.sigma[:70], few.sigma)
    assert many.parameters[:70] == few.parameters


def test_global_random_state_is_left_alone():
    np.random.seed(5)  # noqa: NPY002  sasmodels draws from the global state: ours must restore it
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    simulate_curves(3, PYTHON, Q, rng=1)
    assert np.array_equal(np.random.random(3), expected)  # noqa: NPY002


def test_parameters_make_the_curve_again():
    curves = simulate_curves(5, PYTHON, Q, rng=2)
    for name, parameters, intensity in zip(curves.model, curves.parameters, curves.intensity):
        again = sasmodels_bridge.evaluate(sasmodels_bridge.make_kernel(name, [Q]), parameters)
        assert np.array_equal(again, intensity)


@needs_compiler
def test_sphere_matches_its_formula():
    curves = simulate_curves(3, ["sphere"], Q, rng=0)
    for parameters, intensity in zip(curves.parameters, curves.intensity):
        radius, contrast = parameters["radius"], parameters["sld"] - parameters["sld_solvent"]
        qr = Q * radius
        form = 3 * (np.sin(qr) - qr * np.cos(qr)) / qr**3
        volume = 4 / 3 * np.pi * radius**3
        expected = 1e-4 * parameters["scale"] * volume * (contrast * form) ** 2 + parameters["background"]
        np.testing.assert_allclose(intensity, expected, rtol=1e-6)


@needs_compiler
def test_polydispersity_damps_the_minima_of_spheres_and_resolution_too():
    sharp = simulate_curves(8, ["sphere"], default_q(200), rng=0)
    disperse = simulate_curves(8, ["sphere"], default_q(200), rng=0, polydispersity=True)
    smeared = simulate_curves(8, ["sphere"], default_q(200), rng=0, resolution=0.1)
    roughness = [np.abs(np.diff(np.log(c.intensity), 2)).sum() for c in (sharp, disperse, smeared)]
    assert roughness[1] < roughness[0] and roughness[2] < roughness[0]
    assert any("radius_pd" in p for p in disperse.parameters)


@needs_compiler
def test_product_with_structure_factor():
    curves = simulate_curves(2, ["sphere@hardsphere"], Q, rng=0)
    assert {"radius", "volfraction", "radius_effective"} <= set(curves.parameters[0])


def test_counting_noise_has_the_stated_dose_and_unit_z_scores():
    dose = 1e6
    clean = simulate_curves(40, ["guinier_porod"], Q, rng=7)
    noisy = simulate_curves(40, ["guinier_porod"], Q, rng=7, noise=dose)
    weight = Q * np.gradient(Q)
    scale = dose / (clean.intensity * weight).sum(axis=1, keepdims=True)
    counts = noisy.intensity * scale * weight
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-6 * dose)
    assert abs(counts.sum() / (40 * dose) - 1) < 5 / np.sqrt(40 * dose)
    bright = clean.intensity * scale * weight > 30
    z = ((noisy.intensity - clean.intensity) / noisy.sigma)[bright]
    assert abs(z.std() - 1) < 0.1 and abs(z.mean()) < 0.15


@pytest.mark.parametrize("shares", [{}, {"teubner_strey": 0.1}, {"teubner_strey": 0.0}])
def test_shares_are_met_evenly(shares):
    weights = [shares.get(name, 1.0) for name in PYTHON]
    for start in (0, 1000):
        drawn = [model_of(i, PYTHON, weights) for i in range(start, start + 300)]
        for name, weight in zip(PYTHON, weights):
            assert abs(drawn.count(name) - 300 * weight / sum(weights)) <= 3


def test_cache_continues_what_was_there_and_repairs_damage(tmp_path):
    calls = []
    first = simulate_curves(70, PYTHON, Q, rng=1, cache=tmp_path)
    path = next(tmp_path.rglob("000000000.h5"))
    stamp = path.stat().st_mtime_ns
    more = simulate_curves(140, PYTHON, Q, rng=1, cache=tmp_path, progress=lambda *a: calls.append(a))
    assert path.stat().st_mtime_ns == stamp
    assert np.array_equal(more.intensity[:70], first.intensity)
    assert calls[0] == (64, 140) and calls[-1] == (140, 140)
    path.write_bytes(b"broken")
    assert np.array_equal(simulate_curves(70, PYTHON, Q, rng=1, cache=tmp_path).intensity, first.intensity)
    simulate_curves(3, PYTHON, Q, rng=2, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("noise", [None, 1e5])
def test_file_holds_everything(tmp_path, noise):
    curves = simulate_curves(4, PYTHON, Q, rng=1, noise=noise)
    back = SimulatedCurves.read(curves.write(tmp_path / "c.h5"))
    assert np.array_equal(back.intensity, curves.intensity) and np.array_equal(back.q, curves.q)
    assert (back.sigma is None) == (noise is None)
    assert (back.model, back.parameters, back.settings) == (curves.model, curves.parameters, curves.settings)
    with pytest.raises(FileError, match="exists"):
        curves.write(tmp_path / "c.h5")


def test_records_carry_model_parameters_and_units():
    record = simulate_curves(2, PYTHON, Q, rng=1, noise=1e5).records()[1]
    assert record.units["q"] == "1/angstrom" and record.sigma is not None
    assert record.metadata["model"] in PYTHON and "scale" in record.metadata["parameters"]


def test_foreign_and_missing_files_are_clear_errors(tmp_path):
    with pytest.raises(FileError, match="no file"):
        SimulatedCurves.read(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    with h5py.File(tmp_path / "settings.h5", "w") as file:
        file.attrs.update(format=SimulatedCurves._format, settings="{broken")
    for name in ("text.h5", "other.h5", "settings.h5"):
        with pytest.raises(FormatError, match="SimulatedCurves"):
            SimulatedCurves.read(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "at least one"),
        ({"n": 2, "models": ["sphere_of_steel"]}, "sphere_of_steel"),
        ({"n": 2, "models": []}, "empty"),
        ({"n": 2, "q": np.array([0.0, 0.1])}, "positive"),
        ({"n": 2, "noise": -1.0}, "noise"),
        ({"n": 2, "resolution": 0.9}, "resolution"),
        ({"n": 2, "models": PYTHON, "shares": {"sphere": 1.0}}, "shares"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        simulate_curves(**arguments)


def test_without_a_compiler_the_message_names_the_way_out(monkeypatch):
    monkeypatch.setattr(sasmodels_bridge, "has_compiler", lambda: False)
    with pytest.raises(InputError, match="models='python'"):
        simulate_curves(2)
    assert len(simulate_curves(20, "python", Q, rng=0)) == 20


def test_sets_of_models_are_what_sasmodels_offers():
    sasmodels_bridge.check_models(tuple(sasmodels_bridge.COST_MS) + sasmodels_bridge.ORIENTED_MODELS)
    assert len(sasmodels_bridge.SAS55_MODELS) == 55 and len(sasmodels_bridge.ORIENTED_MODELS) == 22
    for name in sasmodels_bridge.PYTHON_MODELS:
        assert callable(sasmodels_bridge._model(name, None).info.Iq), name


def test_cost_table_has_a_row_a_model():
    rows = measure_cost(PYTHON, Q, draws=2)
    assert [row["model"] for row in rows] == PYTHON and all(row["median_ms"] > 0 for row in rows)
