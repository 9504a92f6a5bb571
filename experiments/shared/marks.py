"""Figures in a text that name where they come from, so that a test can hold them to the kept runs.

A mark is an HTML comment right behind a number, invisible where the text is read::

    24,833<!-- figure: compression_targets full :: targets :: model for curves, bytes :: measured -->

Study and configuration, table, row (as `records.cell` takes it), column; a fifth part ``/ 1e6`` or
``* 100`` changes the unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from experiments.shared.records import cell, kept
from invae.errors import InputError

__all__ = ["Mark", "differences", "marks", "unmarked"]

MARK = re.compile(r"(?P<shown>[\d.,]*\d)<!-- figure: (?P<parts>.*?) -->")
NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])\.?\d[\d.,]*(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Mark:
    """A number as it is shown, and the figure of a kept run that it stands for."""

    shown: str
    value: float
    source: str

    @property
    def agrees(self) -> bool:
        """Whether the shown number is the figure, rounded to the digits that are shown."""
        plain = self.shown.replace(",", "")
        last = 10.0 ** -len(plain.partition(".")[2])
        return abs(float(plain) - self.value) <= 0.5 * last * (1 + 1e-9)


def marks(text: str) -> list[Mark]:
    """Every marked number of a text.

    Raises
    ------
    InputError
        A mark that does not lead to a figure.
    """
    return [mark_of(match["shown"], match["parts"]) for match in MARK.finditer(text)]


def mark_of(shown: str, source: str) -> Mark:
    parts = [part.strip() for part in source.split(" :: ")]
    if len(parts) not in (4, 5):
        raise InputError(
            f"mark {source!r} has {len(parts)} parts; wanted: study configuration :: table :: row :: column"
        )
    study, _, configuration = parts[0].partition(" ")
    record = kept(study, configuration)
    if record is None:
        raise InputError(f"mark {source!r}: no kept run of {study!r} in configuration {configuration!r}")
    value = cell(record, *parts[1:4])
    if value is None:
        raise InputError(f"mark {source!r}: no such cell in the kept run")
    if len(parts) == 5:
        sign, _, factor = parts[4].partition(" ")
        value = value / float(factor) if sign == "/" else value * float(factor)
    return Mark(shown, value, source)


def differences(text: str) -> list[str]:
    """One sentence for every marked number that is not the figure of its run."""
    return [f"{m.shown} stands for {m.value:.6g} ({m.source})" for m in marks(text) if not m.agrees]


def unmarked(text: str, plain: frozenset[str] = frozenset()) -> list[str]:
    """Numbers in the prose of a text that no mark follows, but for those in ``plain``: settings and sizes."""
    prose = NOT_PROSE.sub(" ", MARK.sub(" ", text))
    numbers = [number.rstrip(".,") for number in NUMBER.findall(prose)]
    return [number for number in numbers if number not in plain]
