from __future__ import annotations

import numpy as np
import pytest

from invae.data.read import read
from invae.data.simulation import sasmodels_bridge
from invae.errors import InputError
from invae.evaluation.recovery import fit_model
from invae.evaluation.scattering import compare_physics, error_statistics

needs_compiler = pytest.mark.skipif(not sasmodels_bridge.has_compiler(), reason="no C compiler")
Q = np.geomspace(0.005, 0.3, 150)


def noisy_sphere(rng, radius=50.0):
    clean = sasmodels_bridge.evaluate(
        sasmodels_bridge.make_kernel("sphere", [Q]), {"radius": radius, "scale": 0.01, "background": 0.01}
    )
    sigma = 0.02 * clean + 1e-3
    return clean + sigma * rng.standard_normal(len(Q)), sigma


SPHERE = {"model": "sphere", "start": {"radius": 45.0, "scale": 0.02, "background": 0.0}}


@needs_compiler
def test_parameters_are_recovered_within_their_errors(rng):
    z = []
    for _ in range(15):
        intensity, sigma = noisy_sphere(rng)
        fit = fit_model("sphere", Q, intensity, sigma, SPHERE["start"])
        assert fit.converged and 0.6 < fit.chi2 < 1.5
        truth = {"radius": 50.0, "scale": 0.01, "background": 0.01}
        z.append([(fit.values[k] - truth[k]) / fit.errors[k] for k in truth])
    assert 0.5 < np.std(z) < 1.5 and np.abs(np.mean(z)) < 0.6


def test_python_model_needs_no_compiler():
    truth = {"rg": 40.0, "s": 0.3, "porod_exp": 3.5, "scale": 2.0}
    intensity = sasmodels_bridge.evaluate(sasmodels_bridge.make_kernel("guinier_porod", [Q]), truth)
    start = {"rg": 30.0, "s": 0.1, "porod_exp": 3.0, "scale": 1.0}
    fit = fit_model("guinier_porod", Q, intensity, 0.01 * intensity, start)
    assert fit.values == pytest.approx(truth, rel=1e-4)


@needs_compiler
def test_resolution_is_part_of_the_fit():
    from sasmodels.resolution import Pinhole1D, Slit1D

    for smearing, argument in [
        (Pinhole1D(Q, 0.08 * Q), {"dq": 0.08 * Q}),
        (Slit1D(Q, q_length=0.02, q_width=0.0), {"slit_length": 0.02}),
    ]:
        kernel = sasmodels_bridge.make_kernel("sphere", [np.asarray(smearing.q_calc)])
        values = {"radius": 50.0, "scale": 0.01, "background": 0.01}
        smeared = smearing.apply(sasmodels_bridge.evaluate(kernel, values))
        fit = fit_model("sphere", Q, smeared, 0.02 * smeared, SPHERE["start"], **argument)
        plain = fit_model("sphere", Q, smeared, 0.02 * smeared, SPHERE["start"])
        assert fit.values["radius"] == pytest.approx(50, rel=1e-3) and plain.chi2 > 10 * fit.chi2


LATEX = [(0, 2550.0, (0.005, 0.015)), (1, 4600.0, (0.0025, 0.012))]


@needs_compiler
@pytest.mark.parametrize(("entry", "diameter", "q_range"), LATEX)
def test_latex_spheres_have_the_diameter_on_their_label(shared_data, entry, diameter, q_range):
    curve = read(shared_data / "sas1d" / "nxcansas" / "1998spheres.h5")[entry]
    inside = (curve.q > q_range[0]) & (curve.q < q_range[1])
    q, first = np.unique(curve.q[inside][::4], return_index=True)
    intensity = curve.intensity[inside][::4][first]
    fit = fit_model(
        "sphere",
        q,
        intensity,
        np.maximum(curve.sigma[inside][::4][first], 0.03 * intensity),
        {"radius": 0.4 * diameter, "radius_pd": 0.03, "scale": 1e-4, "background": 0.0},
        {"radius_pd_n": 35, "sld": 9.6, "sld_solvent": 0.0},
        {"radius_pd": (0.0, 0.2), "radius": (0.35 * diameter, 0.65 * diameter)},
        slit_length=0.045,  # stated in the file
        scan={"radius": np.linspace(0.42, 0.6, 8) * diameter},
    )
    assert 2 * fit.values["radius"] == pytest.approx(diameter, rel=0.01)


@needs_compiler
def test_identical_copy_shifts_nothing(rng):
    intensity, sigma = noisy_sphere(rng)
    rows = compare_physics(Q, intensity, intensity, sigma, model=SPHERE)
    assert len(rows) == 7 and all(row["shift"] == 0 for row in rows)


@needs_compiler
def test_independent_errors_of_half_a_sigma_shift_little_and_a_drift_much(rng):
    shifts = {"independent": [], "drift": []}
    for _ in range(12):
        intensity, sigma = noisy_sphere(rng)
        copies = {
            "independent": intensity + sigma * rng.uniform(-0.5, 0.5, len(Q)),
            "drift": intensity + 0.5 * sigma * np.sign(Q - 0.03),
        }
        for kind, decoded in copies.items():
            shifts[kind].append([row["shift"] for row in compare_physics(Q, intensity, decoded, sigma)])
    rms = {kind: np.sqrt(np.mean(np.square(values))) for kind, values in shifts.items()}
    assert rms["independent"] == pytest.approx(0.29, abs=0.1) and rms["drift"] > 5 * rms["independent"]


def test_error_statistics_see_bias_and_correlation():
    rng = np.random.default_rng(1)
    original, sigma = np.zeros((40, 100)), np.full((40, 100), 2.0)
    good = error_statistics(original, original + sigma * rng.uniform(-0.5, 0.5, original.shape), sigma)
    assert good["max"] <= 0.5 and good["runs_p"] > 1e-3 and abs(good["lag_1"]) < 0.05
    assert good["noise_inflation"] == pytest.approx(np.sqrt(1 + 0.25 / 3), rel=0.01)
    bad = error_statistics(original, original + 0.5 * sigma * np.sin(np.linspace(0, 6, 100)), sigma)
    assert bad["max"] <= 0.5 and bad["runs_p"] < 1e-20 and bad["lag_1"] > 0.9


def test_wrong_input_is_named():
    ones = np.ones(5)
    with pytest.raises(InputError, match="no parameter side"):
        fit_model("guinier_porod", Q, Q, Q, {"side": 1.0})
    with pytest.raises(InputError, match="sigma must be positive"):
        fit_model("guinier_porod", Q, Q, 0 * Q, {"rg": 1.0})
    with pytest.raises(InputError, match="with these parameters"):
        fit_model("guinier_porod", Q, Q, Q, {"rg": 1.0}, {"side": 1.0})
    with pytest.raises(InputError, match="one shape"):
        compare_physics(Q, Q, Q, ones)
