"""NeXus signals keep dtype, shape and bits; what is missing is named."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from invae.data import identical, read
from invae.data.formats.hdf5.nexus import Hdf5Stack
from invae.errors import FormatError

EIGER_MASKED = 2**32 - 1


def test_eiger_stack_keeps_its_masked_pixels(only, shared_data):
    frame = only(shared_data / "sas2d/dectris_eiger/vac_007_data_000001.h5")
    assert frame.shape == (2, 3262, 3108)
    assert frame.data.dtype == np.uint32
    assert (frame.data == EIGER_MASKED).any()
    assert np.mean(frame.data == 0) > 0.9


@pytest.mark.parametrize(
    ("name", "place", "shape"),
    [
        ("aps_pilatus100k/saxs_PU_225C_1_0062.hdf", "/entry/data/data", (195, 487)),
        ("aps_waxs/waxs_PU_25C_2_0063.hdf", "/entry/data/data", (512, 2068)),
        ("isis_loq_raw/LOQ75877.nxs", "/raw_data_1/detector_1/counts", (1, 17790, 102)),
        ("aps_usaxs_flyscan/usaxs_PU_25C_2_0063.h5", "/entry/flyScan/mca3", (7999,)),
    ],
)
def test_nexus_signal_keeps_dtype_shape_and_bits(only, shared_data, name, place, shape):
    path = shared_data / "sas2d" / name
    frame = only(path)
    assert frame.shape == shape
    assert frame.source == f"{path.name}:{place}"
    with h5py.File(path) as file:
        assert frame.data.dtype.str == file[place].dtype.str
        assert frame.data.tobytes() == file[place][()].tobytes()
    assert frame.metadata["entry"]


def test_every_number_of_a_nexus_entry_is_kept(only, shared_data):
    path = shared_data / "sas2d/isis_loq_raw/LOQ75877.nxs"
    frame = only(path)
    assert frame.columns["detector_1/time_of_flight"].shape == (103,)
    assert frame.units["detector_1/time_of_flight"] == "microseconds"
    assert frame.metadata["entry"]["instrument"]["name"]["value"] == "LOQ"
    with h5py.File(path) as file:
        numeric = []
        file["raw_data_1"].visititems(
            lambda key, item: (
                numeric.append(key)
                if isinstance(item, h5py.Dataset) and item.size > 16 and item.dtype.kind in "iuf"
                else None
            )
        )
    assert set(numeric) - {"detector_1/counts"} == set(frame.columns)


def test_stack_on_disk_is_read_where_it_is_sliced(only, shared_data):
    path = shared_data / "sas2d/dectris_eiger/vac_007_data_000001.h5"
    frame = only(path, lazy=True)
    assert isinstance(frame.data, Hdf5Stack)
    assert frame.shape == (2, 3262, 3108) and frame.data.dtype == np.uint32 and len(frame.data) == 2
    whole = only(path)
    assert (frame.data[1, 100:110, ::7] == whole.data[1, 100:110, ::7]).all()
    assert isinstance(frame.load().data, np.ndarray)
    assert identical(frame, whole)


def test_link_to_a_missing_file_is_named(tmp_path):
    with h5py.File(tmp_path / "master.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs["NX_class"] = "NXdata"
        group["data_000001"] = h5py.ExternalLink("absent_000001.h5", "/entry/data/data")
    with pytest.raises(FormatError, match=r"link to absent_000001.h5:/entry/data/data"):
        read(tmp_path / "master.h5")


def test_eiger_master_file_follows_its_links(tmp_path):
    for i in (1, 2):
        with h5py.File(tmp_path / f"run_{i}.h5", "w") as file:
            file["entry/data/data"] = np.full((2, 3, 4), i, np.uint32)
    with h5py.File(tmp_path / "master.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs["NX_class"] = "NXdata"
        for i in (1, 2):
            group[f"data_{i:06d}"] = h5py.ExternalLink(f"run_{i}.h5", "/entry/data/data")
    frames = read(tmp_path / "master.h5")
    assert [frame.data.max() for frame in frames] == [1, 2]
    lazy = read(tmp_path / "master.h5", lazy=True)
    assert all(identical(a, b) for a, b in zip(frames, lazy))


def test_hard_link_loops_do_not_trap_the_reader(only, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/a")
        group["up"] = file["entry"]
        data = file.create_group("entry/data")
        data.attrs.update({"NX_class": "NXdata", "signal": "I"})
        data["I"] = np.arange(3)
        file["entry"].attrs["NX_class"] = "NXentry"
    frame = only(tmp_path / "a.h5")
    assert frame.data.tolist() == [0, 1, 2]


def test_virtual_stack_with_a_missing_part_is_refused(only, tmp_path):
    for i in (1, 2):
        with h5py.File(tmp_path / f"part_{i}.h5", "w") as file:
            file["data"] = np.full((2, 3), i, np.int32)
    layout = h5py.VirtualLayout((2, 2, 3), np.int32)
    for i in (1, 2):
        layout[i - 1] = h5py.VirtualSource(f"part_{i}.h5", "data", (2, 3))
    with h5py.File(tmp_path / "master.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"NX_class": "NXdata", "signal": "data"})
        group.create_virtual_dataset("data", layout, fillvalue=0)
    frame = only(tmp_path / "master.h5")
    assert frame.data[0].max() == 1 and frame.data[1].min() == 2
    (tmp_path / "part_2.h5").unlink()
    for lazy in (True, False):
        with pytest.raises(FormatError, match=r"needs the file part_2\.h5"):
            read(tmp_path / "master.h5", lazy=lazy)
