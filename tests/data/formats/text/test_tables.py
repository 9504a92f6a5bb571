"""Every line of numbers is in the table or named in an error."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invae.data import read, write
from invae.errors import FormatError, InvaeWarning

ROWS = [f"{0.02 * k:.2f};{50 - k};{0.5 * k:.1f}" for k in range(1, 10)]


def rows(delimiter=",", numbers=range(9)):
    return [ROWS[k].replace(";", delimiter) for k in numbers]


@pytest.mark.parametrize("delimiter", [",", " ", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_first_number_behind_a_byte_order_mark_is_read(curve_of, tmp_path, delimiter, encoding):
    raw = "\n".join(rows(delimiter)).encode(encoding)
    curve = curve_of(raw)
    assert len(curve.q) == 9 and curve.q[0] == 0.02
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        (again,) = read(write(curve, tmp_path / "b.dat"))
    assert again.header == curve.header == "\ufeff"


def test_thousands_between_quotation_marks(curve_of):
    curve = curve_of('q,I,s\n0.02,"2,150.5",1\n"0.04","1,040",1\n0.06,990,1\n')
    assert curve.intensity.tolist() == [2150.5, 1040, 990]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_decimal_commas_between_quotation_marks(curve_of, delimiter):
    lines = [delimiter.join(f'"{cell}"' for cell in row) for row in (("0,02", "51,5"), ("0,04", "49"))]
    curve = curve_of("\n".join(lines))
    assert curve.q.tolist() == [0.02, 0.04] and curve.intensity.tolist() == [51.5, 49]


def test_comma_between_quotation_marks_that_may_mean_either_is_refused(curve_of):
    with pytest.raises(FormatError, match=r"a\.dat line 1: the comma in quotation marks"):
        curve_of('2,"1,150"\n4,"1,040"\n')


@pytest.mark.parametrize("mark", ["#", "!", "//"])
def test_comment_behind_the_numbers_is_kept_with_its_row(curve_of, tmp_path, mark):
    lines = rows(" ")
    lines[0] += f"  {mark} behind the beamstop"
    lines[5] += f" {mark} 2 frames left out"
    curve = curve_of("\n".join(lines) + "\n")
    assert len(curve.q) == 9
    assert curve.metadata["table"]["comments"] == [
        [0, f"  {mark} behind the beamstop"],
        [5, f" {mark} 2 frames left out"],
    ]
    text = write(curve, tmp_path / "b.dat").read_text()
    assert f"{mark} 2 frames left out" in text.split("\n")[5]


def test_microsofts_not_a_number_is_no_comment(curve_of):
    curve = curve_of("0.1 -1.#IND\n0.2 5\n")
    assert np.isnan(curve.intensity[0]) and "comments" not in curve.metadata["table"]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([*rows(numbers=[0]), "# edge of the detector", *rows(numbers=range(1, 9))], 1),
        ([*rows(numbers=range(8)), "", "# edge", *rows(numbers=[8])], 11),
        ([*rows(numbers=[0]), "second detector", *rows(numbers=range(1, 9))], 1),
        ([*rows(numbers=range(8)), "second detector", *rows(numbers=[8])], 10),
        ([*rows(numbers=range(6)), "# second", "0.14,43", "0.16,42"], 8),
        (["*****,49,0.5", *rows(numbers=range(1, 9))], 1),
        (["NA,49,0.5", *rows(numbers=range(1, 9))], 1),
        (["#N/A,49,0.5", *rows(numbers=range(1, 9))], None),
        (["---,49,0.5", "", *rows(numbers=range(1, 9))], 1),
        (["*0.02,49,0.5", *rows(numbers=range(1, 9))], 1),
        (["0.02*,49,0.5", *rows(numbers=range(1, 9))], 1),
        (["0.O2,49,0.5", *rows(numbers=range(1, 9))], 1),
        (["0.02,49,0.5x", *rows(numbers=range(1, 9))], 1),
        ([*rows(numbers=range(8)), "?,41,4.5"], 9),
        ([*rows(numbers=range(8)), "1.8E-"], 9),
        ([*rows(numbers=range(8)), "0.18,41,4.E+"], 9),
        ([*rows(numbers=range(8)), "0.18,4"], 9),
        ([*rows(numbers=range(8)), "0.1"], 9),
        (["q,I,s", "1/nm,,", "overflow,49,0.5", *rows(numbers=range(1, 9))], 3),
    ],
)
def test_row_at_the_edge_is_read_or_named(curve_of, lines, line):
    if line is None:
        # It begins with the mark of a comment, and may be one.
        assert len(curve_of("\n".join(lines)).q) == 8
        return
    with pytest.raises(FormatError, match=rf"a\.dat line {line}:"):
        curve_of("\n".join(lines))


@pytest.mark.parametrize(
    "header",
    [
        "9",
        "9 3",
        "# 1.0 2.0 3.0",
        "Temperature: 25 C",
        "sample_7 a b",
        "exposure 1.5 s",
        "Distance 3 m",
        "0 0 0\n 3 (F12.5,2E16.6)",
    ],
)
def test_numbers_in_the_words_of_a_header_are_no_rows(curve_of, header):
    curve = curve_of(header + "\nq I s\n" + "\n".join(rows(" ")))
    assert len(curve.q) == 9 and curve.header.startswith(header)


@pytest.mark.parametrize("mark", ["\x1a", "\x1a\n", "\n\x1a", "\x1a\x1a\x1a"])
def test_end_of_file_mark_of_dos(curve_of, tmp_path, mark):
    curve = curve_of("\r\n".join(rows(" ")) + mark)
    assert len(curve.q) == 9 and curve.sigma[-1] == 4.5
    assert b"\x1a" in write(curve, tmp_path / "b.dat").read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "0,1;5.5\n0,2;6.5\n",
        "0.1\t1,5\n0.2\t2,5\n",
        "0,1 5\n0,2 6\n0.3 7\n",
        '"0,1","5.5"\n"0,2","6.5"\n',
    ],
)
def test_decimal_comma_and_point_in_one_file_are_refused(curve_of, text):
    with pytest.raises(FormatError, match=r"a\.dat.*decimal (comma|point)"):
        curve_of(text)


def test_commas_inside_and_between_the_numbers_are_refused(curve_of):
    with pytest.raises(FormatError, match="commas stand inside the numbers"):
        curve_of("0,01,99,5\n0,02,98,5\n0,03,97,5\n")


def test_decimal_commas_below_a_header_with_points(curve_of):
    curve = curve_of("wavelength 1.54 A\nq;I\n0,1;5,5\n0,2;6,5\n")
    assert curve.q.tolist() == [0.1, 0.2]


SPOILS = ["#", "!", "*", "NA", "-", "?", "1.0E", "1..2", "0,5", "0x", "", "--", "nan?", "<0.1", "1e5e5", '"']
BETWEEN = [
    "",
    "# comment",
    "; comment",
    "detector 2",
    "---",
    "q I s",
    "\t",
    "7",
    "#",
    "A B 1",
    "{}",
    "// end",
]


@given(
    st.integers(2, 12),
    st.integers(2, 4),
    st.sampled_from([" ", "\t", ",", ";", ", ", "   "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\ufeff", "# made by us\n", "q I s dq\n", "7 3\n"]),
    st.lists(st.tuples(st.integers(0, 11), st.sampled_from(BETWEEN)), max_size=2),
    st.one_of(st.none(), st.tuples(st.integers(0, 11), st.integers(0, 3), st.sampled_from(SPOILS))),
    st.integers(0, 6),
)
def test_no_row_is_ever_lost(tmp_path_factory, n, width, delimiter, newline, head, between, spoil, cut):
    table = [[f"{0.01 * (k + 1) + 0.1 * j:.3f}" for j in range(width)] for k in range(n)]
    if spoil is not None:
        row, column, word = spoil
        table[row % n][column % width] = word
    lines = [delimiter.join(row) for row in table]
    for at, line in between if spoil is None else ():
        lines.insert(at % (len(lines) + 1), line)
    text = head + newline.join(lines)
    path = tmp_path_factory.mktemp("rows") / "a.dat"
    path.write_bytes(text[: len(text) - cut].encode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        try:
            (curve,) = read(path)
        except FormatError:
            return
    # What was cut may be a whole row; a row that begins with the mark of a comment is one.
    gone = 1 if cut else 0
    gone += spoil is not None and spoil[1] % width == 0 and spoil[2] in ("#", "!")
    assert len(curve.q) >= n - gone
