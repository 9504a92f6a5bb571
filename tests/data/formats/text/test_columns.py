"""Text tables in the spellings that instruments and spreadsheets use."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invae.data import read
from invae.data.formats.text.plain import decode, is_number, number, split_lines, uses_decimal_comma
from invae.errors import FormatError, InvaeWarning

ROWS = [[0.0, 5.5, 0.25], [0.1, -4.25, 0.5], [0.2, 3.0, 1e-3]]


def table(cell="{!r}", delimiter=" ", newline="\n", comma=False):
    lines = [delimiter.join(cell.format(value) for value in row) for row in ROWS]
    return newline.join(line.replace(".", ",") if comma else line for line in lines) + newline


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [" ", "\t", ",", ";", "   ", " , ", " ; "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_any_delimiter_line_end_and_encoding(curve_of, delimiter, newline, encoding):
    head = f"# Probe für 20 °C{newline}"
    curve = curve_of((head + table(delimiter=delimiter, newline=newline)).encode(encoding))
    assert np.column_stack([curve.q, curve.intensity, curve.sigma]).tolist() == ROWS
    assert curve.header.lstrip("\ufeff") == head
    assert curve.metadata["table"]["newline"] == newline


@pytest.mark.parametrize("delimiter", [" ", "\t", ";", " ; "])
def test_decimal_comma(curve_of, delimiter):
    curve = curve_of(table(delimiter=delimiter, comma=True))
    assert np.column_stack([curve.q, curve.intensity, curve.sigma]).tolist() == ROWS
    assert curve.metadata["table"]["decimal"] == ","


def test_comma_between_integers_is_a_delimiter_unless_cells_are_cut_otherwise():
    assert not uses_decimal_comma(["1,2", "3,4"])
    assert not uses_decimal_comma(["0.1, 5", "0.2, 6"])
    assert uses_decimal_comma(["1,5\t2", "3\t4,5"])


def test_empty_cell_is_nan_and_remembered(curve_of):
    curve = curve_of("0.1\t\t3\n0.2\t5\t6\n0.3\t7\t8\n")
    assert np.isnan(curve.intensity[0])
    assert curve.metadata["table"]["empty_cells"] == [[0, 1]]


def test_footer_and_blank_lines_are_kept(curve_of):
    curve = curve_of("head\n\n1 2\n\n3 4\n5 6\n\nfoot 1 2 3\n")
    assert curve.q.tolist() == [1, 3, 5]
    assert curve.header == "head\n\n" + "\nfoot 1 2 3\n"
    assert curve.metadata["table"]["blank_lines_after_rows"] == [1]


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        ("q I dI dq", ["q", "intensity", "sigma", "dq"]),
        ("<X> <Y> <dY> <dX>", ["q", "intensity", "sigma", "dq"]),
        ("Q(1/nm)\tI(Q)\tError\tsigmaQ", ["q", "intensity", "sigma", "dq"]),
        ("# q  I  dQ  err", ["q", "intensity", "dq", "sigma"]),
        ("q,I,err,background", ["q", "intensity", "sigma", "background"]),
        ("q | I | err | fit", ["q", "intensity", "sigma", "fit"]),
        ("one two three four", ["q", "intensity", "sigma", "dq"]),
    ],
)
def test_labels_say_what_the_columns_are(curve_of, labels, columns):
    curve = curve_of(f"title\n{labels}\n0.1 2 0.3 0.04\n0.2 3 0.4 0.05\n")
    assert curve.metadata["table"]["columns"] == columns


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("q(1/A)", "1/A"),
        ("q[nm^-1]", "nm^-1"),
        ("q[Å⁻¹]", "Å⁻¹"),
        ("q(1/Angstrom)", "1/Angstrom"),
        ("q[A-1]", "A-1"),
        ("q(slow)", None),
        ("q", None),
    ],
)
def test_unit_of_q_is_kept_as_spelled(curve_of, label, unit):
    assert curve_of(f"{label} I\n0.1 2\n0.2 3\n").units["q"] == unit


@pytest.mark.parametrize(
    "line", ["1/nm 1/m 1/m", "[1/nm] [1/m] [1/m]", "(1/nm)\t(1/m)\t(1/m)", "# 1/nm  1/m  1/m"]
)
def test_line_of_units_below_the_labels(curve_of, line):
    curve = curve_of(f"q I dI\n{line}\n0.1 2 0.3\n0.2 3 0.4\n")
    assert curve.units == {"q": "1/nm", "intensity": "1/m", "sigma": "1/m"}


def test_line_of_units_may_leave_some_out(curve_of):
    curve = curve_of("q I dI\n1/nm - -\n0.1 2 0.3\n0.2 3 0.4\n")
    assert curve.units == {"q": "1/nm", "intensity": None, "sigma": None}


def test_unlabelled_columns_that_cannot_be_errors_are_not_called_so(curve_of):
    curve = curve_of("0.1 2 -1\n0.2 3 -1\n")
    assert curve.sigma is None and curve.columns["column_3"].tolist() == [-1, -1]
    curve = curve_of("0.1 2 0.3 7\n0.2 3 0.3 8\n")
    assert curve.dq is None and curve.columns["column_4"].tolist() == [7, 8]
    curve = curve_of("0.1 2 0.3 0.01\n0.2 3 0.3 0.02\n")
    assert curve.dq.tolist() == [0.01, 0.02]


@pytest.mark.parametrize("word", ["NaN", "nan", "-1.#IND", "1.#QNAN", "-nan(ind)"])
def test_not_a_number_in_every_spelling(curve_of, word):
    curve = curve_of(f"0.1 {word}\n0.2 3\n")
    assert np.isnan(curve.intensity[0])


def test_infinity_fortran_exponents_and_bare_points(curve_of):
    curve = curve_of("1.5D-01 inf\n.25 -Infinity\n3. 1.#INF\n4d0 +7\n")
    assert curve.q.tolist() == [0.15, 0.25, 3.0, 4.0]
    assert curve.intensity.tolist() == [np.inf, -np.inf, np.inf, 7]


def test_python_spellings_are_no_numbers():
    assert not any(is_number(cell) for cell in ("1_000", "0x10", "1e", "e5", "--1", "1.2.3", "١", ""))


@given(st.floats(allow_nan=False))
def test_every_double_comes_back_from_its_shortest_text(value):
    assert number(repr(value)).hex() == value.hex()


@given(st.text(st.sampled_from("ab1 \r\n\t\x0b\x0c\x85\u2028")))
def test_lines_join_to_the_text(text):
    assert "".join(split_lines(text)) == text


@given(st.binary(max_size=60))
def test_decoded_text_encodes_to_the_bytes(raw):
    try:
        text, encoding = decode(raw, "x")
    except FormatError:
        return
    assert text.encode(encoding) == raw


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ("r P(r) error", "P(r)"),
        ("Lag time (s)  g2-1  err", "correlation"),
        ("X Y Z", "3-D"),
        ("2theta I err", "angle"),
    ],
)
def test_tables_of_something_else_are_refused_by_their_labels(curve_of, labels, what):
    with pytest.raises(FormatError, match="not a curve") as caught:
        curve_of(f"{labels}\n1 2 3\n4 5 6\n")
    assert what in str(caught.value)


def test_seven_columns_need_labels(curve_of):
    row = "0.1 2 3 4 5 6 7\n"
    with pytest.raises(FormatError, match="7 columns without labels"):
        curve_of(row * 3)
    assert list(curve_of("q I dI a b c d\n" + row * 3).columns) == ["a", "b", "c", "d"]


def test_text_that_begins_like_a_bitmap_is_text(curve_of):
    assert len(curve_of("BM29 beamline\n0.1 2\n0.2 3\n").q) == 2


def test_values_that_overflow_become_infinite_as_float_does(curve_of):
    assert curve_of("0.1 1e400\n0.2 1\n").intensity[0] == float("1e400")


TOKENS = [
    "0.1",
    "-2",
    "1e-3",
    "nan",
    "inf",
    "1,5",
    "q",
    "I(1/cm)",
    "#",
    "|",
    ";",
    ",",
    "\t",
    " ",
    "\n",
    "\r",
    "\r\n",
]
TOKENS += [
    "1.0 2.0 3.0\n",
    "0.5\t1\t2\t3\n",
    "Qx - Qy - I(Qx,Qy)\n",
    "FORMATVERSION:2\n",
    "SAXS BOX\n",
    "<X>",
    "é",
    "\0",
]


@given(st.lists(st.sampled_from(TOKENS), max_size=40))
def test_any_jumble_of_text_is_a_record_or_a_format_error(tmp_path_factory, tokens):
    path = tmp_path_factory.mktemp("jumble") / "a.dat"
    path.write_text("".join(tokens), encoding="utf-8", newline="")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        try:
            assert read(path)
        except FormatError as error:
            assert "a.dat" in str(error) and "\n" not in str(error)


def test_xml_in_utf_16(curve_of):
    xml = (
        '<?xml version="1.0" encoding="UTF-16"?><SASroot version="1.1"><SASentry><Title>Probe für é</Title>'
        "<SASdata>"
        '<Idata><Q unit="1/nm">0.1</Q><I unit="1/m">2</I></Idata></SASdata></SASentry></SASroot>'
    )
    curve = curve_of(xml.encode("utf-16"), "a.xml")
    assert curve.name == "Probe für é" and curve.q.tolist() == [0.1] and curve.sigma is None
