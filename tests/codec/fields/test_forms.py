"""Every form of every table: data for which it wins come back from it, damage ends in one kind of error."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec.bounds import Bound, same_bits
from invae.codec.coding.varint import Reader
from invae.codec.fields import exact, field, integers
from invae.codec.fields.exact_forms.plane import WantedPlane
from invae.codec.fields.field_forms.plane import WantedField
from invae.codec.fields.forms import Table
from invae.codec.fields.integer_forms.constant import Constant
from invae.codec.fields.integer_forms.plane import WantedIntegers
from invae.codec.model import default_model
from invae.errors import FormatError, ModelError

MODEL = default_model()
RNG = np.random.default_rng(0)


def noise(*shape, scale=30.0):
    return np.rint(RNG.normal(0, scale, shape)).astype(np.int64)


def bell(n_rows, n_columns, height):
    y, x = np.indices((n_rows, n_columns))
    return height * np.exp(-np.hypot(y - n_rows / 2, x - n_columns / 2.2) / 9)


def averaged():
    """Each value the mean of its two neighbours, plus noise."""
    plane = noise(40, 40) + 10000
    for i in range(1, 40):
        for j in range(1, 40):
            plane[i, j] = (plane[i - 1, j] + plane[i, j - 1]) // 2 + noise(1)[0]
    return plane


def drifting():
    """Rough rows, each differing from the one above by half of what its left neighbour does, plus noise."""
    plane = noise(40, 60, scale=300)
    for i in range(1, 40):
        for j in range(1, 60):
            plane[i, j] = plane[i - 1, j] + (plane[i, j - 1] - plane[i - 1, j - 1] >> 1) + noise(1)[0]
    return plane


CURVES = 3 - 2 * np.log10(1 + (np.geomspace(1e-3, 1, 200) * np.array([[20.0], [35.0], [90.0], [200.0]])) ** 2)
INTEGERS = {  # number: plane, height of its frames, whether a model is given
    0: (np.full((3, 5), -7), 0, False),
    1: (noise(40, 40), 0, False),
    2: (np.cumsum(noise(4, 300), axis=1), 0, False),
    3: (np.cumsum(np.cumsum(noise(4, 300), axis=1), axis=1), 0, False),
    4: (np.cumsum(np.cumsum(np.cumsum(noise(4, 300), axis=1), axis=1), axis=1), 0, False),
    5: (np.cumsum(noise(300, 4), axis=0), 0, False),
    6: (np.cumsum(np.cumsum(noise(40, 40), axis=0), axis=1), 0, False),
    7: (np.kron(noise(6, 6, scale=300), np.ones((8, 8), np.int64)), 0, False),
    8: (averaged(), 0, False),
    9: (drifting(), 0, False),
    10: (np.cumsum(np.cumsum(np.cumsum(np.cumsum(noise(2, 300), axis=1), axis=1), axis=1), axis=1), 0, False),
    252: (RNG.poisson(bell(64, 60, 400)).astype(np.int64), 64, True),
    255: (np.rint(CURVES * 500).astype(np.int64), 0, True),
}
EXACT = {  # number: plane
    0: np.frombuffer(RNG.bytes(800), dtype="f8").reshape(4, 25).copy(),
    1: RNG.normal(size=(1, 9))[:, RNG.integers(0, 9, 400)].astype("g"),
    2: RNG.poisson(9, (20, 20)),
    3: np.exp(np.cumsum(RNG.normal(-0.3, 0.001, (1, 300)), axis=1)),
    4: np.round(RNG.normal(0, 30, (3, 100)), 3),
    5: np.array([[float(f"{v:.4e}") for v in np.exp(RNG.normal(0, 20, 200))]]),
    6: RNG.normal(size=(2, 100)).astype(np.float32).astype(np.float64),
    7: np.where(np.arange(30) % 9 == 4, 2**32 - 1, RNG.poisson(90000, (30, 30))).astype(np.uint32),
    8: np.sqrt(RNG.poisson(9, (20, 30))) * 0.0317,
    9: np.geomspace(2e-3, 0.7, 300)[None, :],
    10: np.sin(np.linspace(0.1, 20, 300))[None, :],
}
WALK = np.cumsum(RNG.normal(size=(3, 200)), axis=1)
FIELDS = {  # number: array, bound, sigma
    0: (RNG.poisson(3.0, (20, 20)), "lossless", None),
    1: (WALK, "abs:0.1", None),
    2: (np.exp(WALK), "log:0.01", None),
    3: (WALK, "rel:0.01", None),
    5: (np.cumsum(RNG.poisson(1e9, (2, 200)), axis=1), "1sigma", None),
    7: (WALK, "0.5sigma", 0.3 + RNG.random(WALK.shape)),
    8: (RNG.poisson(3.0, (8, 20, 20)), "lossless", None),
    9: (RNG.poisson(300.0, (20, 20)), "1sigma", None),
}


def coded_integers(number):
    plane, height, learned = INTEGERS[number]
    model = MODEL if learned else None
    wanted = WantedIntegers(plane.shape, model, integers.NO_OFFSETS)
    return integers.FORMS, integers.encode_integers(plane, model, height), wanted, plane


def coded_exactly(number):
    plane = EXACT[number]
    return exact.FORMS, exact.encode_exact(plane), WantedPlane(plane.shape, plane.dtype, None), plane


def coded_within_a_bound(number):
    array, bound, sigma = FIELDS[number]
    if number == 8:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(field, "BLOCK_VALUES", 1000)
            data, _ = field.encode_field(array, Bound.parse(bound), sigma)
    else:
        data, _ = field.encode_field(array, Bound.parse(bound), sigma)
    head = len(field.encode_head(array))
    return field.FORMS, data[head:], WantedField(array.dtype, array.shape, sigma, None), array


LEVELS = {integers.FORMS: coded_integers, exact.FORMS: coded_exactly, field.FORMS: coded_within_a_bound}
EVERY = [(coded, n) for table, coded in LEVELS.items() for form in table.forms for n in form.numbers]
every_form = pytest.mark.parametrize(("coded", "number"), EVERY)


@every_form
def test_a_form_wins_where_its_data_are_and_gives_them_back(coded, number):
    table, data, wanted, original = coded(number)
    assert data[0] == number
    decoded = table.decode(Reader(data), wanted)
    if coded is coded_within_a_bound:
        _, bound, sigma = FIELDS[number]
        assert Bound.parse(bound).check(original, decoded.reshape(original.shape), sigma).all()
    else:
        assert decoded.dtype == original.dtype and same_bits(decoded, original).all()


@every_form
def test_damaged_codes_end_in_an_error_or_in_values_but_never_otherwise(coded, number):
    table, data, wanted, original = coded(number)
    rng = np.random.default_rng(number)
    for place in rng.integers(1, len(data), 20):
        for damaged in (data[:place], data[:place] + bytes([data[place] ^ 0x35]) + data[place + 1 :]):
            try:
                decoded = table.decode(Reader(damaged), wanted)
            except (FormatError, ModelError):
                continue
            assert decoded.dtype == original.dtype and decoded.size == original.size


@pytest.mark.parametrize("table", LEVELS, ids=lambda table: table.level)
def test_a_number_of_no_form_is_named(table):
    known = {number for form in table.forms for number in form.numbers}
    number = min(set(range(256)) - known)
    with pytest.raises(FormatError, match=f"{table.level} {number} is unknown"):
        table.decode(Reader(bytes([number, 0, 0])), None)


@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        (2, "f8"),
        (7, "f8"),
        (7, "?"),
        (3, "i4"),
        (4, "u2"),
        (5, "g"),
        (6, "f4"),
        (8, "?"),
        (9, "f2"),
        (10, "g"),
    ],
)
def test_an_exact_form_refuses_dtypes_that_it_cannot_give(number, dtype):
    with pytest.raises(FormatError, match="does not fit dtype"):
        exact.FORMS.decode(Reader(bytes([number, 0, 0, 0])), WantedPlane((1, 1), np.dtype(dtype), None))


def test_two_forms_of_one_number_are_a_mistake():
    with pytest.raises(ValueError, match="two forms"):
        Table("form", [Constant(), Constant()])


def test_the_shortest_bid_wins_and_of_equals_the_first():
    class Fixed:
        settles = False

        def __init__(self, number, n_bytes):
            self.numbers, self.n_bytes = (number,), n_bytes

        def bids(self, task, others):
            yield bytes([self.numbers[0]]) * self.n_bytes

        def decode(self, number, reader, wanted):
            return np.zeros(0)

    assert Table("form", [Fixed(1, 5), Fixed(2, 3), Fixed(3, 3)]).encode(None) == b"\2\2\2"


def test_a_plane_without_values_is_coded_at_every_level():
    plane = np.zeros((0, 4))
    assert exact.decode_exact(Reader(exact.encode_exact(plane)), plane.dtype, 0, 4).shape == (0, 4)
    assert integers.decode_integers(Reader(integers.encode_integers(plane)), 0, 4).shape == (0, 4)
    assert field.decode_field(field.encode_field(plane, Bound("abs", 1.0))[0]).shape == (0, 4)
