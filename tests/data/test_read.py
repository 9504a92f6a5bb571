"""Every real file loads with every bit, or gives one clear sentence."""

from __future__ import annotations

import importlib
import re
import warnings
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import h5py
import hdf5plugin
import numpy as np
import pytest

from invae.data import identical, read
from invae.data.read import FORMATS, Format
from invae.data.records import Curve, Frame, from_parts
from invae.errors import FileError, FormatError, InvaeError, InvaeWarning

SASDATA = Path(str(files("sasdata") / "example_data"))
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SAS1D = SHARED / "sas1d"
WORDS = {"-1.#IND": np.nan}

REFUSED = {
    "CoreXY_ShellZ.txt": "columns X, Y, Z, SLDN",
    "glucose_isomerase.ift": "BIFT",
    "glucose_isomerase.out": "GNOM",
    "book.xml": "line 1: root element 'Book' is not a canSAS SASroot",
    "crash01.txt": "no table of numbers",
    "crash02.txt": "no table of numbers",
    "crash03.txt": "only one column of numbers",
    "crash04.txt": "no table of numbers",
    "crash05.txt": "no table of numbers",
    "crash06.txt": "line 3: 3 columns where the table above has 4",
}


def real_files(*folders: Path) -> list[Path]:
    return sorted(
        path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file()
    )


ALL = real_files(SASDATA / "1d_data", SASDATA / "magnetic_data", SASDATA / "other_formats", SAS1D)
# One long multi-entry file is read in a test of its own.
ALL = [path for path in ALL if path.name != "VTMA.h5" and not path.name.endswith("_2D.dat")]
LOADED = [path for path in ALL if path.name not in REFUSED]


def quiet_read(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        return read(path, **options)


def ids(path: Path) -> str:
    return "/".join(path.parts[-2:])


@pytest.mark.parametrize("path", ALL, ids=ids)
def test_every_file_loads_or_is_refused_in_one_sentence(path):
    if path.name in REFUSED:
        with pytest.raises(FormatError, match=re.escape(REFUSED[path.name])) as caught:
            quiet_read(path)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    records = quiet_read(path)
    assert records
    for record in records:
        assert len(record.values) > 0
        assert record.name
        assert path.name in record.source
        assert identical(from_parts(*record.to_parts()), record)
        assert ("q" if isinstance(record, Curve) else "data") in record.units


def is_text(path: Path) -> bool:
    head = path.read_bytes()[:200]
    return b"\0" not in head and not head.lstrip().startswith((b"<?", b"<S", b"<B", b"\x89"))


@pytest.mark.parametrize("path", [path for path in LOADED if is_text(path)], ids=ids)
def test_text_around_and_numbers_inside_are_those_of_the_bytes(path):
    (curve,) = quiet_read(path)
    layout = curve.metadata["table"]
    text = path.read_bytes().decode(layout.get("encoding", "utf-8"))
    cut = layout["header_characters"]
    header, footer = curve.header[:cut], curve.header[cut:]
    assert text.startswith(header) and text.endswith(footer)
    table = text[len(header) : len(text) - len(footer)]
    rows = [row for row in re.split(r"[\r\n]+", table) if row.strip()]
    split = r"[;\s]+" if layout["decimal"] == "," else r"[;,\s]+"
    cells = [[cell.replace(",", ".") for cell in re.split(split, row) if cell] for row in rows]
    expected = np.array([[WORDS[c] if c in WORDS else float(c) for c in row] for row in cells])
    stored = {
        "q": curve.q,
        "intensity": curve.intensity,
        "sigma": curve.sigma,
        "dq": curve.dq,
        **curve.columns,
    }
    assert [key for key, array in stored.items() if array is not None] == sorted(
        layout["columns"], key=list(stored).index
    )
    assert expected.shape == (len(curve.q), len(layout["columns"]))
    for i, key in enumerate(layout["columns"]):
        assert stored[key].tobytes() == expected[:, i].tobytes(), key


def local(tag: str) -> str:
    return tag.rpartition("}")[2]


@pytest.mark.parametrize("path", [p for p in LOADED if p.suffix.lower() == ".xml"], ids=ids)
def test_xml_points_are_those_of_an_independent_parser(path):
    curves = quiet_read(path)
    root = ElementTree.parse(path).getroot()
    blocks = [e for e in root.iter() if local(e.tag) == "SASdata"]
    assert len(curves) == len(blocks)
    roles = {"Q": "q", "I": "intensity", "Idev": "sigma", "Qdev": "dq"}
    others = {"dQl": "dql", "dQw": "dqw", "Qmean": "qmean", "Shadowfactor": "shadowfactor"}
    for curve, block in zip(curves, blocks):
        points = [e for e in block if local(e.tag) == "Idata"]
        assert len(points) == len(curve.q)
        for tag, role in (roles | others).items():
            cells = [[c for c in point if local(c.tag) == tag] for point in points]
            texts = [(c[0].text or "").strip() if c else "" for c in cells]
            stored = getattr(curve, role) if tag in roles else curve.columns.get(role)
            if not any(texts):
                assert stored is None
                continue
            expected = np.array([float(text) if text else np.nan for text in texts])
            assert stored.tobytes() == expected.tobytes()
            assert curve.units[role] == next(c[0].get("unit") for c in cells if c)
        assert "<Idata" not in curve.header
        assert "SASentry" in curve.header


@pytest.mark.parametrize("path", [p for p in LOADED if p.suffix in {".h5", ".hdf"}], ids=ids)
def test_hdf5_arrays_keep_dtype_and_bits(path):
    with h5py.File(path) as file:
        for record in quiet_read(path):
            group = file[record.source.partition(":")[2]]
            assert record.values.dtype.str == group["I"].dtype.str
            assert record.values.tobytes() == group["I"][()].tobytes()
            if "Idev" in group:
                assert record.sigma.tobytes() == group["Idev"][()].tobytes()
            else:
                assert record.sigma is None
            if isinstance(record, Curve):
                assert record.q.tobytes() == group["Q"][()].tobytes()


@pytest.mark.parametrize(
    "stem", ["W1W2", "bimodal-test1", "cansas1d", "cs_af1410", "r586", "r597", "xg009036_001"]
)
def test_xml_and_hdf5_of_one_stem_hold_the_same_curves(shared_data, stem):
    folder = shared_data / "sas1d"
    (xml,) = [p for p in (folder / "cansas_xml").iterdir() if p.stem == stem]
    from_xml = sorted(read(xml), key=lambda curve: curve.intensity.tobytes())
    from_hdf5 = sorted(read(folder / "nxcansas" / f"{stem}.h5"), key=lambda curve: curve.intensity.tobytes())
    assert len(from_xml) == len(from_hdf5)
    for a, b in zip(from_xml, from_hdf5):
        assert a.q.tobytes() == b.q.tobytes()
        assert a.intensity.tobytes() == b.intensity.tobytes()
        assert (a.sigma is None) == (b.sigma is None)
        assert a.sigma is None or a.sigma.tobytes() == b.sigma.tobytes()


def test_nan_and_q_zero_are_kept():
    (curve,) = quiet_read(SASDATA / "1d_data" / "cyl_400_20.txt")
    assert curve.q[0] == 0 and np.isnan(curve.intensity[0])
    (curve,) = quiet_read(SASDATA / "1d_data" / "PolySpheres.txt")
    assert (curve.q[0], curve.intensity[0], len(curve.q)) == (0, 0, 129)


def test_unsorted_and_repeated_q_stay_in_order(shared_data):
    (curve,) = quiet_read(SASDATA / "1d_data" / "testdata_line3.txt")
    assert curve.q[:5].tolist() == [0, 1, 0.408163, 0.612245, 45]
    (curve,) = quiet_read(shared_data / "sas1d/ascii/bioxtas_raw/glucose_isomerase_dupe_data.dat")
    assert (np.diff(curve.q) == 0).any()


def test_two_columns_have_no_sigma_instead_of_zeros():
    (curve,) = quiet_read(SASDATA / "1d_data" / "98929.txt")
    assert curve.sigma is None and curve.dq is None


def test_transmission_spectrum_is_kept_beside_the_curve():
    (curve,) = quiet_read(SASDATA / "1d_data" / "ISIS_Polymer_Blend_TK49.xml")
    spectrum = {
        key: array for key, array in curve.columns.items() if key.startswith("transmission_spectrum/")
    }
    assert {len(array) for array in spectrum.values()} == {102} or len(
        {len(a) for a in spectrum.values()}
    ) == 1
    assert curve.units["transmission_spectrum/sample/Lambda"] == "A"


def test_slit_columns_are_no_pinhole_resolution(shared_data):
    (curve,) = quiet_read(shared_data / "sas1d/awkward/cansas1d_slit.xml")
    assert curve.dq is None
    assert curve.columns["dql"].tolist() == [0.005, 0.005]
    assert curve.columns["dqw"].tolist() == [0.001, 0.001]
    (curve,) = quiet_read(SASDATA / "1d_data" / "1umSlitSmearSphere.ABS")
    assert curve.dq is None
    assert set(curve.columns["sigmaQ"].tolist()) == {-0.117}


def test_mask_of_older_layout_is_kept(shared_data):
    (frame,) = read(shared_data / "sas1d/nxcansas/cansas2012_layouts/example_06_2D_Masked.h5")
    assert isinstance(frame, Frame)
    assert frame.mask.dtype == np.int32 and frame.mask.shape == frame.shape


def test_unit_of_q_is_asked_for_where_the_file_does_not_say(tmp_path):
    path = tmp_path / "a.dat"
    path.write_text("0.1 2 3\n0.2 4 5\n")
    with pytest.warns(InvaeWarning, match="q_unit"):
        (curve,) = read(path)
    assert curve.units["q"] is None
    (curve,) = read(path, q_unit="1/nm")
    assert curve.units["q"] == "1/nm"


def test_unit_of_the_file_wins_over_the_one_passed(tmp_path):
    path = tmp_path / "a.dat"
    path.write_text("q(1/nm) I(1/cm)\n0.1 2\n0.2 4\n")
    with pytest.warns(InvaeWarning, match="ignored"):
        (curve,) = read(path, q_unit="1/angstrom")
    assert (curve.units["q"], curve.units["intensity"]) == ("1/nm", "1/cm")


def test_hdf5_path_picks_one_record(shared_data):
    path = shared_data / "sas1d/nxcansas/W1W2.h5"
    (curve,) = read(f"{path}:/W2")
    assert curve.source == "W1W2.h5:/W2/sasdata"
    (frame,) = read(f"{path}:/W2/sasdata/I")
    assert frame.data.tobytes() == curve.intensity.tobytes()
    with pytest.raises(FormatError, match="has no /W3 inside; its root holds W1, W2"):
        read(f"{path}:/W3")


@pytest.mark.parametrize("name", sorted(hdf5plugin.FILTERS))
def test_any_hdf5plugin_filter_is_read(tmp_path, name):
    options = {
        "bshuf": hdf5plugin.Bitshuffle(),
        "blosc": hdf5plugin.Blosc(),
        "blosc2": hdf5plugin.Blosc2(),
        "bzip2": hdf5plugin.BZip2(),
        "lz4": hdf5plugin.LZ4(),
        "zstd": hdf5plugin.Zstd(),
        "fcidecomp": hdf5plugin.FciDecomp(),
        "sz": hdf5plugin.SZ(absolute=1e-3),
        "sz3": hdf5plugin.SZ3(absolute=1e-3),
        "zfp": hdf5plugin.Zfp(reversible=True),
        "htj2k": hdf5plugin.Htj2k(),
        "sperr": hdf5plugin.Sperr(peak_signal_to_noise_ratio=90),
    }
    path = tmp_path / "a.h5"
    values = np.arange(40 * 30, dtype=np.uint16 if name in {"fcidecomp", "htj2k"} else np.float32).reshape(
        40, 30
    )
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"NX_class": "NXdata", "signal": "I"})
        group.create_dataset("I", data=values, **options[name])
        expected = group["I"][()]
    (frame,) = read(path)
    assert frame.data.dtype == values.dtype
    assert frame.data.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.dat", b"", "empty"),
        ("blank.dat", b" \n\n", "empty"),
        ("binary.dat", b"\x01\x02\0\0" * 40, "binary"),
        ("ragged.dat", b"1 2 3\n2 3 4\n3 4\n4 5 6\n5 6 7\n", "line 3: 2 columns where the table above has 3"),
        ("short_last.dat", b"1 2 3\n2 3 4\n3 4\n", "line 3: 2 columns"),
        ("stars.dat", b"1 2 3\n2 3 4\n3 **** 5\n4 5 6\n", "line 3: cannot read '[*]+' as a number"),
        ("stars_last.dat", b"1 2 3\n2 3 4\n3 **** 5\n", "line 3: cannot read"),
        ("two.dat", b"1 2\n2 3\n3 4\nnext\n1 2\n2 3\n", "several tables"),
        ("one.dat", b"1 2\n", "one row"),
        ("flat.dat", b"-1 -1 5\n0 -1 6\n1 -1 7\n", "negative numbers in two columns"),
        ("cut.xml", b"<?xml version='1.0'?><SASroot><SASentry>", "line 1: not well-formed"),
        (
            "none.xml",
            b"<?xml version='1.0'?>\n<SASroot>\n</SASroot>",
            "line 2: the SASroot holds no SASentry",
        ),
        ("picture.png", b"\x89PNG\r\n\x1a\n", "PNG picture"),
        ("cut.h5", b"\x89HDF\r\n\x1a\n" + bytes(30), "damaged HDF5"),
    ],
)
def test_damaged_file_is_one_clear_error(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        quiet_read(path)
    assert name in str(caught.value)


def test_bad_value_in_xml_names_its_line(tmp_path, shared_data):
    text = (shared_data / "sas1d/cansas_xml/cansas1d.xml").read_text().replace(">1000<", ">1000?<")
    path = tmp_path / "bad.xml"
    path.write_text(text)
    line = 1 + text[: text.index("1000?")].count("\n")
    with pytest.raises(FormatError, match=rf"bad.xml line {line}: cannot read '1000\?' in <I>"):
        read(path)


def test_missing_file_and_folder_are_file_errors(tmp_path):
    with pytest.raises(FileError, match="no file"):
        read(tmp_path / "absent.dat")
    with pytest.raises(FileError, match="folder"):
        read(tmp_path)


def test_hdf5_without_scattering_data_asks_for_a_path(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x/y"] = np.arange(3)
    with pytest.raises(FormatError, match="name what to read"):
        read(path)
    (frame,) = read(f"{path}:/x/y")
    assert frame.data.tolist() == [0, 1, 2]


def test_no_byte_flip_in_a_file_gives_anything_but_records_or_an_invae_error(tmp_path, rng, shared_data):
    sources = [
        shared_data / "sas1d/awkward/cansas1d_slit.xml",
        shared_data / "sas1d/awkward/testData01_twoLineHeader.csv",
    ]
    for source in sources:
        raw = bytearray(source.read_bytes())
        for trial in range(60):
            damaged = bytearray(raw)
            for position in rng.integers(0, len(raw), 3):
                damaged[position] = rng.integers(0, 256)
            path = tmp_path / f"{trial}{source.suffix}"
            path.write_bytes(damaged)
            try:
                assert quiet_read(path)
            except InvaeError:
                continue


def test_notes_inside_the_data_group_are_kept(shared_data):
    (curve,) = read(shared_data / "sas1d/nxcansas/NXcanSAS_SMR.h5")
    note = curve.metadata["data"]["IGORWaveNote"]
    assert note["DATE"] == "2025-02-21 12:20:13.290068"
    assert note["@"] == {"NX_class": "NXnote"}


def test_text_beside_the_arrays_of_a_data_group_is_metadata(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"canSAS_class": "SASdata", "signal": "I", "I_axes": "Q"})
        group["I"], group["Q"], group["comment"] = np.arange(3.0), np.arange(3.0), "wet"
    (curve,) = read(tmp_path / "a.h5")
    assert curve.metadata["data"]["comment"] == "wet"


def test_vectors_of_q_in_one_array_give_components():
    (frame,) = read(SASDATA / "2d_data" / "BAM_2D.h5")
    with h5py.File(SASDATA / "2d_data" / "BAM_2D.h5") as file:
        q = file["sasentry01/data/Q"][()]
    assert (frame.qx == q[0]).all() and (frame.qy == q[1]).all() and (frame.columns["qz"] == q[2]).all()
    assert frame.mask.dtype == bool


def test_every_text_and_number_of_an_nxcansas_entry_is_kept(shared_data):
    path = shared_data / "sas1d/nxcansas/s81-polyurea.h5"
    (curve,) = read(path)
    held = str(curve.metadata)
    texts = []

    def collect(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "S":
            texts.append(item[0].decode())

    with h5py.File(path) as file:
        file.visititems(collect)
    assert len(texts) > 50
    assert all(repr(text)[1:-1] in held for text in texts)


@pytest.mark.parametrize("errors", ["I_errors", "errors"])
def test_plain_nexus_data_over_q_is_a_curve(tmp_path, errors):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("entry/result")
        group.attrs.update({"NX_class": "NXdata", "signal": "I", "axes": ["q"]})
        group["I"], group["q"], group[errors] = np.arange(3.0), np.arange(3.0), np.ones(3, np.float32)
        group["q"].attrs["units"] = "1/nm"
        image = file.create_group("entry/image")
        image.attrs.update({"NX_class": "NXdata", "signal": "data"})
        image["data"] = np.zeros((2, 2))
    frame, curve = read(tmp_path / "a.h5")
    assert isinstance(curve, Curve) and isinstance(frame, Frame)
    assert not curve.columns and not frame.columns
    assert curve.units["q"] == "1/nm" and curve.sigma.dtype == np.float32
    (frame,) = read(f"{tmp_path}/a.h5:/entry/image")
    assert isinstance(frame, Frame)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("Z83000.I1D", b"ISIS_83404.TXT\n\n 121 1 1 1 0 0 0 0 0 1\nZ83001.I1D\n", "BSL / OTOKO"),
        ("x25001.l2d", bytes(400), "BSL / OTOKO"),
        ("GI2_A9_19", b"#F GI2_A9_19\n#E 1447531404\n#D Sat Nov 14\n\n#S 1 ascan\n1 2\n2 3\n", "log of SPEC"),
    ],
)
def test_known_formats_that_are_not_read_are_named_with_the_way_out(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FormatError, match=says):
        read(path)


def test_a_format_is_added_by_one_line_of_the_table(tmp_path, monkeypatch):
    def read_ours(source):
        return [Frame(data=np.frombuffer(source.raw[4:], "u1"), name=source.stem)]

    ours = Format("ours", lambda source: source.head.startswith(b"OURS"), read_ours)
    monkeypatch.setattr(importlib.import_module("invae.data.read"), "FORMATS", (ours, *FORMATS))
    (tmp_path / "a.dat").write_bytes(b"OURS\1\2")
    assert read(tmp_path / "a.dat")[0].data.tolist() == [1, 2]


def test_message_names_the_path_that_was_given(tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.dat").write_text("nothing but words\n")
    for folder in ("first", "second"):
        with pytest.raises(FormatError) as caught:
            read(tmp_path / folder / "run.dat")
        assert str(caught.value).startswith(str(tmp_path / folder / "run.dat"))
