"""Labels say what each column is, in any order; other lines of a header are no labels."""

from __future__ import annotations

import numpy as np
import pytest

from invae.data.formats.text.labels import find_labels, is_unit
from invae.errors import FormatError

Q, I, SIGMA, DQ = [0.1, 0.2, 0.3], [9.0, 8.0, 7.0], [0.5, 0.4, 0.6], [0.01, 0.02, 0.03]
COLUMN = {"q": Q, "intensity": I, "sigma": SIGMA, "dq": DQ}


def table(order, delimiter="\t"):
    return "\n".join(delimiter.join(map(repr, row)) for row in zip(*(COLUMN[key] for key in order))) + "\n"


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        ("I\tq\terror", "intensity q sigma"),
        ("sigma\tI\tq", "sigma intensity q"),
        ("Q (1/A)\tdQ (1/A)\tI (1/cm)\tdI (1/cm)", "q dq intensity sigma"),
        ("Q err_I Intensity sigma_q", "q sigma intensity dq"),
        ("<dI> <q> <I>", "sigma q intensity"),
        ("Int, error, Q", "intensity sigma q"),
        ("counts\tuncertainty\tscattering vector", "intensity sigma q"),
        ("Q\tQ resolution\tI", "q dq intensity"),
    ],
)
def test_roles_do_not_depend_on_the_order_of_the_columns(curve_of, labels, order):
    order = order.split()
    if labels == "Q\tQ resolution\tI":
        # A resolution of unknown kind (sigma, full width?) is kept by its name.
        assert curve_of(labels + "\n" + table(order)).columns["Q resolution"].tolist() == DQ
        return
    curve = curve_of(f"title\n{labels}\n" + table(order))
    for key in order:
        assert getattr(curve, key).tolist() == COLUMN[key]
    assert curve.metadata["table"]["columns"] == order


def test_column_of_numbers_of_points_is_kept_beside_q(curve_of):
    curve = curve_of("No.\tq\tI\tstd\n1\t0.1\t9\t1\n2\t0.2\t8\t1\n")
    assert curve.q.tolist() == [0.1, 0.2] and curve.columns["No."].tolist() == [1, 2]


def test_q_without_an_intensity_is_refused(curve_of):
    with pytest.raises(FormatError, match="not which is the intensity"):
        curve_of("err\tq\tdq\n1\t0.1\t9\n2\t0.2\t8\n")


@pytest.mark.parametrize(
    "label",
    [
        "dI",
        "devY",
        "E",
        "stdev",
        "σ",
        "σ (1/cm)",
        "standard deviation",
        "std. dev.",
        "Std Dev",
        "Delta I [cm^{-1}]",
    ]
    + [
        "ΔI",
        "I_err",
        "err(I)",
        "Error",
        "errorbar",
        "uncertainty",
        "sigma_I",
        "SigI",
        "sd",
        "ESD",
        "dIntensity",
        "Idev",
    ],
)
@pytest.mark.parametrize(
    "axis", ["q\tI", "X\tY", "<X>\t<Y>", "Q [1/nm]\tI(Q) [1/cm]", "# q_nm^-1\tIntensity"]
)
def test_standard_deviation_in_every_spelling(curve_of, axis, label):
    curve = curve_of(f"{axis}\t{label}\n" + table(["q", "intensity", "sigma"]))
    assert curve.sigma.tolist() == SIGMA and not curve.columns


@pytest.mark.parametrize("label", ["% error", "relative error", "variance", "I_err %", "log(I)"])
def test_what_is_no_standard_deviation_is_not_called_one(label):
    assert find_labels([f"q\tI\t{label}"], 3).roles[2] is None


@pytest.mark.parametrize(
    "unit",
    ["1/nm", "nm^-1", "nm**-1", "nm-1", "nm^{-1}", "nm⁻¹", "nm^(-1)", "A^-1", "A-1", "Å^-1", "1/Å", "1/Ang"]
    + ["1/Angstrom", "Angstroms^-1", "inverse nm", "1 / nm", "1/um", "$nm^{-1}$"],
)
@pytest.mark.parametrize("form", ["q ({})", "q [{}]", "Q[{}]", "q_{}", "q, {}", "q / {}", "<q> ({})"])
def test_unit_of_q_in_every_spelling_and_place(curve_of, form, unit):
    curve = curve_of(f"{form.format(unit)}\tI\tdI\n" + table(["q", "intensity", "sigma"]))
    assert curve.units["q"] == unit and curve.sigma.tolist() == SIGMA


@pytest.mark.parametrize(
    "line", ["Q (1/A) I (1/cm) dI (1/cm)", "q [A^{-1}]  I(q) [cm^-1]  Error [cm^-1]", "#q [1/A] I[1/cm] std"]
)
def test_units_behind_labels_that_only_spaces_part(curve_of, line):
    curve = curve_of(line + "\n" + table(["q", "intensity", "sigma"], " "))
    assert is_unit(curve.units["q"]) and curve.sigma.tolist() == SIGMA


def test_words_in_brackets_are_no_units():
    assert not any(map(is_unit, ("slow", "deg", "Q", "nm", "a", "run-1", "1/run")))


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ("2theta I err", "angle"),
        ("# 2th_deg\tI\tsigma", "angle"),
        ("TwoTheta, Intensity, Error", "angle"),
        ("2θ (°)\tcounts\terror", "angle"),
        ("Angle Intensity Error", "angle"),
        ("r_mm I sigma", "radius"),
        ("r P(r) error", "P(r)"),
        ("R\tP(R)\tERROR", "P(r)"),
        ("chi_deg I sigma", "azimuth"),
        ("χ (deg)\tI\terr", "azimuth"),
        ("d (A)\tI\terr", "d spacing"),
        ("d*2_A^-2 I sigma", "d spacing"),
        ("Diameter,NumberDistribution,VolumeDistribution", "size"),
        ("size\tdistribution\terror", "size"),
        ("Energy mu err", "energy"),
        ("E\tI\terr", "energy"),
        ("wavelength I err", "wavelength"),
        ("time I err", "time"),
        ("log(q) log(I) err", "log"),
        ("q ln(I) err", "log"),
        ("q^2 I err", "Guinier"),
        ("q (deg)\tI\terr", "angle"),
        ("X (mm)\tY\terr", "length"),
        ("qx I err", "2-D"),
        ("x y z", "3-D"),
        ("pixel I err", "radius"),
        ("Lag time (s)\tg2-1\terr", "correlation"),
    ],
)
def test_axis_that_is_not_q_is_refused_by_its_name(curve_of, labels, what):
    delimiter = "\t" if "\t" in labels else "," if "," in labels else " "
    with pytest.raises(FormatError, match="not a curve") as caught:
        curve_of(labels + "\n" + table(["q", "intensity", "sigma"], delimiter))
    assert what in str(caught.value)


def test_axis_of_fit2d_stands_on_a_line_of_its_own(curve_of):
    body = "  0.1 5\n  0.2 6\n"
    with pytest.raises(FormatError, match="angle"):
        curve_of("run.tif: integration\n2-Theta Angle (Degrees)\nIntensity\n       2\n" + body)
    curve = curve_of("run.tif: integration\nQ (Inverse Nanometres)\nIntensity\n       2\n" + body)
    assert curve.q.tolist() == [0.1, 0.2]


@pytest.mark.parametrize(
    "line",
    [
        "# T = 20K",
        "# t = 5s",
        "# R = 7nm",
        "# Time: 10:30:15 CET",
        "# Theta offset: 0.1",
        "# d = 3mm",
        "T run 7",
        "time of day",
    ]
    + ["# Energy 12keV calibrated", "r and chi", "Sample: Q 7", "Size does matter"],
)
def test_words_of_a_header_are_no_labels(curve_of, line):
    curve = curve_of(f"{line}\n" + table(["q", "intensity", "sigma"], " "))
    assert curve.q.tolist() == Q and curve.sigma.tolist() == SIGMA


def test_known_labels_above_other_words_are_found(curve_of):
    curve = curve_of("I q err\nmeasured on Monday\n" + table(["intensity", "q", "sigma"], " "))
    assert curve.q.tolist() == Q


def test_labels_of_fit_and_unknown_columns_keep_their_names(curve_of):
    curve = curve_of("q I sigma fit bg\n" + "0.1 9 0.5 8.9 0.1\n0.2 8 0.5 8.1 0.1\n")
    assert list(curve.columns) == ["fit", "bg"]


def test_label_line_in_angle_brackets_is_no_xml(curve_of):
    curve = curve_of("<q> <I> <dI> <dQ>\n" + table(["q", "intensity", "sigma", "dq"], " "))
    assert np.array_equal(curve.dq, DQ) and np.array_equal(curve.sigma, SIGMA)
    assert curve_of("<q>, I, dI\n" + table(["q", "intensity", "sigma"], ",")).sigma is not None


@pytest.mark.parametrize("form", ["# Column {}: {}", "col. {} {}", "# column {} = {}"])
def test_labels_that_stand_below_each_other(curve_of, form):
    for first in (0, 1):
        names = ("Intensity (1/cm)", "Q (1/nm)", "error")
        head = "\n".join(form.format(i, name) for i, name in enumerate(names, first))
        curve = curve_of(head + "\n" + table(["intensity", "q", "sigma"], " "))
        assert curve.q.tolist() == Q and curve.sigma.tolist() == SIGMA and curve.units["q"] == "1/nm"


def test_angle_in_a_list_of_columns_is_refused(curve_of):
    with pytest.raises(FormatError, match="angle"):
        curve_of("# Column 1: 2-theta (deg)\n# Column 2: counts\n0.1 2\n0.2 3\n")
