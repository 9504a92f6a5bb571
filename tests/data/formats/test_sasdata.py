"""Agreement with sasdata to the last bit where it is right, and the list of where it is not.

Each entry of `DIFFERENCES` is a statement about sasdata's loader: when a new version mends one, the test
says so and the entry goes. FORMATS.md tells the same in words.
"""

from __future__ import annotations

import logging
import re
import warnings
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from invae.data import Curve, read
from invae.errors import InvaeError, InvaeWarning

EXAMPLES = Path(str(files("sasdata") / "example_data"))
SAS1D = Path(__file__).resolve().parents[4] / "shared" / "data" / "sas1d"

# What sasdata does to a field: rounds (its factor of a unit costs the last bits), converts (to 1/angstrom),
# drops (points with q = 0, NaN or negative q), sorts, invents (numbers where the file has none), loses.
DIFFERENCES = {
    r"cyl_400_[24]0\.txt|beam profile\.DAT": {"x": "drops", "y": "drops"},
    r"PolySpheres\.txt|testdata_line3?\.txt|foxs\.dat|waxsis\.dat|crysol\.fit": {
        "x": "drops",
        "y": "drops",
        "dy": "drops",
    },
    r"(r586|r597|xg009036_001)\.xml": {"x": "drops", "y": "drops", "dy": "drops", "dx": "drops"},
    r"bimodal-test1\.(xml|h5)": {"x": "sorts", "y": "sorts", "dy": "sorts"},
    r"cansas1d_(bad)?units\.xml": {"x": "converts", "y": "converts", "dy": "converts", "dx": "converts"},
    r"cansas1d-template\.xml": {"x": "loses", "y": "loses", "dy": "loses", "dx": "loses"},
    r"example_0[17]_.*\.h5": {"x": "loses", "y": "loses"},
    # Takes the column meanQ for q and sorts by it.
    r"SSRHE0(3\d|4[012])\.ABS": {"x": "converts", "y": "converts", "dy": "converts", "dx": "sorts"},
    r"SSRHE04[69]\.ABS": {"x": "converts", "y": "rounds", "dy": "rounds"},
    r"1umSlitSmearSphere\.ABS": {"y": "rounds", "dy": "rounds"},
    r"testData01.*\.csv|rpa_igor\.txt|33837rear_1D_.*NXcanSAS.*\.h5|NXcanSAS_SMR\.h5": {"x": "rounds"},
    r"Lew_Sa3_DSM_QinA\.h5": {"x": "rounds", "dx": "rounds"},
    r"FK403_0006_Nika\.hdf": {"x": "converts", "dx": "converts"},
}
# Columns that are no dq (weights, a fit, an unknown fourth one) but are taken for it.
INVENTED = re.compile(
    r"2epe\.dat|LAR1-2\.dat|APS_DND-CAT\.TXT|crysol\.fit|dammif\.fir|foxs\.fit|beam profile\.DAT"
)
# Files that are no curves, and become some.
MISTAKEN = {"glucose_isomerase.ift": 49, "glucose_isomerase.out": 17, "CoreXY_ShellZ.txt": 552}
NO_CURVES = re.compile(
    r"glucose_isomerase\.(ift|out)|CoreXY_ShellZ\.txt|book\.xml|crash\d+\.txt|example_0[2-6].*"
)
FOLDERS = (
    "1d_data",
    "awkward",
    "bioxtas_raw",
    "biosaxs",
    "embl",
    "nist_abs",
    "not_plain_curves",
    "cansas_xml",
)
FOLDERS += ("nxcansas", "cansas2012_layouts", "field_series_nanoperm")


def paths() -> list[Path]:
    found = [*(EXAMPLES / "1d_data").iterdir(), *(SAS1D.rglob("*") if SAS1D.is_dir() else ())]
    return sorted(p for p in found if p.is_file() and p.parent.name in FOLDERS and p.name != "VTMA.h5")


def load(path: Path):
    logging.getLogger("sasdata").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sasdata.dataloader.loader import Loader

        return Loader().load(str(path))


def ours(path: Path) -> list[Curve]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        try:
            return [record for record in read(path) if isinstance(record, Curve)]
        except InvaeError:
            return []


def difference(mine: np.ndarray | None, theirs) -> str | None:
    theirs = None if theirs is None or np.ndim(theirs) == 0 or not np.size(theirs) else np.asarray(theirs)
    if mine is None:
        if theirs is None:
            return None
        return "invents" if theirs.any() else "zeros"
    if theirs is None:
        return "loses"
    if len(theirs) != len(mine):
        return "drops"
    if np.array_equal(mine, theirs, equal_nan=True):
        return None
    if np.array_equal(np.sort(mine), np.sort(theirs)):
        return "sorts"
    return "rounds" if np.allclose(mine, theirs, rtol=5e-16, atol=0) else "converts"


@pytest.mark.parametrize(
    "path", [path for path in paths() if not NO_CURVES.fullmatch(path.name)], ids=lambda path: path.name
)
def test_sasdata_agrees_to_the_last_bit_or_differs_as_listed(path):
    curves = ours(path)
    loaded = load(path)
    assert len(loaded) == len(curves) > 0
    listed = [fields for pattern, fields in DIFFERENCES.items() if re.fullmatch(pattern, path.name)]
    expected = listed[0] if listed else {}
    for curve, data in zip(curves, loaded):
        for field, mine in (("x", curve.q), ("y", curve.intensity), ("dy", curve.sigma), ("dx", curve.dq)):
            found = difference(mine, getattr(data, field, None))
            # Text and XML readers put zeros where a file has no column: noted once, here.
            if found == "zeros":
                continue
            if found == "invents":
                assert INVENTED.fullmatch(path.name), f"{field} invented"
                continue
            assert found == expected.get(field), f"{field}: {found}"


@pytest.mark.parametrize(
    "path", [path for path in paths() if path.name in MISTAKEN], ids=lambda path: path.name
)
def test_sasdata_takes_other_tables_for_curves(path):
    (data,) = load(path)
    assert not ours(path)
    assert len(data.x) == MISTAKEN[path.name] and not data.errors


def test_sasdata_calls_a_curve_in_inverse_nanometres_one_in_inverse_angstroms(shared_data):
    (data,) = load(shared_data / "sas1d/awkward/testData01_twoLineHeader.csv")
    (curve,) = ours(shared_data / "sas1d/awkward/testData01_twoLineHeader.csv")
    assert curve.units["q"] == "1/nm"
    assert "A" in data.x_unit
    np.testing.assert_allclose(data.x, curve.q, rtol=5e-16)


def test_sasdata_loses_slit_lengths_without_a_unit():
    path = EXAMPLES / "other_formats" / "1000A_sphere_sm.xml"
    (data,) = load(path)
    (curve,) = ours(path)
    assert data.dxl is None
    assert set(curve.columns["dql"]) == {0.117}
