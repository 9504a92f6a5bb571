"""``invae info`` says what files hold without reading the values of a stack."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import tifffile

from invae.data.formats.hdf5.nexus import Hdf5Stack
from invae.data.formats.images.tiff import TiffStack


@pytest.fixture
def forbidden(monkeypatch):
    def read_values(*arguments):
        raise AssertionError("the values of a stack are read")

    for stack in (Hdf5Stack, TiffStack):
        monkeypatch.setattr(stack, "__getitem__", read_values)
        monkeypatch.setattr(stack, "__array__", read_values)


def nexus(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"NX_class": "NXdata", "signal": "data"})
        group["data"] = np.ones((5, 8, 6), np.uint16)


@pytest.mark.parametrize("name", ["a.h5", "a.tif"])
def test_values_of_a_stack_are_not_read(tmp_path, run, forbidden, name):
    if name == "a.h5":
        nexus(tmp_path / name)
    else:
        tifffile.imwrite(
            tmp_path / name, np.ones((5, 8, 6), np.uint16), photometric="minisblack", compression="zlib"
        )
    status, stdout, _ = run("info", tmp_path / name)
    assert status == 0 and "uint16 frame 5 x 8 x 6" in stdout
    (record,) = json.loads(run("info", "--json", tmp_path / name)[1])[0]["records"]
    assert record["shape"] == [5, 8, 6] and record["negative"] is None


def test_plain_array_in_hdf5_is_not_read(tmp_path, run, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.ones((5, 8))
    monkeypatch.setattr("invae.data.arrays.files.read_dataset", None)
    status, stdout, _ = run("info", tmp_path / "a.h5")
    assert status == 0 and "float64 array 5 x 8" in stdout


def test_bad_file_among_others_is_named_with_its_path(tmp_path, run):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.dat").write_text(
            "# q (1/A)  I\n0.1 2\n0.2 3\n" if folder == "one" else "words\n"
        )
    status, stdout, stderr = run("info", tmp_path / "one/run.dat", tmp_path / "two/run.dat")
    assert status == 1 and "curve of 2 points" in stdout
    assert str(tmp_path / "two/run.dat") in stderr and "one/run.dat" not in stderr
