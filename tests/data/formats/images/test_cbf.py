"""Images in CBF: length and checksum are those that the file states."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from invae.data import read
from invae.errors import FormatError


def test_cbf_round_trip_through_fabio(only, tmp_path, rng):
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


@pytest.fixture
def cbf(tmp_path, rng):
    """Bytes of a CBF file and its image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fabio.cbfimage import CbfImage
    data = rng.poisson(20, (24, 36)).astype(np.int32)
    CbfImage(data=data).write(str(tmp_path / "made.cbf"))
    return (tmp_path / "made.cbf").read_bytes(), data


def test_cbf_whose_bytes_disagree_with_its_checksum_is_refused(tmp_path, cbf, rng):
    raw, _ = cbf
    start = raw.find(b"\x0c\x1a\x04\xd5") + 4
    for at in rng.integers(start, start + 800, 20):
        bad = bytearray(raw)
        bad[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "a.cbf").write_bytes(bad)
        with pytest.raises(FormatError, match=r"a\.cbf: damaged: the checksum"):
            read(tmp_path / "a.cbf")


def test_cbf_without_a_checksum_is_read(tmp_path, cbf):
    raw, data = cbf
    for line in (b"", b"Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n"):
        text = re.sub(rb"Content-MD5: [^\r\n]*\r?\n", line, raw)
        (tmp_path / "a.cbf").write_bytes(text)
        assert (read(tmp_path / "a.cbf")[0].data == data).all()


def test_cbf_that_is_cut_off_or_holds_several_images_is_refused(tmp_path, cbf):
    raw, _ = cbf
    size = int(re.search(rb"X-Binary-Size: (\d+)", raw)[1])
    start = raw.find(b"\x0c\x1a\x04\xd5") + 4
    for end in (start, start + 1, start + size - 1):
        (tmp_path / "a.cbf").write_bytes(raw[:end])
        with pytest.raises(FormatError, match=r"cut off after \d+ of the"):
            read(tmp_path / "a.cbf")
    (tmp_path / "a.cbf").write_bytes(raw + raw)
    with pytest.raises(FormatError, match="several images"):
        read(tmp_path / "a.cbf")


def test_cbf_of_another_compression_is_named(tmp_path, cbf):
    (tmp_path / "a.cbf").write_bytes(cbf[0].replace(b"x-CBF_BYTE_OFFSET", b"x-CBF_PACKED_V2"))
    with pytest.raises(FormatError, match="compression x-CBF_PACKED_V2 is not read"):
        read(tmp_path / "a.cbf")


@pytest.mark.parametrize("name", ["a.dat", "a.edf", "a.tif", "noending"])
def test_cbf_is_known_by_its_content(tmp_path, cbf, name):
    (tmp_path / name).write_bytes(cbf[0])
    assert (read(tmp_path / name)[0].data == cbf[1]).all()
