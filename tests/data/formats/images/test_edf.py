"""Images in EDF: every byte is accounted for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from invae.data import read
from invae.errors import FormatError, InvaeWarning


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float32])
def test_edf_round_trip_through_fabio(only, tmp_path, dtype):
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


def edf(images, stated=None, size=None, length=1024, **fields):
    """Bytes of an EDF file; ``stated`` images are announced by the one header that there then is."""
    raw = b""
    for number, image in enumerate(images[: 1 if stated else None]):
        keys = {"HeaderID": f"EH:{number + 1:06d}:000000:000000", "ByteOrder": "LowByteFirst"}
        keys |= {"DataType": "SignedInteger", "Dim_1": image.shape[1], "Dim_2": image.shape[0]}
        keys |= {"Size": size or image.nbytes} | fields | ({"Num_Images": stated} if stated else {})
        text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in keys.items())
        raw += (text.ljust(length - 2) + "}\n").encode() + image.astype("<i4").tobytes()
    return raw + b"".join(image.astype("<i4").tobytes() for image in images[1 if stated else len(images) :])


@pytest.fixture
def images(rng):
    return [rng.integers(1, 1000, (4, 6)).astype(np.int32) for _ in range(3)]


@pytest.mark.parametrize("cut", [1, 37, 95, 96, 97, 500, 1020, 1121, 2100])
def test_edf_that_is_cut_off_anywhere_is_no_image_of_zeros(tmp_path, images, cut):
    (tmp_path / "a.edf").write_bytes(edf(images)[:-cut])
    with pytest.raises(FormatError, match=r"a\.edf"):
        read(tmp_path / "a.edf")


def test_images_behind_one_header_that_states_their_number(tmp_path, images):
    (tmp_path / "a.edf").write_bytes(edf(images, stated=3))
    frames = read(tmp_path / "a.edf")
    assert [frame.data.tolist() for frame in frames] == [image.tolist() for image in images]


@pytest.mark.parametrize("options", [{"stated": 2}, {"stated": 4}, {"stated": 3, "size": 288}])
def test_bytes_that_no_header_accounts_for_are_refused(tmp_path, images, options):
    (tmp_path / "a.edf").write_bytes(edf(images, **options))
    with pytest.raises(FormatError, match=r"a\.edf.*bytes"):
        read(tmp_path / "a.edf")


def test_padding_behind_the_last_image_is_no_image(tmp_path, images):
    (tmp_path / "a.edf").write_bytes(edf(images) + b"\0" * 416)
    assert len(read(tmp_path / "a.edf")) == 3


@pytest.mark.parametrize("name", ["a.dat", "a.ge5", "a.cbf", "a.tif", "noending", "run_0001"])
def test_edf_is_known_by_its_content(tmp_path, images, name):
    (tmp_path / name).write_bytes(edf(images[:1]))
    assert read(tmp_path / name)[0].data.tolist() == images[0].tolist()


def test_each_image_keeps_the_text_of_its_own_header(tmp_path, images):
    (tmp_path / "a.edf").write_bytes(edf(images[:2]))
    first, second = read(tmp_path / "a.edf")
    assert "EH:000001" in first.header and "EH:000002" in second.header
    assert second.header.startswith("{") and second.header.endswith("}")


def test_what_fabio_only_logs_is_a_warning(tmp_path, images):
    raw = edf(images[:1], length=1024, Operator="M\u00fcller")
    (tmp_path / "a.edf").write_bytes(raw.replace("M\u00fcller".encode(), b"M\xfcller "))
    with pytest.warns(InvaeWarning, match="fabio says"):
        (frame,) = read(tmp_path / "a.edf")
    assert "M\u00fcller" in frame.header
