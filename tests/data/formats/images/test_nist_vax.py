"""NIST VAX files give the counts that their headers sum up."""

from __future__ import annotations

import numpy as np
import pytest

from invae.data import read
from invae.errors import FormatError


def test_vax_counts_sum_to_the_detector_count_of_the_header(only, shared_data):
    paths = sorted((shared_data / "sas2d/nist_raw_vax").iterdir())
    assert len(paths) == 4
    for path in paths:
        frame = only(path)
        assert frame.shape == (128, 128) and frame.data.dtype == np.int32
        assert frame.data.sum() == frame.metadata["fields"]["detector_count"]
        assert frame.metadata["fields"]["wavelength_A"] == 8
        assert frame.header.encode("latin-1") == path.read_bytes()[:514]


def test_vax_open_beam_peaks_at_the_beam_centre(only, shared_data):
    frame = only(shared_data / "sas2d/nist_raw_vax/JUL08409.SA3_LP_G418")
    y, x = np.unravel_index(frame.data.argmax(), frame.shape)
    fields = frame.metadata["fields"]
    assert abs(x + 1 - fields["beam_x_pixel"]) < 3 and abs(y + 1 - fields["beam_y_pixel"]) < 3


def test_vax_with_a_broken_record_mark_is_refused(shared_data, tmp_path):
    raw = bytearray((shared_data / "sas2d/nist_raw_vax/JUL08407.SA3_LP_G416").read_bytes())
    raw[514 + 2 * 1022 * 3] = 7
    (tmp_path / "bad").write_bytes(raw)
    with pytest.raises(FormatError, match="byte 6646: record mark 7, expected 0"):
        read(tmp_path / "bad")
