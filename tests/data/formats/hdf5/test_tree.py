"""Groups behind links are read as those in the file; links that lead nowhere are named."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from invae.data import read
from invae.errors import FormatError


def sasdata(file, place="entry/data"):
    group = file.create_group(place)
    file[place.split("/")[0]].attrs["canSAS_class"] = "SASentry"
    group.attrs.update({"canSAS_class": "SASdata", "signal": "I", "I_axes": "Q"})
    group["Q"], group["I"] = np.arange(1.0, 4.0), np.arange(3.0)
    return group


def nxdata(file, place="1.1/measurement", value=1):
    group = file.create_group(place)
    file[place.split("/")[0]].attrs["NX_class"] = "NXentry"
    group.attrs.update({"NX_class": "NXdata", "signal": "data"})
    group["data"] = np.full((2, 4, 4), value, np.uint16)
    return group


@pytest.mark.parametrize("place", ["/1.1", "/1.1/measurement"])
@pytest.mark.parametrize("lazy", [None, True])
def test_entries_behind_external_links_are_read(tmp_path, place, lazy):
    for i in (1, 2):
        with h5py.File(tmp_path / f"scan_{i}.h5", "w") as file:
            nxdata(file, value=i)
    with h5py.File(tmp_path / "master.h5", "w") as file:
        for i in (1, 2):
            file[f"scan_{i}"] = h5py.ExternalLink(f"scan_{i}.h5", place)
    frames = read(tmp_path / "master.h5", lazy=lazy)
    assert [int(np.asarray(frame.data).max()) for frame in frames] == [1, 2]


def test_curves_behind_external_and_soft_links_are_read_once(tmp_path):
    with h5py.File(tmp_path / "curves.h5", "w") as file:
        sasdata(file)
        file["again"] = h5py.SoftLink("/entry")
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["a"] = h5py.ExternalLink("curves.h5", "/entry")
        file["b"] = h5py.ExternalLink("curves.h5", "/again")
    for name in ("curves.h5", "master.h5"):
        (curve,) = read(tmp_path / name)
        assert curve.q.tolist() == [1, 2, 3]


def test_missing_entry_among_others_is_not_fewer_records(tmp_path):
    with h5py.File(tmp_path / "master.h5", "w") as file:
        nxdata(file)
        file["2.1"] = h5py.ExternalLink("absent.h5", "/2.1")
    with pytest.raises(FormatError, match=r"2\.1 is a link to absent\.h5:/2\.1.*bring that file"):
        read(tmp_path / "master.h5")


def test_absent_file_with_the_instrument_does_not_hide_the_data(tmp_path):
    with h5py.File(tmp_path / "master.h5", "w") as file:
        nxdata(file)
        instrument = file.create_group("1.1/instrument")
        instrument.attrs["NX_class"] = "NXinstrument"
        instrument["flat"] = h5py.ExternalLink("absent.h5", "/flat")
    (frame,) = read(tmp_path / "master.h5")
    assert frame.metadata["entry"]["instrument"]["flat"] == {"@link": "absent.h5:/flat"}


@pytest.mark.parametrize("key", ["I", "Q", "Idev"])
def test_array_of_a_curve_in_an_absent_file_is_named(tmp_path, key):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = sasdata(file)
        if key in group:
            del group[key]
        group[key] = h5py.ExternalLink("absent.h5", "/x")
    with pytest.raises(FormatError, match=rf"data/{key} is a link to absent\.h5:/x.*bring that file"):
        read(tmp_path / "a.h5")


def test_soft_link_to_nothing_is_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = sasdata(file)
        del group["I"]
        group["I"] = h5py.SoftLink("/nowhere")
    with pytest.raises(FormatError, match=r"data/I is a link to /nowhere, which cannot be followed"):
        read(tmp_path / "a.h5")


def test_loop_of_external_links_ends(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["next"] = h5py.ExternalLink(f"{other}.h5", "/")
    with pytest.raises(FormatError, match="holds no SASdata"):
        read(tmp_path / "a.h5")
