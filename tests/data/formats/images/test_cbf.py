"""Images in CBF: length and checksum are those that the file states."""

from __future__ import annotations

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
