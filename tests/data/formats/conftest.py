"""Reading one record from a file, and writing the file first."""

from __future__ import annotations

import warnings

import pytest

from invae.data import Frame, read
from invae.errors import InvaeWarning


@pytest.fixture
def only():
    """Read the one frame of a file."""

    def reader(path, **options) -> Frame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InvaeWarning)
            (frame,) = read(path, **options)
        assert isinstance(frame, Frame)
        return frame

    return reader


@pytest.fixture
def curve_of(tmp_path):
    """Write a text and read the one curve in it."""

    def reader(content, name="a.dat", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InvaeWarning)
            (curve,) = read(path, **options)
        return curve

    return reader
