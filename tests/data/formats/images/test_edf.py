"""Images in EDF: every byte is accounted for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from invae.data import read


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
