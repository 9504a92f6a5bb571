"""Arrays keep dtype, shape and bits through .npy, HDF5 and TIFF."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from invae.data.arrays.files import read_array, write_array
from invae.errors import FileError, FormatError, InputError


@pytest.mark.parametrize("ending", ["a.npy", "a.h5", "a.h5:/entry/data", "a.tif"])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<i4", "<u2", "|u1", ">f4"])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4), (2, 2, 3, 4), (1, 7), (5, 3)])
def test_round_trip_keeps_every_bit(tmp_path, ending, dtype, shape):
    array = (np.arange(np.prod(shape)).reshape(shape) - (0 if dtype[1] == "u" else 3)).astype(dtype)
    if dtype[1] == "f":
        array.flat[0] = np.nan
    path = f"{tmp_path}/{ending}"
    write_array(path, array)
    again = read_array(path)
    assert again.shape == array.shape
    assert again.dtype == array.dtype.newbyteorder("=") or again.dtype == array.dtype
    assert again.astype(array.dtype).tobytes() == array.tobytes()


def test_npy_is_memory_mapped_and_read_only(tmp_path):
    write_array(tmp_path / "a.npy", np.arange(3.0))
    array = read_array(tmp_path / "a.npy")
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable


def test_nothing_is_overwritten_unasked(tmp_path):
    write_array(tmp_path / "a.npy", np.zeros(2))
    with pytest.raises(FileError, match="exists"):
        write_array(tmp_path / "a.npy", np.ones(2))
    write_array(tmp_path / "a.npy", np.ones(2), overwrite=True)
    assert read_array(tmp_path / "a.npy").tolist() == [1, 1]


def test_hdf5_with_several_data_sets_asks_for_one(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = np.zeros(2), np.ones(2)
    with pytest.raises(FormatError, match=r"holds 2 numeric data sets \(x, y\)"):
        read_array(path)
    assert read_array(f"{path}:/y").tolist() == [1, 1]
    with pytest.raises(FormatError, match="no data set /z"):
        read_array(f"{path}:/z")


def test_what_cannot_be_read_is_said(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3")
    with pytest.raises(FormatError, match=r"no \.npy, HDF5 or TIFF"):
        read_array(tmp_path / "a.txt")
    with pytest.raises(FileError, match="no file"):
        read_array(tmp_path / "b.npy")
    with pytest.raises(FileError, match="folder"):
        read_array(tmp_path)
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FormatError, match="not numeric"):
        read_array(tmp_path / "o.npy")
    raw = (tmp_path / "o.npy").read_bytes()
    (tmp_path / "t.npy").write_bytes(raw[:40])
    with pytest.raises(FormatError, match="damaged"):
        read_array(tmp_path / "t.npy")


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_damaged_tiff_is_a_format_error_or_an_array(tmp_path, place):
    path = write_array(tmp_path / "a.tif", np.arange(12.0).reshape(3, 4))
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] ^= 0xFF
    path.write_bytes(bytes(raw))
    try:
        assert isinstance(read_array(path), np.ndarray)
    except FormatError as error:
        assert "a.tif" in str(error)


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError, match="ending"):
        write_array(tmp_path / "a.xyz", np.zeros(2))
    with pytest.raises(InputError, match="TIFF cannot hold"):
        write_array(tmp_path / "a.tif", np.zeros(2))
    with pytest.raises(InputError, match="real numbers"):
        write_array(tmp_path / "a.npy", np.array(["a"]))
    with pytest.raises(InputError, match="path inside"):
        write_array(f"{tmp_path}/a.npy:/x", np.zeros(2))
    assert not list(tmp_path.iterdir())
