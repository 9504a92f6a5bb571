"""Names that are no UTF-8 are read as the Latin-1 that they are, and every record can be written."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invae.data import Curve, Frame, identical, read, write
from invae.data.texts import without_surrogates
from invae.errors import InvaeError

TABLE = b"# q (1/A)  I (1/cm)  err (1/cm)\n0.02 20 1\n0.04 19 1\n0.06 18 1\n"


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_becomes_one_that_utf_8_can_hold(text):
    made = without_surrogates(text)
    made.encode("utf-8")
    assert len(made) == len(text)
    if not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        assert made is text


def test_bytes_of_a_name_become_their_latin_1_letters():
    raw = b"Gr\xf6\xdfe_5\xb0C.dat"
    assert without_surrogates(os.fsdecode(raw)) == raw.decode("latin-1")
    assert without_surrogates({"a\udcfc": ["b\udcdf", 1]}) == {"aü": ["bß", 1]}


@pytest.fixture
def latin_1_file(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"Pr\xfcfling.dat")
    try:
        with open(path, "wb") as file:
            file.write(TABLE)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    return os.fsdecode(path)


@pytest.mark.parametrize("ending", [".h5", ".xml", ".dat"])
@pytest.mark.parametrize("bare", [True, False])
def test_record_of_a_file_with_a_latin_1_name_is_written(latin_1_file, tmp_path, ending, bare):
    (curve,) = read(latin_1_file)
    assert curve.name == "Prüfling" and curve.source.startswith("Prüfling.dat")
    json.dumps(curve.description(), ensure_ascii=False).encode("utf-8")
    curve = curve.replace(metadata={}, header="") if bare else curve
    (again,) = read(write(curve, tmp_path / f"out{ending}"))
    assert np.array_equal(again.intensity, curve.intensity)
    if ending != ".dat":
        assert again.name == curve.name


def test_message_about_a_file_with_a_latin_1_name_can_be_printed(latin_1_file):
    with open(latin_1_file, "wb") as file:
        file.write(b"\0\0")
    with pytest.raises(InvaeError) as caught:
        read(latin_1_file)
    assert "Prüfling.dat" in str(caught.value).encode("utf-8").decode()


def test_records_with_lone_surrogates_hold_texts_instead():
    frame = Frame(
        np.zeros(2),
        name="a\udcfc",
        units={"data": "\udcb5m"},
        metadata={"k\udce4": "v"},
        columns={"c\udce4": [1]},
    )
    assert frame.name == "aü" and frame.units == {"data": "µm"} and frame.metadata == {"kä": "v"}
    assert list(frame.columns) == ["cä"]
    assert identical(frame, frame.replace())
    assert Curve(q=[1.0], intensity=[1.0], header="\ud800").header == "\ufffd"
