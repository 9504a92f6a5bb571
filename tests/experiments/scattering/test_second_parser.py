from __future__ import annotations

import numpy as np
import pytest

import invae
from experiments.scattering.second_parser import second_opinion
from invae.data import write

pytestmark = pytest.mark.filterwarnings("ignore::invae.errors.InvaeWarning")


def curve(rng):
    q = np.geomspace(0.01, 0.3, 20)
    return invae.Curve(q=q, intensity=rng.random(20), sigma=rng.random(20), name="a")


@pytest.mark.parametrize("name", ["a.xml", "a.h5", "a.dat"])
def test_a_second_parse_confirms_what_is_there_and_sees_what_is_not(rng, tmp_path, name):
    write([curve(rng)], tmp_path / name)
    records = invae.read(tmp_path / name)
    assert "DIFFERS" not in second_opinion(tmp_path / name, records) != ""
    moved = records[0].intensity.copy()
    moved[7] = np.nextafter(moved[7], 1)
    assert "DIFFERS" in second_opinion(tmp_path / name, [records[0].replace(values=moved)])
    assert "DIFFERS" in second_opinion(tmp_path / name, [records[0].replace(values=moved[::-1])])


def test_nan_of_old_windows_and_decimal_commas_are_numbers(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("0,1  -1.#IND\n0,2  3,5\n0,3  4,25\n0,4  1,5\n")
    assert second_opinion(path, invae.read(path)).startswith("q, I")
