from __future__ import annotations

import warnings

import numpy as np
import pytest

from invae.data.read import read
from invae.errors import InputError
from invae.evaluation.guinier import fit_guinier

Q = np.linspace(0.004, 0.3, 300)


def sphere(q, radius):
    x = q * radius
    return (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2


@pytest.mark.parametrize(("rg", "i0"), [(5.0, 1e-3), (20.0, 50.0), (100.0, 1e6)])
def test_exact_guinier_curve_is_recovered(rg, i0):
    q = np.linspace(0.05, 6, 200) / rg
    fit = fit_guinier(q, i0 * np.exp(-((q * rg) ** 2) / 3))
    assert fit.rg == pytest.approx(rg, rel=1e-9) and fit.i0 == pytest.approx(i0, rel=1e-9) and fit.valid
    assert fit.qrg_max <= 1.3


@pytest.mark.parametrize("radius", [15.0, 40.0, 120.0])
def test_sphere_has_rg_of_root_three_fifths_radius(radius):
    q = np.geomspace(0.02, 10, 400) / radius
    fit = fit_guinier(q, 7 * sphere(q, radius), 0.01 * 7 * sphere(q, radius) + 1e-5, qrg_limit=0.8)
    assert fit.rg == pytest.approx(np.sqrt(0.6) * radius, rel=0.01) and fit.i0 == pytest.approx(7, rel=0.005)


def test_errors_are_one_standard_deviation(rng):
    truth, draws = 10 * np.exp(-((Q * 25) ** 2) / 3), []
    sigma = 0.02 * truth
    for _ in range(400):
        fit = fit_guinier(Q, truth + sigma * rng.standard_normal(len(Q)), sigma, q_range=(0.004, 0.05))
        draws.append([(fit.rg - 25) / fit.rg_error, (fit.i0 - 10) / fit.i0_error])
    assert np.abs(np.mean(draws, axis=0)).max() < 0.2
    assert np.abs(np.std(draws, axis=0) - 1).max() < 0.15


def test_range_search_leaves_out_aggregation_at_low_q(rng):
    truth = 10 * np.exp(-((Q * 20) ** 2) / 3) + 0.02
    truth = truth + 20 * np.exp(-((Q / 0.008) ** 2))
    sigma = 0.01 * truth
    fit = fit_guinier(Q, truth + sigma * rng.standard_normal(len(Q)), sigma)
    assert fit.q_range[0] > 0.012 and fit.rg == pytest.approx(20, rel=0.03)


def test_units_of_q_only_scale_rg():
    curve = np.exp(-((Q * 20) ** 2) / 3) + 1e-3
    angstrom, nanometre = fit_guinier(Q, curve, 0.01 * curve), fit_guinier(10 * Q, curve, 0.01 * curve)
    assert nanometre.rg == pytest.approx(angstrom.rg / 10) and nanometre.i0 == pytest.approx(angstrom.i0)


def test_order_of_points_and_bad_points_do_not_matter(rng):
    curve = np.exp(-((Q * 20) ** 2) / 3) + 1e-3
    order = rng.permutation(len(Q))
    q, intensity = np.append(Q[order], [0.0, 0.02, 0.03]), np.append(curve[order], [1.0, -1.0, np.nan])
    a, b = fit_guinier(Q, curve, 0.01 * curve), fit_guinier(q, intensity, 0.01 * np.abs(intensity))
    assert a.rg == pytest.approx(b.rg) and a.q_range == b.q_range


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        (Q, "does not fall"),
        (np.exp(-((Q * 400) ** 2) / 3) + 1e-200, ""),
        (Q**-4, ""),
        (10 * np.exp(-((Q * 20) ** 2) / 3) * (1 + 0.3 * np.sin(Q * 150)), ""),
    ],
    ids=["rising", "too large", "power law", "wavy"],
)
def test_what_is_no_guinier_law_is_said_not_to_be(curve, reason):
    fit = fit_guinier(Q, curve, 0.005 * curve)
    assert not fit.valid and any(reason in r for r in fit.reasons)


def test_frozen_range_beyond_the_limit_is_flagged_but_used():
    curve = np.exp(-((Q * 20) ** 2) / 3)
    fit = fit_guinier(Q, curve, 0.01 * curve, q_range=(0.004, 0.2))
    assert fit.q_range[1] == pytest.approx(0.2, abs=1e-3) and any("above 1.3" in r for r in fit.reasons)


def test_too_few_points_is_an_error():
    with pytest.raises(InputError, match="points"):
        fit_guinier(Q[:2], Q[:2])
    with pytest.raises(InputError, match="q = "):
        fit_guinier(Q, np.exp(-Q), q_range=(0.5, 0.6))
    with pytest.raises(InputError, match=r"\(N,\)"):
        fit_guinier(Q, Q[1:])


# Values that the files state (BioXTAS RAW analysis block), on the files' own ranges.
STATED = [
    ("glucose_isomerase.dat", 33.607769, 0.230138, 0.061224646, 2.75824e-4, 49),
    ("lys_saxs.dat", 13.912779, 0.050961, 0.045643880, 8.39572e-5, 144),
]


@pytest.mark.parametrize(("name", "rg", "rg_error", "i0", "i0_error", "last"), STATED)
def test_protein_files_state_the_same_rg_and_i0(shared_data, name, rg, rg_error, i0, i0_error, last):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the files do not state the unit of q
        curve = read(shared_data / "sas1d" / "ascii" / "bioxtas_raw" / name)[0]
    frozen = fit_guinier(curve.q, curve.intensity, curve.sigma, (curve.q[0], curve.q[last]))
    assert frozen.rg == pytest.approx(rg, rel=1e-5) and frozen.i0 == pytest.approx(i0, rel=1e-5)
    assert frozen.rg_error == pytest.approx(rg_error, rel=0.01)
    assert frozen.i0_error == pytest.approx(i0_error, rel=0.01)
    free = fit_guinier(curve.q, curve.intensity, curve.sigma)
    assert free.valid and abs(free.rg - rg) < 1.0 * rg_error and abs(free.i0 - i0) < 1.0 * i0_error


def test_a_buffer_has_no_valid_guinier_range(shared_data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curve = read(shared_data / "sas1d" / "ascii" / "embl" / "bsa.dat")[0]
    assert not fit_guinier(curve.q, curve.intensity, curve.sigma).valid


def test_a_nearly_flat_curve_is_not_trusted_however_well_it_is_known():
    q = np.linspace(0.01, 0.28, 450)
    background = 3 * np.exp(-((q * 1.6) ** 2) / 3)
    fit = fit_guinier(q, background, 1e-3 * background)
    assert fit.rg == pytest.approx(1.6, rel=0.05)
    assert not fit.valid and "a flat curve" in fit.reasons[0]


def test_a_range_under_a_curve_that_rises_below_it_is_not_trusted():
    intensity = sphere(Q, 80.0) + 1e-4 * np.exp(-((Q * 12) ** 2) / 3)
    fit = fit_guinier(Q, intensity, 0.02 * intensity, q_range=(0.2, 0.3))
    assert any("above the line" in reason for reason in fit.reasons)
    assert fit_guinier(Q, intensity, 0.02 * intensity).rg == pytest.approx(np.sqrt(0.6) * 80, rel=0.05)
