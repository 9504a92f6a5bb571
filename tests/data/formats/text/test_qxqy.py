"""Two-dimensional tables of text: rows are reshaped, never moved."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

SASDATA = Path(str(files("sasdata") / "example_data"))


QXQY = [
    "SILIC010.DAT",
    "SILIC010_noheader_3col.DAT",
    "P123_D2O_10_percent.dat",
    "33837rear_2D_1.75_16.5_NIST.dat",
]


@pytest.mark.parametrize(
    ("name", "shape", "columns"),
    [(QXQY[0], (128, 128), 7), (QXQY[1], (128, 128), 3), (QXQY[2], (100, 100), 4), (QXQY[3], (150, 150), 4)],
)
def test_qxqy_rows_are_reshaped_but_not_moved(only, name, shape, columns):
    path = SASDATA / "2d_data" / name
    frame = only(path)
    assert frame.shape == shape
    cut = frame.metadata["table"]["header_characters"]
    text = path.read_bytes().decode()
    assert text[:cut] == frame.header[:cut]
    rows = [row.split() for row in re.split(r"[\r\n]+", text[cut:]) if row.strip()]
    expected = np.array(rows, float)
    assert expected.shape == (frame.data.size, columns)
    stored = {"data": frame.data, "sigma": frame.sigma, "qx": frame.qx, "qy": frame.qy, **frame.columns}
    for i, key in enumerate(frame.metadata["table"]["columns"]):
        assert stored[key].ravel().tobytes() == np.ascontiguousarray(expected[:, i]).tobytes()


def test_nist_qxqy_with_errors_names_all_columns(only, shared_data):
    frame = only(shared_data / "sas2d/nist_qxqy/SSRHE031.DAT", q_unit="1/angstrom")
    assert frame.shape == (128, 128)
    assert frame.units["qx"] == "1/angstrom"
    assert list(frame.columns) == ["Qz", "SigmaQ_parall", "SigmaQ_perp", "fSubS(beam stop shadow)"]
    assert frame.sigma.flat[0] == 12.485493
    assert frame.header.startswith("FILE: SSRhe031.SA2_DEL_Q494")


def test_rows_without_a_grid_stay_one_dimensional(only):
    frame = only(SASDATA / "magnetic_data" / "S50_unpol_2D.dat")
    assert frame.shape == (31140,)
    assert frame.qx.shape == frame.qy.shape == frame.sigma.shape == (31140,)


def test_danse_pixel_list(only):
    frame = only(SASDATA / "2d_data" / "P_New.sans")
    assert frame.shape == frame.sigma.shape == (128, 128)
    assert (frame.data[0, 0], frame.sigma[0, 1]) == (1.57831, 1.77569)
    assert frame.metadata["fields"]["WAVELENGTH"] == "7.5"
