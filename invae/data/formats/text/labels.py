"""Labels above a table of text: what each column is, and its unit.

A line is a line of labels where it has as many pieces as the table has columns and at least two of them are
words of the field, ``q I``, ``Q [1/A], dI``, ``<X> <devY>``; other lines of the header, ``# T = 25C``, are
not. Words of the field are composed: an error of something is ``d``, ``err``, ``sigma``, ``stdev``, ...
before or after its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from invae.data.formats.text.plain import is_number

__all__ = ["Labels", "find_labels", "is_unit"]

_Q = {"q", "modq", "qvalue", "qvalues", "qabs", "scatteringvector", "momentumtransfer", "wavevectortransfer"}
# Names of the x axis that may also be something else's.
_X = {"x", "s", "h", "sexp"}
_INTENSITY = {
    "i",
    "y",
    "iq",
    "int",
    "intensity",
    "intensities",
    "counts",
    "iexp",
    "expintensity",
    "crosssection",
}
_INTENSITY |= {"differentialcrosssection", "iabs", "intensityabs", "qi"}
_ERROR = {
    "d",
    "delta",
    "err",
    "error",
    "errors",
    "sigma",
    "sig",
    "dsig",
    "std",
    "stdev",
    "stddev",
    "dev",
    "sd",
}
_ERROR |= {"standarddeviation", "stddeviation", "standarderror", "stderr", "unc", "uncert", "uncertainty"}
_ERROR |= {"uncertainties", "errorbar", "errorbars", "esd"}
_SIGMA = _ERROR - {"d", "delta", "dsig"}
_OTHERS = {
    "fit": {"fit", "ifit", "modelintensity", "ycalc", "model"},
    "qmean": {"meanq", "qmean"},
    "shadowfactor": {"shadowfactor", "shadow"},
}
# An axis of this name makes the table something else than I(q).
_NOT_Q = {
    "angle": {
        "theta",
        "2theta",
        "twotheta",
        "ttheta",
        "tth",
        "2th",
        "angle",
        "2thetaangle",
        "scatteringangle",
    },
    "azimuth": {"chi", "azimuth", "azimuthalangle", "azimuthangle", "azimut", "phi", "psi"},
    "P(r)": {"r", "pr", "gnompr"},
    "radius": {
        "radius",
        "radii",
        "rpixel",
        "radialdistance",
        "distance",
        "position",
        "pixel",
        "pixels",
        "channel",
    },
    "size": {"size", "sizes", "diameter", "diameters", "dimension", "length", "volume"},
    "d spacing": {"d", "dspacing", "dspacings", "dsp"},
    "time": {"time", "t", "timestamp", "frame", "elapsedtime"},
    "correlation": {"lagtime", "lag", "tau", "g2", "g21", "g1"},
    "spin echo": {"z", "spinecholength", "del"},
    "energy": {"energy", "photonenergy", "ev", "kev", "e"},
    "wavelength": {"wavelength", "lambda"},
    "temperature": {"temperature", "temp"},
    "2-D": {"qx", "dataqx", "qy"},
    "Guinier or Porod": {"q2", "q4", "qsq", "qsquared"},
}
# Said of a column, they leave no doubt that the line names columns.
_CERTAIN = {
    "2theta",
    "twotheta",
    "tth",
    "2th",
    "2thetaangle",
    "scatteringangle",
    "azimuthalangle",
    "dspacing",
}
_LENGTH = r"(?:\\?AA|å|\u212b|a|ang(?:str(?:o|ö|oe)m)?s?\.?|nm|nanomet(?:er|re)s?|[uµμ]m|mm|cm|m)"
_UNIT = re.compile(
    rf"(?:1\s*/\s*\(?\s*{_LENGTH}\s*\)?|\(?{_LENGTH}\)?\s*(?:\^|\*\*)?\s*[{{(]?\s*(?:[-−]\s*1|⁻¹)\s*[}})]?"
    rf"|(?:inverse|inv\.?|reciprocal|per)[ _]{_LENGTH}|a\.u\.|arb\. ?u(?:nits|\.)|counts?|cts)"
    r"(?:\s*[*/·.]?\s*(?:sr|str)\s*(?:\^|\*\*)?\{?(?:-1|⁻¹)?\}?)?",
    re.IGNORECASE,
)
# Units of an axis that is no q.
_OTHER_UNITS = {
    "angle": {"deg", "degree", "degrees", "°", "rad", "mrad", "radian", "radians"},
    "length": {
        "mm",
        "um",
        "µm",
        "μm",
        "nm",
        "a",
        "å",
        "angstrom",
        "angstroms",
        "cm",
        "m",
        "pixel",
        "pixels",
        "px",
    },
    "time": {"s", "ms", "us", "µs", "min", "sec", "seconds"},
    "energy": {"ev", "kev", "mev"},
    "temperature": {"k", "°c"},
}
_NO_UNIT = {"", "-", "none", "arb.", "arb.units", "arbitrary", "au", "a.u."}
_GREEK = {
    "σ": "sigma",
    "Σ": "sigma",
    "θ": "theta",
    "Θ": "theta",
    "ϑ": "theta",
    "χ": "chi",
    "φ": "phi",
    "ϕ": "phi",
}
_GREEK |= {"Δ": "delta", "δ": "delta", "∆": "delta", "λ": "lambda", "τ": "tau", "ψ": "psi"}
_PHRASES = (
    r"(standard|std\.?|stand\.?) +(deviations?|dev\.?|errors?)|scattering +(vector|angle)|momentum +transfer"
)
_PHRASES += (
    r"|cross +section|error +bars?|azimuthal +angle|lag +time|delta +[iqy]\b|[12]?-?theta +angle|d +spacing"
)
_COLUMN = re.compile(r"(?:column|col\.?)\s*#?\s*(\d+)\s*[:=.)-]?\s+(.*)", re.IGNORECASE)
_NIST = ("Q", "I(Q)", "std. dev.", "sigmaQ", "meanQ", "ShadowFactor")


@dataclass(frozen=True)
class Labels:
    """What a header says of the columns.

    Attributes
    ----------
    texts : tuple of str
        The labels, empty where the header names no columns.
    roles : tuple of (str or None)
        ``q``, ``intensity``, ``sigma``, ``dq``, ``fit``, ... of each column, None for an unknown word.
    units : dict of int to str
        Unit by column, as it is spelled.
    not_q : str or None
        What the axis is, where it is none of q.
    """

    texts: tuple[str, ...] = ()
    roles: tuple[str | None, ...] = ()
    units: dict[int, str] | None = None
    not_q: str | None = None


def find_labels(lines: list[str], width: int) -> Labels:
    """Labels of ``width`` columns, from the lines of a header."""
    lines = [line.strip("\r\n \t\ufeff") for line in lines]
    lines = [line for line in (re.sub(r"^[#%!;]+", "", line).strip() for line in lines) if line]
    if width == len(_NIST) and any(line.startswith("MON CNT") for line in lines[:4]):
        # NIST .ABS files have these six columns, with or without a line that says so.
        stated = any("(1/A)" in line for line in lines)
        return Labels(_NIST, _roles_of(_NIST), {0: "1/A", 1: "1/cm", 2: "1/cm"} if stated else {})
    listed = _fit2d(lines, width) or _listed(lines, width)
    if listed is not None:
        return listed
    units: dict[int, str] = {}
    for line in reversed(lines[-3:]):
        if re.search(r"Dro:.*RGT:.*Chi", line):
            texts = ("q", "I", "err", "fit")[:width]
            return Labels(texts, _roles_of(texts), {})
        for pieces in _splits(line, width):
            bare = [piece.strip("()[]{}<> ") for piece in pieces]
            if is_unit(bare[0]) and all(is_unit(unit) or unit.lower() in _NO_UNIT for unit in bare):
                units = {i: unit for i, unit in enumerate(bare) if unit not in ("", "-")}
                break
            found = _named(pieces, units)
            if found is not None:
                return found
    return Labels(units=units)


def is_unit(text: str) -> bool:
    """Whether a text is a unit of q or intensity in one of its spellings.

    Examples
    --------
    >>> [is_unit(text) for text in ("1/nm", "A^-1", "nm**-1", "Å⁻¹", "cm^{-1}", "deg", "slow")]
    [True, True, True, True, True, False, False]
    """
    return _UNIT.fullmatch(text.strip().strip("$").strip()) is not None


def _named(pieces: list[str], units: dict[int, str]) -> Labels | None:
    """The labels that the pieces of a line are; None where they are words of a sentence."""
    if any(re.search(r"[=:]", piece) for piece in pieces):
        return None
    texts = tuple(piece.strip("\"'") for piece in pieces)
    stated = [_stated_unit(text) for text in texts]
    roles = _roles_of(tuple(name for name, _ in stated))
    others = [_not_q(name, unit) for name, unit in stated]
    words = [_word(name) for name, _ in stated]
    measured = [role is not None or re.search(r"err(?:or)?s?$", word) for role, word in zip(roles, words)]
    known = [bool(role) or other is not None for role, other in zip(measured, others)]
    if not ((any(measured) and sum(known) > 1) or all(known) or any(word in _CERTAIN for word in words)):
        return None
    all_units = dict(units)
    for i, (_, unit) in enumerate(stated):
        if unit is not None and is_unit(unit):
            all_units.setdefault(i, unit)
    not_q = None
    if not any(word in _Q and other is None for word, other in zip(words, others)):
        axes = [other for i, other in enumerate(others) if i == 0 or roles[i] == "q" or "q" not in roles]
        not_q = next((axis for axis in axes if axis is not None), None)
    if words[:3] == ["x", "y", "z"]:
        not_q = "3-D"
    return Labels(
        texts, roles, all_units, not_q or next(filter(None, (_logarithm(text) for text in texts)), None)
    )


def _roles_of(names: tuple[str, ...]) -> tuple[str | None, ...]:
    roles = [_role(name) for name in names]
    words = [_word(name) for name in names]
    if "q" in roles and "intensity" in roles:
        # Mantid writes "X , Y , E".
        roles = ["sigma" if word == "e" else role for role, word in zip(roles, words)]
    return tuple(roles)


def _role(name: str) -> str | None:
    if re.search(r"%|\brel", name, re.IGNORECASE) or _logarithm(name):
        return None
    word = _word(name)
    if word in _Q or word in _X:
        return "q"
    if word in _INTENSITY:
        return "intensity"
    for role, spellings in _OTHERS.items():
        if word in spellings:
            return role
    if word in _SIGMA:
        return "sigma"
    for error in sorted(_ERROR, key=len, reverse=True):
        for of in (word.removeprefix(error), word.removesuffix(error)):
            if of != word and of in _Q | {"x"}:
                return "dq"
            if of != word and of in _INTENSITY:
                return "sigma"
    return None


def _not_q(name: str, unit: str | None) -> str | None:
    """What an axis of this name and unit is, where it is known and no q."""
    if _logarithm(name) is not None:
        return _logarithm(name)
    word = _word(name)
    of_unit = None
    if unit is not None:
        of_unit = next((kind for kind, spellings in _OTHER_UNITS.items() if unit.lower() in spellings), None)
    if word in _Q | _X:
        return of_unit
    if word == "r" and of_unit == "length" and unit not in ("A", "Å", "nm"):
        return "radius"
    if re.search(r"diameter|distribution", word):
        return "size"
    if word.startswith("d2"):
        return "d spacing"
    return next((kind for kind, spellings in _NOT_Q.items() if word in spellings), None)


def _logarithm(name: str) -> str | None:
    """The logarithm of q or I that a label names."""
    found = re.match(r"\s*(?:log10|log|ln|lg)[ _(\[]*(q|i)\b", name, re.IGNORECASE)
    return f"log({found[1]})" if found else None


def _word(name: str) -> str:
    """Letters and digits of a label in lower case, Greek ones by their names, without what is in brackets."""
    bare = re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", "", name)
    bare = "".join(_GREEK.get(letter, letter) for letter in bare)
    return re.sub(r"[^a-z0-9]", "", bare.lower())


def _stated_unit(text: str) -> tuple[str, str | None]:
    """A label without its unit, and the unit: in brackets, or behind ``_``, ``/`` or a comma."""
    bare = text.strip("<> ")
    found = re.search(r"[(\[<{]\s*([^()\[\]<>]+?(?:\([^()]*\)[^()\[\]]*)?)\s*[)\]>}]\s*$", bare)
    if found and (is_unit(found[1]) or _is_other_unit(found[1])):
        return bare[: found.start()], found[1]
    for cut in re.finditer(r"(?<=\w)\s*[_/,| ]\s*(?=[^\s_])", bare):
        unit = bare[cut.end() :]
        if is_unit(unit) or (_is_other_unit(unit) and len(unit) > 1):
            return bare[: cut.start()], unit
    return bare, None


def _is_other_unit(text: str) -> bool:
    return any(text.strip().lower() in spellings for spellings in _OTHER_UNITS.values())


def _splits(line: str, width: int) -> list[list[str]]:
    """The ways in which a line falls into as many pieces as there are columns, none of them a number."""
    if "|" in line:
        parts = [part.strip() for part in line.split("|")]
        parts = parts[1:] if parts[0].lower().endswith("columns are") else parts
        return [parts[:width]] if len(parts) >= width and all(parts[:width]) else []
    found = []
    joined = re.sub(_PHRASES, lambda phrase: phrase[0].replace(" ", "_"), line, flags=re.IGNORECASE)
    bracketed = re.sub(r"\s+(?=[(\[{])", "", joined)
    bracketed = re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", lambda unit: unit[0].replace(" ", ""), bracketed)
    outside = r"(?![^(\[]*[)\]])"
    for text, cut in (
        (line, r"\s*\t\s*"),
        (line, rf"\s*[\t;,]\s*{outside}"),
        (line, r"\s*[\t;,]\s*"),
        (line, r"\s{2,}"),
        (line, r"\s+"),
        (joined, r"\s+"),
        (bracketed, r"\s+"),
    ):
        parts = [part for part in re.split(cut, text.strip()) if part]
        if len(parts) == width and not any(is_number(part) for part in parts) and parts not in found:
            found.append(parts)
    return found


def _listed(lines: list[str], width: int) -> Labels | None:
    """Labels that stand one below the other, ``Column 1: q (1/nm)``; of all columns, or there are none."""
    found = [_COLUMN.match(line) for line in lines]
    stated = {int(column[1]): column[2].strip() for column in found if column is not None}
    first = min(stated, default=0)
    if first > 1 or sorted(stated) != list(range(first, first + width)):
        return None
    return _named([re.sub(r"[=:]", " ", stated[first + i]) for i in range(width)], {})


def _fit2d(lines: list[str], width: int) -> Labels | None:
    """Labels of FIT2D's .chi files: the axis and the intensity on a line each, then the number of points."""
    if (
        len(lines) < 3
        or not lines[-1].split()[0].isdigit()
        or not re.match(r"intensity\b", lines[-2], re.IGNORECASE)
    ):
        return None
    name, unit = _stated_unit(lines[-3])
    texts = (lines[-3], lines[-2])
    roles = (_role(name), "intensity", *(None,) * (width - 2))
    units = {0: unit} if unit is not None and is_unit(unit) else {}
    kind = None if roles[0] == "q" else _not_q(name, unit)
    return Labels(texts + ("",) * (width - 2), roles, units, kind)
