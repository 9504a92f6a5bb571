"""What is written comes back bit for bit, and other programs can read it."""

from __future__ import annotations

import warnings
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from lxml import etree

from invae.data import Curve, Frame, identical, read, write
from invae.errors import FileError, FormatError, InputError, InvaeWarning

SASDATA = Path(str(files("sasdata")))
EXAMPLES = SASDATA / "example_data"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ENDINGS = [".h5", ".xml", ".dat"]

REAL = [
    EXAMPLES / "1d_data" / name
    for name in (
        "ISIS_Polymer_Blend_TK49.xml",
        "latex_smeared.xml",
        "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5",
        "Lew_Sa3_DSM_QinA.h5",
        "cyl_400_20.txt",
        "cyl_testdata.txt",
        "1umSlitSmearSphere.ABS",
        "rpa_igor.txt",
        "Anton-Paar.pdh",
        "apoferritin.txt",
    )
]
REAL += [
    SHARED / "sas1d" / name
    for name in (
        "ascii/bioxtas_raw/sans_data.dat",
        "ascii/embl/SASDAB2.dat",
        "ascii/glassy_carbon_ill/ILL_Aug09__C4_D22_10A.txt",
        "ascii/ill_grasp/044753_t1.dat",
        "ascii/not_plain_curves/crysol.fit",
        "awkward/cr.csv",
        "awkward/testData01_UnicodeTwoLineHeader.csv",
        "awkward/testData01_leadingTrailingSpaces.csv",
        "awkward/cansas1d-template.xml",
        "awkward/cansas1d_slit.xml",
        "cansas_xml/cs_af1410.xml",
        "cansas_xml/W1W2.XML",
        "nxcansas/NXcanSAS_SMR.h5",
        "nxcansas/s81-polyurea.h5",
    )
]
REAL_FRAMES = [
    EXAMPLES / "2d_data/P123_D2O_10_percent.dat",
    EXAMPLES / "2d_data/33837rear_2D_1.75_16.5_NXcanSAS_v3.h5",
    EXAMPLES / "2d_data/BAM_2D.h5",
    SHARED / "sas1d/nxcansas/cansas2012_layouts/example_05_2D_SAS_WAS.h5",
    SHARED / "sas1d/nxcansas/cansas2012_layouts/example_06_2D_Masked.h5",
    SHARED / "sas2d/aps_pilatus100k/saxs_PU_225C_1_0062.hdf",
    SHARED / "sas2d/isis_loq_raw/LOQ75877.nxs",
    SHARED / "sas2d/nist_raw_vax/JUL08407.SA3_LP_G416",
    SHARED / "sas2d/pilatus1m_tiff/mask.tif",
]


def records_of(path: Path, **options):
    if not path.exists():
        pytest.skip("the shared test data are not beside this checkout")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        return read(path, **options)


def same(records, again) -> bool:
    """Identical but for the place of reading and the name that a nameless record gets from its file."""
    return len(records) == len(again) and all(
        identical(a, b.replace(source=a.source, name=a.name)) for a, b in zip(records, again)
    )


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_curves_come_back_bit_for_bit_from_every_format(path, ending, tmp_path):
    records = records_of(path)
    records = records[:1] if ending == ".dat" else records
    target = write(records, tmp_path / f"{path.stem}{ending}")
    again = records_of(target)
    assert same(records, again)
    assert [record.name for record in again] == [record.name for record in records]


@pytest.mark.parametrize("path", REAL_FRAMES, ids=lambda path: path.name)
def test_real_frames_come_back_bit_for_bit_from_hdf5(path, tmp_path):
    records = records_of(path)
    assert same(records, records_of(write(records, tmp_path / "a.h5")))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("folder", ["sas1d", "sas2d"])
def test_every_shared_file_comes_back_from_every_format(shared_data, folder, ending, tmp_path):
    for path in sorted((shared_data / folder).rglob("*")):
        try:
            records = records_of(path) if path.is_file() else []
        except FormatError:
            continue
        if ending != ".h5":
            records = [record for record in records if isinstance(record, Curve)]
        if ending == ".dat":
            records = records[:1]
        if records:
            assert same(
                records, records_of(write(records, tmp_path / f"{path.stem}{ending}", overwrite=True))
            )


@pytest.mark.parametrize(
    "path",
    [path for path in REAL if path.suffix in {".dat", ".txt", ".csv", ".ABS", ".fit", ".pdh"}],
    ids=lambda p: p.name,
)
def test_text_around_a_table_is_written_verbatim(path, tmp_path):
    (curve,) = records_of(path)
    raw = write(curve, tmp_path / f"a{path.suffix if path.suffix != '.fit' else '.dat'}").read_bytes()
    layout = curve.metadata["table"]
    encoded = curve.header.encode(layout.get("encoding", "utf-8"))
    cut = len(curve.header[: layout["header_characters"]].encode(layout.get("encoding", "utf-8")))
    assert raw.startswith(encoded[:cut]) and raw.endswith(encoded[cut:])
    assert b"invae" not in raw
    assert raw.count(layout["newline"].encode()) >= layout["rows"] - 1


def test_xml_that_came_from_xml_carries_no_note(tmp_path):
    (curve,) = records_of(EXAMPLES / "1d_data" / "ISIS_Polymer_Blend_TK49.xml")
    raw = write(curve, tmp_path / "a.xml").read_bytes()
    assert b"invae" not in raw and b"SAStransmission_spectrum" in raw and b"Mantid" in raw


CURVE_DTYPES = ["<f8", "<f4", ">f4", ">f8", "<i4", "<i8", "<u8", "<u2", "<f2", "|b1"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def curves(draw) -> Curve:
    n = draw(st.integers(1, 5))

    def array():
        return draw(hnp.arrays(draw(st.sampled_from(CURVE_DTYPES)), n))

    return Curve(
        q=array(),
        intensity=array(),
        sigma=draw(st.none() | st.builds(array)),
        dq=draw(st.none() | st.builds(array)),
        mask=draw(st.none() | hnp.arrays(st.sampled_from(["|b1", "|u1", "<i4"]), n)),
        columns={draw(TEXT): array(), "dql": array(), "other/length": np.arange(7.0)},
        units={"q": draw(st.none() | TEXT), "intensity": None},
        name=draw(TEXT),
        metadata={draw(TEXT): [draw(TEXT), draw(st.floats()), None]},
        header=draw(TEXT),
        source=draw(TEXT),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(curve=curves(), ending=st.sampled_from(ENDINGS))
def test_any_curve_comes_back_from_any_format(curve, ending, tmp_path):
    (again,) = records_of(write(curve, tmp_path / f"a{ending}", overwrite=True))
    assert identical(again, curve)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.sampled_from([*CURVE_DTYPES, "|u1"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    ),
    name=TEXT,
)
def test_any_frame_comes_back_from_hdf5(data, name, tmp_path):
    frame = Frame(data=data, mask=np.zeros(data.shape, np.uint8), columns={"a/b": np.arange(3.0)}, name=name)
    (again,) = records_of(write(frame, tmp_path / "a.h5", overwrite=True))
    assert identical(again, frame)


def test_decoded_values_are_written_in_place_of_the_old_ones(tmp_path):
    for path in REAL[:2]:
        (record, *_) = records_of(path)
        changed = record.replace(values=record.values * 1.001)
        for ending in ENDINGS:
            (again,) = records_of(write(changed, tmp_path / f"a{ending}", overwrite=True))
            assert again.values.tobytes() == changed.values.tobytes()


def test_stack_on_disk_is_written_page_by_page(tmp_path):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs.update({"NX_class": "NXdata", "signal": "data"})
        group["data"] = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    (frame,) = read(tmp_path / "in.h5", lazy=True)
    (again,) = read(write(frame, tmp_path / "out.h5"), lazy=True)
    assert not isinstance(again.data, np.ndarray)
    assert identical(frame, again.replace(source=frame.source))


def test_mixed_records_keep_their_order_in_hdf5(tmp_path):
    frame = Frame(data=np.zeros((2, 2)), name="image")
    curve = Curve(q=np.arange(2.0), intensity=np.arange(2.0), name="curve")
    again = read(write([frame, curve, frame], tmp_path / "a.h5"))
    assert [record.name for record in again] == ["image", "curve", "image"]


def test_hdf5_is_nxcansas_for_any_reader(tmp_path):
    (curve,) = records_of(EXAMPLES / "1d_data" / "ISIS_Polymer_Blend_TK49.xml")
    with h5py.File(write(curve, tmp_path / "a.h5")) as file:
        entry = file[file.attrs["default"]]
        assert entry.attrs["canSAS_class"] == "SASentry" and entry.attrs["NX_class"] == "NXentry"
        assert entry["definition"].asstr()[()] == "NXcanSAS"
        assert entry["title"].asstr()[()] == "LOQ_Standard_TK49_SANS" and entry["run"].asstr()[()] == "80514"
        data = entry[entry.attrs["default"]]
        assert data.attrs["canSAS_class"] == "SASdata" and data.attrs["I_axes"] == "Q"
        assert (data["I"][()] == curve.intensity).all() and data["I"].attrs["uncertainties"] == "Idev"
        assert data["Q"].attrs["units"] == "1/A" and data["Q"].attrs["resolutions"] == "Qdev"
        detectors = [key for key in entry["sasinstrument"] if key.startswith("sasdetector")]
        assert len(detectors) == 2
        spectrum = entry["sastransmission_spectrum_sample"]
        assert spectrum.attrs["canSAS_class"] == "SAStransmission_spectrum"
        assert (spectrum["T"][()] == curve.columns["transmission_spectrum/sample/T"]).all()


@pytest.mark.parametrize("name", ["SSRHE046.ABS", "SSRHE031.ABS"])
def test_new_xml_is_valid_by_the_schema(shared_data, name, tmp_path):
    schema = etree.XMLSchema(etree.parse(str(SASDATA / "dataloader/readers/schema/cansas1d_v1_1.xsd")))
    records = records_of(shared_data / "sas1d/ascii/nist_abs" / name)
    document = etree.parse(str(write(records, tmp_path / "a.xml")))
    assert schema.validate(document), schema.error_log


def load_with_sasdata(path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sasdata.dataloader.loader import Loader

        return Loader().load(str(path))


@pytest.mark.parametrize("ending", [".h5", ".xml"])
@pytest.mark.parametrize(
    "name",
    [
        "ISIS_Polymer_Blend_TK49.xml",
        "n_coreshell.txt",
        "98929.txt",
        "Lew_Sa3_DSM_QinA.h5",
        "AUSANS_run3_2_no_buffer.ABS",
    ],
)
def test_sasdata_reads_what_we_write(name, ending, tmp_path):
    records = records_of(EXAMPLES / "1d_data" / name, q_unit="1/A")
    loaded = load_with_sasdata(write(records, tmp_path / f"a{ending}"))
    assert len(loaded) == len(records)
    for curve, data in zip(records, loaded):
        assert not data.errors
        # sasdata multiplies by a unit factor, which may cost the last bit.
        np.testing.assert_allclose(data.x, curve.q, rtol=4e-16)
        np.testing.assert_array_equal(data.y, curve.intensity)
        if curve.sigma is not None:
            np.testing.assert_array_equal(data.dy, curve.sigma)
        if curve.dq is not None:
            np.testing.assert_allclose(data.dx, curve.dq, rtol=4e-16)
        assert data.title == curve.name


def test_sasdata_reads_our_slit_resolution(tmp_path):
    records = records_of(EXAMPLES / "1d_data" / "latex_smeared.xml")
    _, data = load_with_sasdata(write(records, tmp_path / "a.xml"))
    np.testing.assert_array_equal(data.dxl, records[1].columns["dql"])


def test_sasdata_reads_our_maps(tmp_path):
    (frame,) = records_of(EXAMPLES / "2d_data" / "P123_D2O_10_percent.dat", q_unit="1/A")
    (data,) = load_with_sasdata(write(frame, tmp_path / "a.h5"))
    np.testing.assert_array_equal(np.sort(data.data.ravel()), np.sort(frame.data.ravel()))
    np.testing.assert_array_equal(np.sort(data.err_data.ravel()), np.sort(frame.sigma.ravel()))


def test_what_a_format_cannot_hold_is_refused(tmp_path):
    curve = Curve(q=np.arange(2.0), intensity=np.arange(2.0), name="a")
    frame = Frame(data=np.zeros((2, 2)), name="image")
    with pytest.raises(InputError, match="empty"):
        write([], tmp_path / "a.h5")
    with pytest.raises(InputError, match="ending"):
        write(curve, tmp_path / "a.docx")
    with pytest.raises(InputError, match="unknown format"):
        write(curve, tmp_path / "a.h5", format="word")
    with pytest.raises(InputError, match="one curve"):
        write([curve, curve], tmp_path / "a.dat")
    with pytest.raises(InputError, match="image"):
        write(frame, tmp_path / "a.xml")
    with pytest.raises(InputError, match="curves"):
        write(frame, tmp_path / "a.dat")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_unasked(tmp_path):
    curve = Curve(q=np.arange(2.0), intensity=np.arange(2.0), name="a")
    write(curve, tmp_path / "a.h5")
    with pytest.raises(FileError, match="exists"):
        write(curve, tmp_path / "a.h5")
    write(curve, tmp_path / "a.h5", overwrite=True)


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_note_is_a_format_error(ending, tmp_path):
    curve = Curve(q=np.arange(2.0), intensity=np.arange(2.0), header="x", name="a")
    path = write(curve, tmp_path / f"a{ending}")
    if ending == ".h5":
        with h5py.File(path, "r+") as file:
            note = file["sasentry01/invae_note"]
            text = note["data"].asstr()[()]
            del note["data"]
            note["data"] = text.replace('"arrays"', '"array"')
    else:
        path.write_bytes(path.read_bytes().replace(b'"arrays"', b'"array"'))
    with pytest.raises(FormatError, match="damaged invae note"):
        records_of(path)


@pytest.mark.parametrize(
    "name", ["BIFT", "G N O M", "Qx - Qy - I(Qx,Qy)", "BM29", "<?xml", "FORMATVERSION:2"]
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_name_like_another_format_misleads_nobody(name, ending, tmp_path):
    curve = Curve(q=np.arange(3.0), intensity=np.arange(3.0), name=name, header=name)
    (again,) = records_of(write(curve, tmp_path / f"a{ending}"))
    assert identical(again, curve)


def test_more_axes_than_hdf5_has_are_named(tmp_path):
    with pytest.raises(InputError, match="33 axes, an HDF5 data set at most 32"):
        write(Frame(data=np.zeros((1,) * 33)), tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())
