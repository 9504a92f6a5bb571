"""HDF5 files that other programs hold, old names, user blocks and data sets without values."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from invae.data import Frame, read, read_array, write
from invae.data.arrays.rows import open_rows
from invae.errors import FileError, FormatError


def curve_group(file):
    group = file.create_group("entry/data")
    file["entry"].attrs["canSAS_class"] = "SASentry"
    group.attrs.update({"canSAS_class": "SASdata", "signal": "I", "I_axes": "Q"})
    return group


@pytest.mark.parametrize("mode", ["w", "swmr"])
def test_file_that_is_being_written_is_told_as_that(tmp_path, mode):
    path = tmp_path / "a.h5"
    code = "import sys; from invae.data import read\n"
    code += "try: read(sys.argv[1])\nexcept OSError as e: print(type(e).__name__, e)"
    with h5py.File(path, "w", libver="latest") as file:
        curve_group(file)["I"] = np.arange(3.0)
        file.flush()
        if mode == "swmr":
            file.swmr_mode = True
        run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    said = run.stdout
    assert said.startswith("FileError") and "written by another program" in said and "damaged" not in said


@pytest.mark.parametrize("block", [512, 4096, 65536])
def test_file_with_a_user_block_is_read(tmp_path, block):
    path = tmp_path / "a.dat"
    with h5py.File(path, "w", userblock_size=block) as file:
        group = curve_group(file)
        group["Q"], group["I"] = np.arange(3.0), np.arange(3.0)
    with open(path, "r+b") as stream:
        stream.write(b"written by our own program")
    assert read(path)[0].shape == (3,)
    assert read_array(f"{path}:/entry/data/Q").tolist() == [0, 1, 2]
    with open_rows(f"{path}:/entry/data/Q") as rows:
        assert rows.shape == (3,)


@pytest.mark.parametrize("key", ["I", "Q", "Idev"])
def test_null_data_set_is_no_type_error(tmp_path, key):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = curve_group(file)
        for name in ("I", "Q"):
            group[name] = h5py.Empty("f8") if name == key else np.arange(3.0)
        if key == "Idev":
            group[key] = h5py.Empty("f8")
    if key == "Idev":
        assert read(tmp_path / "a.h5")[0].sigma is None
        return
    with pytest.raises(FormatError, match=r"a\.h5"):
        read(tmp_path / "a.h5")
    for reader in (read, read_array):
        with pytest.raises(FormatError, match="null data set"):
            reader(f"{tmp_path}/a.h5:/entry/data/{key}")


def test_null_data_set_as_a_signal_of_nexus(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"NX_class": "NXdata", "signal": "data"})
        group["data"] = h5py.Empty("i4")
    with pytest.raises(FormatError, match="null data set"):
        read(tmp_path / "a.h5")


def test_path_of_a_group_is_no_array(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        curve_group(file)["x"] = np.arange(3)
    with pytest.raises(FormatError, match=r"no data set /entry/data"):
        read_array(f"{tmp_path}/a.h5:/entry/data")


def test_names_in_latin_1_inside_a_file_can_be_written_again(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = curve_group(file)
        group["Q"], group["I"] = np.arange(3.0), np.arange(3.0)
        entry = file["entry"].id
        for name, length in ((b"T\xe4ler", 3), (b"Pl\xe4tze", 40)):
            space = h5py.h5s.create_simple((length,))
            h5py.h5d.create(entry, name, h5py.h5t.NATIVE_DOUBLE, space)
        file["entry"].attrs.create("operator", np.bytes_(b"M\xfcller"))
    (curve,) = read(tmp_path / "a.h5")
    assert "Plätze" in curve.columns
    assert "Täler" in curve.metadata["entry"] and "Müller" in json.dumps(curve.metadata, ensure_ascii=False)
    (again,) = read(write(curve, tmp_path / "b.h5"))
    assert again.metadata == curve.metadata


def test_errors_of_a_signal_of_two_axes_are_its_sigma(tmp_path):
    values, errors = np.ones((4, 6)), np.full((4, 6), 0.5)
    for key, named in (("I_errors", None), ("errors", None), ("noise", "noise"), ("Idev", "Idev")):
        with h5py.File(tmp_path / f"{key}.h5", "w") as file:
            group = file.create_group("entry/data")
            group.attrs.update({"NX_class": "NXdata", "signal": "I"})
            group["I"], group[key] = values, errors
            group[key].attrs["units"] = "1/cm"
            if named:
                group["I"].attrs["uncertainties"] = named
        (frame,) = read(tmp_path / f"{key}.h5")
        assert isinstance(frame, Frame) and np.array_equal(frame.sigma, errors)
        assert frame.units["sigma"] == "1/cm" and not frame.columns


def test_errors_of_an_unnamed_signal_are_no_second_frame(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs["NX_class"] = "NXdata"
        group["counts"], group["counts_errors"] = np.ones((4, 6)), np.full((4, 6), 2.0)
    (frame,) = read(tmp_path / "a.h5")
    assert frame.data.max() == 1 and frame.sigma.max() == 2


def test_errors_of_another_shape_stay_a_column(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"NX_class": "NXdata", "signal": "I"})
        group["I"], group["I_errors"] = np.ones((4, 6)), np.ones(24)
    (frame,) = read(tmp_path / "a.h5")
    assert frame.sigma is None and len(frame.columns) == 1


def test_missing_file_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match="no file at"):
        read(tmp_path / "absent.h5")
