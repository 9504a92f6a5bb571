"""Labels of logarithmic axes: plain text, so that no ``$`` in a name is ever taken for a formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import Formatter

__all__ = ["LogLabels", "power_text"]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
ROUNDEST = (1, 2, 5, 3, 7, 4, 6, 8, 9)
LETTER = 5.0  # points; width of a letter of a tick's label
GAP = 4.0
LINE = 13.0


class LogLabels(Formatter):
    """Powers of ten at the major ticks; at minor ones labels only where the powers are too few and room is.

    Parameters
    ----------
    minor : bool
        Whether these are the minor ticks: they get labels when fewer than two powers of ten are in view, the
        roundest numbers first, as long as no two labels touch.
    """

    axis: Any  # set by matplotlib, whose own type lacks what the axis of a plot has

    def __init__(self, minor: bool = False) -> None:
        self.minor = minor

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Text of one tick, whether there is room or not."""
        return power_text(x)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Texts of all ticks; empty where a tick goes without."""
        texts = [power_text(value) for value in values]
        if not self.minor:
            return texts
        low, high = sorted(self.axis.get_view_interval())
        powers = [value for value in self.axis.get_majorticklocs() if low <= value <= high]
        if len(powers) > 1:
            return [""] * len(texts)
        taken = [(self._place(value), power_text(value)) for value in powers]
        shown = [""] * len(texts)
        for k in sorted(range(len(texts)), key=lambda k: _roundness(values[k])):
            if not low <= values[k] <= high:
                continue
            place = self._place(values[k])
            if all(abs(place - other) >= self._room(texts[k], text) for other, text in taken):
                taken.append((place, texts[k]))
                shown[k] = texts[k]
        return shown

    def _place(self, value: float) -> float:
        """Distance in points from the start of the axis."""
        low, high, at = np.log10([*sorted(self.axis.get_view_interval()), value])
        axes = self.axis.axes
        length = axes.bbox.width if self.axis.axis_name == "x" else axes.bbox.height
        return float((at - low) / (high - low) * length * 72 / axes.figure.dpi)

    def _room(self, one: str, other: str) -> float:
        return LETTER * (len(one) + len(other)) / 2 + GAP if self.axis.axis_name == "x" else LINE


def power_text(value: float) -> str:
    """A positive number as mantissa and power of ten.

    Examples
    --------
    >>> [power_text(x) for x in (1e-3, 1.0, 20.0, 0.026)]
    ['10⁻³', '10⁰', '2×10¹', '2.6×10⁻²']
    """
    if not value > 0:
        return ""
    mantissa, exponent = _parts(value)
    power = f"10{str(exponent).translate(SUPERSCRIPTS)}"
    return power if mantissa == 1 else f"{mantissa:g}×{power}"


def _parts(value: float) -> tuple[float, int]:
    """Mantissa to six digits, 1 <= mantissa < 10, and the power of ten."""
    exponent = math.floor(math.log10(value))
    mantissa = round(value / 10.0**exponent, 5)
    return (1.0, exponent + 1) if mantissa == 10 else (mantissa, exponent)


def _roundness(value: float) -> tuple[int, int]:
    if not value > 0:
        return (len(ROUNDEST), 0)
    mantissa, _ = _parts(value)
    place = ROUNDEST.index(int(mantissa)) if mantissa in ROUNDEST else len(ROUNDEST)
    return (place, len(f"{mantissa:g}"))
