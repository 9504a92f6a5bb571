"""Text as instruments write it: encodings, line ends, numbers and delimiters.

Nothing is normalised: joining the lines of `split_lines` gives the text back, encoding the text gives the
bytes back.
"""

from __future__ import annotations

import math
import re

from invae.errors import FormatError

__all__ = [
    "DOS_END",
    "decode",
    "is_number",
    "number",
    "split_cells",
    "split_lines",
    "unquoted",
    "uses_decimal_comma",
]

_BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_QUOTED = re.compile(r"""(["'])([^"'\r\n]*)\1""")
DOS_END = "\x1a"  # marks the end of a text in CP/M and DOS
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
# As printed by C, Fortran, Python and the Microsoft runtime.
_WORDS = {"nan": math.nan, "-nan": math.nan, "-nan(ind)": math.nan, "inf": math.inf, "infinity": math.inf}
_WORDS |= {
    "-1.#ind": math.nan,
    "1.#ind": math.nan,
    "1.#qnan": math.nan,
    "-1.#qnan": math.nan,
    "1.#inf": math.inf,
}
_WORDS |= {
    "+inf": math.inf,
    "+infinity": math.inf,
    "-inf": -math.inf,
    "-infinity": -math.inf,
    "-1.#inf": -math.inf,
}


def decode(raw: bytes, file: str) -> tuple[str, str]:
    """Text of a file and the encoding that gives the bytes back: UTF-16 by its mark, UTF-8, else Latin-1.

    Raises
    ------
    FormatError
        The bytes are not text.
    """
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            try:
                return raw.decode(encoding), encoding
            except UnicodeDecodeError as error:
                raise FormatError(f"{file}: damaged {encoding} text at byte {error.start}") from error
    zero = raw.find(b"\0")
    if zero >= 0:
        raise FormatError(f"{file}: unknown binary format (byte {zero} is zero, so it is not text)")
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "latin-1"


def split_lines(text: str) -> list[str]:
    """Lines with their ends, which may be LF, CRLF, CR or a mixture.

    Examples
    --------
    >>> split_lines("1 2\\r3 4\\r\\n5 6")
    ['1 2\\r', '3 4\\r\\n', '5 6']
    """
    return _LINE.findall(text)


def is_number(cell: str) -> bool:
    """Whether `number` reads the cell."""
    return _NUMBER.fullmatch(cell) is not None or cell.lower() in _WORDS


def number(cell: str) -> float:
    """The double nearest to a decimal text; Fortran's ``1.5D-3`` and ``-1.#IND`` are understood."""
    word = _WORDS.get(cell.lower())
    return float(cell.replace("D", "E").replace("d", "e")) if word is None else word


def split_cells(line: str, decimal_comma: bool) -> list[str]:
    """Cells of one line, cut at semicolons, tabs or commas if there are any, else at spaces."""
    line = line.strip("\r\n\ufeff" + DOS_END)
    if ";" in line:
        cells = line.split(";")
    elif "\t" in line.strip():
        cells = line.split("\t")
        if any(" " in cell.strip() for cell in cells) or ("," in line and not decimal_comma):
            cells = re.split(r"[\s,]+", line.strip().rstrip(","))
    elif "," in line and not decimal_comma:
        cells = line.split(",")
        if any(" " in cell.strip() for cell in cells):
            cells = re.split(r"[\s,]+", line.strip().rstrip(","))
    else:
        cells = line.split()
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    if decimal_comma:
        cells = [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
    return cells


def uses_decimal_comma(lines: list[str], file: str = "text") -> bool:
    """Whether numbers are written like ``0,5``: cells cut at spaces, tabs or semicolons hold one comma.

    Raises
    ------
    FormatError
        Some numbers are written with a comma and some with a point.

    Examples
    --------
    >>> uses_decimal_comma(["0,1;2,5", "0,2;3"]), uses_decimal_comma(["0.1, 2.5", "1,2,3"])
    (True, False)
    """
    votes = 0
    comma = point = 0
    for i, line in enumerate(lines, 1):
        cells = [
            cell.strip()
            for cell in re.split(r"[;\s]+", line.strip(" \t\r\n\ufeff" + DOS_END))
            if cell.strip()
        ]
        if len(cells) < 2:
            continue
        commas = [_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells]
        plain = [_INTEGER.fullmatch(cell) is not None for cell in cells]
        # The point of 1.#QNAN is no decimal point.
        points = ["." in cell and "#" not in cell and is_number(cell) for cell in cells]
        plain = [q or ("#" in cell and is_number(cell)) for q, cell in zip(plain, cells)]
        if any(commas) and all(c or p or q for c, p, q in zip(commas, plain, points)):
            comma = comma or i
            point = i if any(points) else point
            votes += 1
        elif all(is_number(cell.rstrip(",")) for cell in cells) and not all(plain):
            point = point or i
            votes -= 1
    if comma and point:
        raise FormatError(
            f"{file}: numbers with a decimal comma (line {comma}) and with a decimal point (line {point}): "
            "which "
            "is meant is not certain; write all of them one way"
        )
    return votes > 0


def unquoted(lines: list[str], file: str) -> list[str]:
    """Lines in which numbers between quotation marks stand plainly: ``"1,100.5"`` is 1100.5, ``"0,5"`` 0.5.

    Raises
    ------
    FormatError
        A comma between quotation marks may be a decimal comma or part the thousands; the message names the
        line.
    """
    if not any(mark in line for line in lines for mark in "\"'"):
        return lines
    seen: dict[str, int] = {}
    for i, line in enumerate(lines, 1):
        for _, cell in _QUOTED.findall(line):
            thousands, comma = _THOUSANDS.fullmatch(cell.strip()), _DECIMAL_COMMA.fullmatch(cell.strip())
            if thousands or comma:
                kind = "either" if thousands and comma else "thousands" if thousands else "comma"
                seen.setdefault(kind, i)
            elif "." in cell and is_number(cell.strip()):
                seen.setdefault("point", i)
    if "either" in seen and not {"thousands", "comma", "point"} & set(seen):
        raise FormatError(
            f"{file} line {seen['either']}: the comma in quotation marks may be a decimal comma or part the "
            "thousands; write the numbers without quotation marks"
        )
    if "comma" in seen and {"thousands", "point"} & set(seen):
        raise FormatError(
            f"{file} line {seen['comma']}: a decimal comma, where other numbers of the file have a decimal "
            "point"
        )
    decimal_comma = "comma" in seen

    def plainly(found: re.Match[str]) -> str:
        cell = found[2].strip()
        if decimal_comma and _DECIMAL_COMMA.fullmatch(cell):
            return cell.replace(",", ".")
        cell = cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell
        return cell if is_number(cell) else found[0]

    return [_QUOTED.sub(plainly, line) for line in lines]
