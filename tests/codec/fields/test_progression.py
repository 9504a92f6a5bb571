"""Grids as formulas."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec import compress, decompress
from invae.codec.bounds import same_bits
from invae.codec.coding.varint import Reader, Writer
from invae.codec.fields.exact import decode_exact, encode_exact
from invae.codec.fields.exact_forms.progression import NUMBER, POWER_OF_TEN
from invae.data.records import Curve
from invae.errors import FormatError

COLUMNS = np.arange(400)
GRIDS = {
    "geomspace": np.geomspace(2e-3, 0.37, 400),
    "logspace": np.logspace(-2.5, -0.1, 400),
    "powers of an even grid": 10 ** np.arange(-3, 0, 0.0075),
    "exponentials of an even grid": np.exp(np.linspace(np.log(0.004), np.log(0.6), 400)),
    "linspace": np.linspace(0.0043, 0.51, 400),
    "from zero": np.linspace(0, 0.7, 400),
    "steps": 0.002 + 0.0013 * COLUMNS,
    "channels": np.arange(1000.0, 1400.0) * 2.5,
    "falling": np.linspace(2, -1, 400),
    "geomspace in single precision": np.geomspace(2e-3, 0.37, 400).astype("f4"),
    "steps in single precision": np.float32(0.0013) * COLUMNS.astype("f4"),
}


@pytest.mark.parametrize("name", GRIDS)
def test_grids_as_people_make_them_take_less_than_a_hundred_bytes(name):
    grid = GRIDS[name]
    data = compress(grid)
    assert same_bits(decompress(data), grid).all()
    assert len(data) < 100


@pytest.mark.parametrize(
    "grid",
    [0.004 * 150.0 ** (COLUMNS / 399), 0.004 * 1.0125**COLUMNS, np.geomspace(1e-3, 0.5, 450)[37:437]],
)
def test_powers_of_a_ratio_take_a_few_bits_of_rounding_each(grid):
    data = compress(grid)
    assert same_bits(decompress(data), grid).all()
    assert len(data) < 40 + 400 * 3 / 8


def test_a_q_grid_costs_a_curve_or_a_series_hardly_anything(rng):
    q = np.geomspace(1.3e-3, 0.45, 400)
    curves = [Curve(q=q, intensity=50 * np.exp(-((q * r) ** 2) / 3) + 0.2) for r in (20, 30, 35)]
    assert len(compress(curves[0], "log:1e-3")) < 350
    with_q, alone = compress(curves, "log:1e-3"), compress([c.intensity for c in curves], "log:1e-3")
    assert len(with_q) < len(alone) + 200


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_rows_that_leave_the_formula_come_back(rng, dtype):
    plane = np.tile(np.geomspace(1e-3, 1, 50), (4, 1)).astype(dtype)
    plane[2] = np.nextafter(plane[2], np.inf, dtype=dtype)
    plane[3] *= 1 + 100 * np.finfo(dtype).eps * rng.normal(size=50).astype(dtype)
    data = encode_exact(plane)
    assert data[0] == NUMBER
    assert same_bits(decode_exact(Reader(data), plane.dtype, 4, 50), plane).all()


@pytest.mark.parametrize(
    "wrong", [(3, 0.0, 1.0), (POWER_OF_TEN, 0.0, 1e300), (0, np.nan, 1.0), (1, 900.0, 0.0)]
)
def test_impossible_formulas_end_in_an_error(wrong):
    data = Writer().byte(NUMBER).byte(wrong[0]).real(wrong[1]).real(wrong[2]).raw(b"\0\0")
    with pytest.raises(FormatError, match="not possible"):
        decode_exact(Reader(bytes(data.data)), np.dtype(float), 1, 9)


def test_rows_up_to_the_largest_double_are_coded_without_a_warning():
    top = np.finfo(float).max
    for plane in (np.linspace(-1, 1, 20) * top, np.full(20, top), np.geomspace(1e-300, 1e300, 20)):
        assert same_bits(decompress(compress(plane)), plane).all()
