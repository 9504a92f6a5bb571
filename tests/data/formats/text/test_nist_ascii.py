"""Raw NIST data as text: a frame of all counts, never a curve of one line of the header."""

from __future__ import annotations

import numpy as np
import pytest

from invae.data import read
from invae.errors import FormatError

HEAD = (
    "FILE: run.SA1  CREATED: 3-MAR-2011\nLABEL: blank\nMON CNT   LAMBDA(A)   DET_OFF(cm)   DET_DIST(m)\n"
    "1.5e+06  6       0     4\nASCII data created Tue, Mar 3, 2011\n\n"
)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_counts_fill_a_square_with_x_running_fastest(only, tmp_path, newline):
    counts = np.arange(32 * 32)
    text = (HEAD + "".join(f"{count}\n" for count in counts)).replace("\n", newline)
    (tmp_path / "a.ASC").write_bytes(text.encode())
    frame = only(tmp_path / "a.ASC")
    assert frame.shape == (32, 32) and np.array_equal(frame.data, counts.reshape(32, 32))
    assert frame.header.startswith("FILE: run.SA1") and "ASCII data created" in frame.header


def test_missing_or_spoilt_counts_are_named(tmp_path):
    rows = [f"{k}\n" for k in range(1024)]
    (tmp_path / "a.ASC").write_text(HEAD + "".join(rows[:-1]))
    with pytest.raises(FormatError, match=r"a\.ASC: 1023 counts fill no square"):
        read(tmp_path / "a.ASC")
    (tmp_path / "a.ASC").write_text(HEAD + "".join([*rows[:1000], "x\n", *rows[1001:]]))
    with pytest.raises(FormatError, match=r"a\.ASC line 1007: cannot read 'x' as a number"):
        read(tmp_path / "a.ASC")
