"""Data sets made of other files: a part that is missing is named, at any depth, never read as zeros."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest

from invae.data import read, read_array
from invae.errors import FormatError, InvaeWarning


def part(path, value, shape=(2, 3)):
    with h5py.File(path, "w") as file:
        file["data"] = np.full(shape, value, np.int32)


def virtual(path, sources, shape=(2, 3), key="data"):
    layout = h5py.VirtualLayout((len(sources), *shape), np.int32)
    for i, (name, inner) in enumerate(sources):
        layout[i] = h5py.VirtualSource(name, inner, shape)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset(key, layout, fillvalue=0)


def refused(path, match):
    for reader in (read, read_array, lambda name: read(name, lazy=True)):
        with pytest.raises(FormatError, match=match):
            reader(f"{path}:/data")


def test_whole_chain_of_virtual_sources_is_read(tmp_path):
    part(tmp_path / "raw.h5", 7)
    virtual(tmp_path / "middle.h5", [("raw.h5", "data"), ("raw.h5", "data")])
    virtual(tmp_path / "top.h5", [("middle.h5", "data")], (2, 2, 3))
    assert read_array(f"{tmp_path}/top.h5:/data").tolist() == np.full((1, 2, 2, 3), 7).tolist()


def test_source_of_a_source_that_is_missing_is_named(tmp_path):
    part(tmp_path / "raw.h5", 7)
    virtual(tmp_path / "middle.h5", [("raw.h5", "data"), ("raw.h5", "data")])
    virtual(tmp_path / "top.h5", [("middle.h5", "data")], (2, 2, 3))
    (tmp_path / "raw.h5").unlink()
    refused(tmp_path / "top.h5", r"needs the file raw\.h5, which is missing")


def test_data_set_that_is_missing_in_a_source_is_named(tmp_path):
    part(tmp_path / "raw.h5", 7)
    virtual(tmp_path / "top.h5", [("raw.h5", "data"), ("raw.h5", "frames")])
    refused(tmp_path / "top.h5", r"raw\.h5:frames, which is not in that file")


def test_source_that_is_no_hdf5_file_is_named(tmp_path):
    (tmp_path / "raw.h5").write_bytes(b"cut off")
    virtual(tmp_path / "top.h5", [("raw.h5", "data")])
    refused(tmp_path / "top.h5", r"raw\.h5, which cannot be opened")


def test_source_with_too_few_frames_is_named(tmp_path):
    part(tmp_path / "raw.h5", 7, (4, 3))
    layout = h5py.VirtualLayout((6, 3), np.int32)
    layout[:] = h5py.VirtualSource("raw.h5", "data", (12, 3))[::2]
    with h5py.File(tmp_path / "top.h5", "w") as file:
        file.create_virtual_dataset("data", layout, fillvalue=0)
    refused(tmp_path / "top.h5", r"needs more values than .*raw\.h5:data of shape \(4, 3\)")


def test_virtual_data_set_of_its_own_file(tmp_path):
    part(tmp_path / "top.h5", 7)
    virtual(tmp_path / "top.h5", [(".", "data")], key="view")
    assert read_array(f"{tmp_path}/top.h5:/view").max() == 7
    virtual(tmp_path / "top.h5", [(".", "loop")], key="loop")
    with pytest.raises(FormatError, match="levels, or of itself"):
        read_array(f"{tmp_path}/top.h5:/loop")


def series(path, pattern=b"run_%b.h5"):
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    unlimited = h5py.h5s.UNLIMITED
    space = h5py.h5s.create_simple((0, 3), (unlimited, 3))
    space.select_hyperslab((0, 0), (unlimited, 1), (2, 1), (2, 3))
    creation.set_virtual(space, pattern, b"data", h5py.h5s.create_simple((2, 3)))
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_INT32, space, creation)


def test_gap_in_a_numbered_series_of_files_is_named(tmp_path):
    series(tmp_path / "top.h5")
    for i in range(3):
        part(tmp_path / f"run_{i}.h5", i + 1)
    assert read_array(f"{tmp_path}/top.h5:/data")[:, 0].tolist() == [1, 1, 2, 2, 3, 3]
    (tmp_path / "run_1.h5").unlink()
    refused(tmp_path / "top.h5", r"needs the file run_1\.h5, which is missing")
    (tmp_path / "run_0.h5").unlink()
    (tmp_path / "run_2.h5").unlink()
    refused(tmp_path / "top.h5", r"needs the file run_0\.h5, which is missing")


def test_external_raw_values_that_are_missing_or_cut_off_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with h5py.File("top.h5", "w") as file:
        file.create_dataset("data", (6,), "<f8", external=[("raw.bin", 8, 48)])
    refused(tmp_path / "top.h5", r"keeps its values in the file raw\.bin, which is missing")
    values = np.arange(7.0)
    (tmp_path / "raw.bin").write_bytes(values.tobytes()[:-1])
    refused(tmp_path / "top.h5", r"raw\.bin, which holds 55 bytes of 56: it is cut off")
    (tmp_path / "raw.bin").write_bytes(values.tobytes())
    assert read_array(f"{os.fspath(tmp_path)}/top.h5:/data").tolist() == [1, 2, 3, 4, 5, 6]


def test_chunks_that_were_never_written_are_told(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("data", (6, 4, 4), np.uint16, chunks=(1, 4, 4))
        data[:4] = 9
    with pytest.warns(InvaeWarning, match="2 of 6 chunks were never written"):
        array = read_array(f"{tmp_path}/a.h5:/data")
    assert array[:4].min() == 9 and array[4:].max() == 0
