"""Detector images and 2-D tables keep their pixels, sentinels, shapes and headers."""

from __future__ import annotations

import re
import warnings
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np
import pytest

from invae.data import Frame, identical, read
from invae.data.formats.hdf5.nexus import Hdf5Stack
from invae.errors import FormatError, InvaeWarning

SASDATA = Path(str(files("sasdata") / "example_data"))
EIGER_MASKED = 2**32 - 1


def only(path, **options) -> Frame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        (frame,) = read(path, **options)
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize("name", ["chess_tiff/GI2_A9_19_001_0000.tiff", "pilatus1m_tiff/agbeh2_1M.tif"])
def test_tiff_pixels_are_the_bytes_of_its_strip(shared_data, name):
    path = shared_data / "sas2d" / name
    frame = only(path)
    raw = path.read_bytes()
    assert frame.data.dtype == np.int32
    assert frame.data.tobytes() == raw[4096 : 4096 + 4 * frame.data.size]
    assert frame.header.startswith("# Pixel_size 172e-6 m x 172e-6 m")
    assert frame.header.encode("latin-1") in raw
    assert frame.metadata["tags"]["Model"].startswith("PILATUS")


def test_pilatus_gaps_and_dead_pixels_keep_their_sentinels(shared_data):
    frame = only(shared_data / "sas2d/pilatus1m_tiff/agbeh2_1M.tif")
    assert frame.shape == (1043, 981)
    gaps, dead = (frame.data == -1).sum(), (frame.data == -2).sum()
    assert gaps > 0 and dead > 0
    assert 0.05 < (gaps + dead) / frame.data.size < 0.1
    assert frame.data.min() == -2


def test_eiger_stack_keeps_its_masked_pixels(shared_data):
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
def test_nexus_signal_keeps_dtype_shape_and_bits(shared_data, name, place, shape):
    path = shared_data / "sas2d" / name
    frame = only(path)
    assert frame.shape == shape
    assert frame.source == f"{path.name}:{place}"
    with h5py.File(path) as file:
        assert frame.data.dtype.str == file[place].dtype.str
        assert frame.data.tobytes() == file[place][()].tobytes()
    assert frame.metadata["entry"]


def test_every_number_of_a_nexus_entry_is_kept(shared_data):
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


def test_vax_counts_sum_to_the_detector_count_of_the_header(shared_data):
    paths = sorted((shared_data / "sas2d/nist_raw_vax").iterdir())
    assert len(paths) == 4
    for path in paths:
        frame = only(path)
        assert frame.shape == (128, 128) and frame.data.dtype == np.int32
        assert frame.data.sum() == frame.metadata["fields"]["detector_count"]
        assert frame.metadata["fields"]["wavelength_A"] == 8
        assert frame.header.encode("latin-1") == path.read_bytes()[:514]


def test_vax_open_beam_peaks_at_the_beam_centre(shared_data):
    frame = only(shared_data / "sas2d/nist_raw_vax/JUL08409.SA3_LP_G418")
    y, x = np.unravel_index(frame.data.argmax(), frame.shape)
    fields = frame.metadata["fields"]
    assert abs(x + 1 - fields["beam_x_pixel"]) < 3 and abs(y + 1 - fields["beam_y_pixel"]) < 3


def test_vax_with_a_broken_record_mark_is_refused(shared_data, tmp_path):
    raw = bytearray((shared_data / "sas2d/nist_raw_vax/JUL08407.SA3_LP_G416").read_bytes())
    raw[514 + 2 * 1022 * 3] = 7
    (tmp_path / "bad").write_bytes(raw)
    with pytest.raises(FormatError, match="byte 6646: record mark 7, expected 0"):
        read(tmp_path / "bad")


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
def test_qxqy_rows_are_reshaped_but_not_moved(name, shape, columns):
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


def test_nist_qxqy_with_errors_names_all_columns(shared_data):
    frame = only(shared_data / "sas2d/nist_qxqy/SSRHE031.DAT", q_unit="1/angstrom")
    assert frame.shape == (128, 128)
    assert frame.units["qx"] == "1/angstrom"
    assert list(frame.columns) == ["Qz", "SigmaQ_parall", "SigmaQ_perp", "fSubS(beam stop shadow)"]
    assert frame.sigma.flat[0] == 12.485493
    assert frame.header.startswith("FILE: SSRhe031.SA2_DEL_Q494")


def test_rows_without_a_grid_stay_one_dimensional():
    frame = only(SASDATA / "magnetic_data" / "S50_unpol_2D.dat")
    assert frame.shape == (31140,)
    assert frame.qx.shape == frame.qy.shape == frame.sigma.shape == (31140,)


def test_danse_pixel_list():
    frame = only(SASDATA / "2d_data" / "P_New.sans")
    assert frame.shape == frame.sigma.shape == (128, 128)
    assert (frame.data[0, 0], frame.sigma[0, 1]) == (1.57831, 1.77569)
    assert frame.metadata["fields"]["WAVELENGTH"] == "7.5"


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float32])
def test_edf_round_trip_through_fabio(tmp_path, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fabio.edfimage import EdfImage
    data = (np.arange(35).reshape(5, 7) - (0 if dtype == np.uint16 else 2)).astype(dtype)
    path = tmp_path / "a.edf"
    EdfImage(data=data, header={"Wavelength": "1.5 A"}).write(str(path))
    frame = only(path)
    assert frame.data.dtype == dtype and (frame.data == data).all()
    assert frame.metadata["fields"]["Wavelength"] == "1.5 A"
    assert frame.header.startswith("{") and frame.header.endswith("}") and "1.5 A" in frame.header


def test_edf_with_several_images_gives_a_record_for_each(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fabio.edfimage import EdfImage
    image = EdfImage(data=np.zeros((2, 3), np.int32))
    image.append_frame(data=np.ones((2, 3), np.int32))
    image.write(str(tmp_path / "a.edf"))
    frames = read(tmp_path / "a.edf")
    assert [frame.data.sum() for frame in frames] == [0, 6]
    assert [frame.name for frame in frames] == ["a/0", "a/1"]


def test_cbf_round_trip_through_fabio(tmp_path, rng):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fabio.cbfimage import CbfImage
    data = rng.poisson(3, (40, 30)).astype(np.int32)
    data[0, :3] = [-1, -2, 10**6]
    path = tmp_path / "a.cbf"
    CbfImage(data=data).write(str(path))
    frame = only(path)
    assert frame.data.dtype == np.int32 and (frame.data == data).all()
    assert frame.header.startswith("###CBF")
    raw = path.read_bytes()
    assert raw.startswith(frame.header.encode("latin-1"))
    path.write_bytes(raw[: len(frame.header) + 10])
    with pytest.raises(FormatError, match=r"a\.cbf"):
        read(path)


def test_colour_picture_is_no_detector_image(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(FormatError, match="colour picture"):
        read(tmp_path / "a.tif")


def test_stack_on_disk_is_read_where_it_is_sliced(shared_data):
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


def test_hard_link_loops_do_not_trap_the_reader(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/a")
        group["up"] = file["entry"]
        data = file.create_group("entry/data")
        data.attrs.update({"NX_class": "NXdata", "signal": "I"})
        data["I"] = np.arange(3)
        file["entry"].attrs["NX_class"] = "NXentry"
    frame = only(tmp_path / "a.h5")
    assert frame.data.tolist() == [0, 1, 2]


def test_virtual_stack_with_a_missing_part_is_refused(tmp_path):
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


@pytest.mark.parametrize(
    ("name", "shape", "edges"),
    [
        ("LMOG_100254_merged_ISIS2D.txt", (100, 100), (101, 100)),
        ("YBCO_12685__ISIS2D.txt", (68, 68), (69, 69)),
    ],
)
def test_isis_map_holds_the_numbers_of_the_text_in_order(name, shape, edges):
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
