"""Detector images in TIFF keep their pixels, sentinels, stacks and texts."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from invae.data import read, read_array
from invae.data.formats.images.tiff import TiffStack
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


@pytest.fixture
def stack(rng):
    return rng.integers(1, 60000, (3, 20, 30)).astype(np.uint16)


def pages(path, stack, compression=None, descriptions=((), (), ())):
    import tifffile

    with tifffile.TiffWriter(path) as file:
        for page, texts in zip(stack, descriptions):
            tags = [(270, 2, 0, text, False) for text in texts]
            file.write(
                page,
                photometric="minisblack",
                compression=compression,
                contiguous=False,
                metadata=None,
                extratags=tags,
            )


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("lazy", [None, True])
def test_tiff_that_is_cut_off_anywhere_is_neither_zeros_nor_fewer_pages(tmp_path, stack, compression, lazy):
    pages(tmp_path / "whole.tif", stack, compression)
    raw = (tmp_path / "whole.tif").read_bytes()
    for cut in range(8, len(raw), 211):
        (tmp_path / "a.tif").write_bytes(raw[:cut])
        try:
            (frame,) = read(tmp_path / "a.tif", lazy=lazy)
        except FormatError as error:
            assert "a.tif" in str(error)
        else:
            assert np.array_equal(np.asarray(frame.data), stack)


def test_truncated_plain_stack_is_refused_without_reading_it(tmp_path, stack):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(raw[:3000])
    with pytest.raises(FormatError, match=r"a\.tif"):
        read(tmp_path / "a.tif", lazy=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.int32])
@pytest.mark.parametrize("count", [3, 4])
def test_stack_of_three_pages_is_no_colour_picture(only, tmp_path, rng, dtype, count):
    import tifffile

    data = (rng.random((count, 12, 16)) * 100).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(tmp_path / "a.tif", data)
    frame = only(tmp_path / "a.tif")
    assert frame.data.dtype == dtype and np.array_equal(frame.data, data)


def test_every_description_of_every_page_is_kept(only, tmp_path, stack):
    pages(
        tmp_path / "a.tif",
        stack,
        descriptions=(("exposure 1 s", "# Pixel_size 172e-6 m"), ("exposure 2 s",), ()),
    )
    frame = only(tmp_path / "a.tif")
    assert frame.header == "exposure 1 s"
    assert frame.metadata["descriptions"] == [["exposure 1 s", "# Pixel_size 172e-6 m"], ["exposure 2 s"]]


def test_one_description_stays_the_header_alone(only, tmp_path, stack):
    pages(tmp_path / "a.tif", stack, descriptions=(("exposure 1 s",), (), ()))
    frame = only(tmp_path / "a.tif")
    assert frame.header == "exposure 1 s" and "descriptions" not in frame.metadata


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_of_a_stack_are_read_where_they_are_sliced(only, tmp_path, stack, compression):
    pages(tmp_path / "a.tif", stack, compression)
    data = only(tmp_path / "a.tif", lazy=True).data
    assert data.shape == stack.shape and data.dtype == stack.dtype and len(data) == 3
    assert compression is None or isinstance(data, TiffStack)
    for index in (1, -1, slice(1, 3), slice(5, 9), (2, slice(3, 7)), (slice(None), 4, 5), ..., np.int64(0)):
        np.testing.assert_array_equal(data[index], stack[index])


def test_several_series_are_not_read_as_one_array(tmp_path, stack):
    import tifffile

    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(stack[0], photometric="minisblack")
        file.write(stack[1, :5], photometric="minisblack")
    assert [frame.shape for frame in read(tmp_path / "a.tif")] == [(20, 30), (5, 30)]
    with pytest.raises(FormatError, match="2 series of pages"):
        read_array(tmp_path / "a.tif")
