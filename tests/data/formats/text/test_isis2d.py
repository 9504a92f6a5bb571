"""ISIS maps of text."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from invae.data import read
from invae.errors import FormatError

SASDATA = Path(str(files("sasdata") / "example_data"))


@pytest.mark.parametrize(
    ("name", "shape", "edges"),
    [
        ("LMOG_100254_merged_ISIS2D.txt", (100, 100), (101, 100)),
        ("YBCO_12685__ISIS2D.txt", (68, 68), (69, 69)),
    ],
)
def test_isis_map_holds_the_numbers_of_the_text_in_order(only, name, shape, edges):
    path = SASDATA / "convertible_files" / name
    frame = only(path)
    assert frame.shape == frame.sigma.shape == shape
    assert (len(frame.columns["qx_axis"]), len(frame.columns["qy_axis"])) == edges
    tail = path.read_text().partition("3(8E12.4)")[2].replace("-nan(ind)", "nan").split()
    expected = np.array(tail, float)
    stored = np.concatenate([frame.data.ravel(), frame.sigma.ravel()])
    np.testing.assert_array_equal(stored, expected)
    assert frame.units["qx_axis"] in ("Angstrom^-1", "1/Angstrom")
    assert path.read_text().startswith(frame.header)


def test_damaged_isis_map_names_the_line(tmp_path):
    lines = (SASDATA / "convertible_files" / "YBCO_12685__ISIS2D.txt").read_text().split("\n")
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines[:40]))
    with pytest.raises(FormatError, match=r"a\.txt: ends after 96 of 4624 numbers"):
        read(path)
    path.write_text("\n".join([*lines[:30], "word", *lines[30:]]))
    with pytest.raises(FormatError, match="line 31: cannot read 'word' as a number"):
        read(path)
    path.write_text("\n".join([*lines[:6], "nan", *lines[7:]]))
    with pytest.raises(FormatError, match="line 7: nan is no number of points"):
        read(path)
