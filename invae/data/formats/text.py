"""Text as instruments write it: encodings, line ends, numbers and delimiters.

Nothing is normalised: joining the lines of `split_lines` gives the text back, encoding the text gives the
bytes back.
"""

from __future__ import annotations

import math
import re

from invae.errors import FormatError

__all__ = ["decode", "is_number", "number", "split_cells", "split_lines", "uses_decimal_comma"]

_BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
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
    line = line.strip("\r\n")
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


def uses_decimal_comma(lines: list[str]) -> bool:
    """Whether numbers are written like ``0,5``: cells cut at spaces, tabs or semicolons hold one comma.

    Examples
    --------
    >>> uses_decimal_comma(["0,1;2,5", "0,2;3"]), uses_decimal_comma(["0.1, 2.5", "1,2,3"])
    (True, False)
    """
    votes = 0
    for line in lines:
        cells = [cell.strip() for cell in re.split(r"[;\s]+", line.strip()) if cell.strip()]
        commas = [_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells]
        plain = [_INTEGER.fullmatch(cell) is not None for cell in cells]
        if len(cells) > 1 and any(commas) and all(c or p for c, p in zip(commas, plain)):
            votes += 1
        elif len(cells) > 1 and all(is_number(cell.rstrip(",")) for cell in cells) and not all(plain):
            votes -= 1
    return votes > 0
