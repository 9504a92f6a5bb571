"""Detector images in TIFF keep their pixels, sentinels, stacks and texts."""

from __future__ import annotations

import numpy as np
import pytest

from invae.data import read
from invae.errors import FormatError


@pytest.mark.parametrize("name", ["chess_tiff/GI2_A9_19_001_0000.tiff", "pilatus1m_tiff/agbeh2_1M.tif"])
def test_tiff_pixels_are_the_bytes_of_its_strip(only, shared_data, name):
    path = shared_data / "sas2d" / name
    frame = only(path)
    raw = path.read_bytes()
    assert frame.data.dtype == np.int32
    assert frame.data.tobytes() == raw[4096 : 4096 + 4 * frame.data.size]
    assert frame.header.startswith("# Pixel_size 172e-6 m x 172e-6 m")
    assert frame.header.encode("latin-1") in raw
    assert frame.metadata["tags"]["Model"].startswith("PILATUS")


def test_pilatus_gaps_and_dead_pixels_keep_their_sentinels(only, shared_data):
    frame = only(shared_data / "sas2d/pilatus1m_tiff/agbeh2_1M.tif")
    assert frame.shape == (1043, 981)
    gaps, dead = (frame.data == -1).sum(), (frame.data == -2).sum()
    assert gaps > 0 and dead > 0
    assert 0.05 < (gaps + dead) / frame.data.size < 0.1
    assert frame.data.min() == -2


def test_colour_picture_is_no_detector_image(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(FormatError, match="colour picture"):
        read(tmp_path / "a.tif")
