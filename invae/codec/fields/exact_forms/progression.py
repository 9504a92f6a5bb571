"""Rows that are an even grid, or the powers of one: a byte 9, byte kind, two reals, integers.

With start a, step b and column j the formula gives the float64 values of y = j b + a (a product, then a sum),

====== =========================== =============================================
kind   value                       such are
====== =========================== =============================================
0      y                           `numpy.linspace`, `numpy.arange`
1      10^y, correctly rounded     `numpy.logspace`, `numpy.geomspace`
2      e^y, correctly rounded      `numpy.exp` of an even grid
====== =========================== =============================================

cast to the dtype. The integers are what the ordered bits (`ordered.py`) of each value are beyond those of the
formula: mostly zeros, as the power of a good library misses the correctly rounded one by a last place now and
then. All rows have the same formula: a q grid that many curves share.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact_forms.ordered import from_ordered, to_ordered
from invae.codec.fields.exact_forms.plane import ExactPlane, WantedPlane, unfit
from invae.codec.fields.integers import decode_integers, encode_integers

__all__ = ["Progression", "progression"]

NUMBER = 9
LINEAR, POWER_OF_TEN, POWER_OF_E = range(3)
FEWEST, MOST = 8, 1 << 14  # columns: fewer cost less than the formula, more take longer than a blink
LARGEST = 800.0  # of |y| in a power: beyond all doubles, and an end to what a damaged archive may ask for
HUGE = 1e300  # ends whose difference is still a double
NEAR = 1 << 12  # last places that a grid may be off the formula; what is farther off follows another one
TESTED = 12  # columns on which formulas are compared
ROUND = 12  # significant digits of starts and steps that people write
CONTEXT = decimal.Context(prec=30)  # digits of a power before it is rounded to the 16 of a double
LN_10 = CONTEXT.ln(decimal.Decimal(10))


class Progression:
    """Arithmetic and geometric progressions in floats of four or eight bytes."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: ExactPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid on rows that begin as a formula says."""
        plane = task.plane
        if not (_fits(plane.dtype) and FEWEST <= plane.shape[1] <= MOST and np.isfinite(plane).all()):
            return
        formulas = _formulas(plane[0].astype(np.float64))
        if not formulas:
            return
        columns = np.unique(np.linspace(0, plane.shape[1] - 1, TESTED).astype(np.int64))
        tested = to_ordered(plane[:1])[0, columns]

        def misses(formula: tuple[int, float, float]) -> float:
            values = progression(*formula, columns).astype(plane.dtype)
            return float(np.abs(tested - to_ordered(values)).astype(np.float64).sum())

        kind, start, step = min(formulas, key=misses)
        grid = to_ordered(_grid(kind, start, step, plane.shape[1]).astype(plane.dtype))
        beyond = to_ordered(plane) - grid
        if np.abs(beyond.astype(np.float64)).max() <= NEAR:
            out = Writer().byte(NUMBER).byte(kind).real(start).real(step)
            yield bytes(out.raw(encode_integers(beyond)).data)

    def decode(self, number: int, reader: Reader, wanted: WantedPlane) -> np.ndarray:
        """Inverse of `bids`."""
        if not _fits(wanted.dtype):
            raise unfit(reader, number, wanted.dtype)
        kind, start, step = reader.byte(), reader.real(), reader.real()
        n_columns = wanted.shape[1]
        if kind > POWER_OF_E or n_columns > MOST or not np.isfinite([start, step]).all():
            raise reader.fail(f"a grid of kind {kind} with {n_columns} columns is not possible")
        if kind != LINEAR and max(abs(start), abs(start + step * (n_columns - 1))) > LARGEST:
            raise reader.fail(f"powers from {start} in steps of {step} are not possible")
        beyond = decode_integers(reader, *wanted.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            grid = _grid(kind, start, step, n_columns).astype(wanted.dtype)
        return from_ordered(to_ordered(grid) + beyond, wanted.dtype)


def progression(kind: int, start: float, step: float, columns: np.ndarray) -> np.ndarray:
    """Return the float64 values of a formula in some columns.

    Examples
    --------
    >>> progression(POWER_OF_TEN, -2.0, 0.5, np.arange(5))
    array([0.01      , 0.03162278, 0.1       , 0.31622777, 1.        ])
    """
    y = columns * step + start
    if kind == LINEAR:
        return y
    exponents = (CONTEXT.create_decimal(v) for v in y.tolist())
    if kind == POWER_OF_TEN:
        exponents = (CONTEXT.multiply(v, LN_10) for v in exponents)
    return np.array([float(CONTEXT.exp(v)) for v in exponents])


@lru_cache(maxsize=16)  # curves of an archive share their q, and a power takes tens of microseconds
def _grid(kind: int, start: float, step: float, n_columns: int) -> np.ndarray:
    return progression(kind, start, step, np.arange(n_columns))


def _fits(dtype: np.dtype) -> bool:
    return dtype.kind == "f" and dtype.itemsize in (4, 8)


def _formulas(row: np.ndarray) -> list[tuple[int, float, float]]:
    """Formulas that come near a row; none where it follows none."""
    formulas = []
    if np.abs(row).max() > HUGE:
        return []
    inverse = {LINEAR: np.positive, POWER_OF_TEN: np.log10, POWER_OF_E: np.log}
    for kind, function in inverse.items():
        if kind != LINEAR and row.min() <= 0:
            continue
        y = function(row)
        first, last, n = float(y[0]), float(y[-1]), len(y) - 1
        size = max(abs(first), abs(last))
        if first == last or (kind != LINEAR and size > LARGEST / 2):
            continue
        if np.abs(y - (first + np.arange(n + 1) * ((last - first) / n))).max() > 1e-6 * size:
            continue
        for a, b in {(first, last), (_short(first), _short(last)), (_short(first), last)}:
            steps = {(b - a) / n, _short((b - a) / n), (a + _short((b - a) / n)) - a}
            formulas += [(kind, a, step) for step in sorted(steps)]
    return list(dict.fromkeys(formulas))


def _short(value: float) -> float:
    return float(f"{value:.{ROUND}g}")
