"""Records survive splitting and joining to the last bit and cannot be changed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invae.data.records import Curve, Frame, from_parts, identical, unique_names
from invae.errors import InputError

DTYPES = ["<f8", ">f8", "<f4", ">f4", "<f2", "<i4", ">i2", "|u1", "<u4", "<i8", "|b1"]


def curve(**changes):
    fields = {
        "q": np.array([0.0, 0.3, 0.1]),
        "intensity": np.array([-1.0, np.nan, 2.0], ">f4"),
        "sigma": np.array([0.1, np.inf, 0.3]),
        "mask": np.array([0, 1, 0], np.uint8),
        "columns": {"dql": np.arange(3.0), "transmission_spectrum/T": np.arange(7.0)},
        "units": {"q": "1/nm", "intensity": None},
        "name": "run 7",
        "metadata": {"sample": {"ID": "a"}, "list": [1, 2.5, None, float("nan")]},
        "header": "# raw\r\nhéad\ufeff",
        "source": "a.dat",
    }
    return Curve(**(fields | changes))


def through_parts(record):
    arrays, metadata = record.to_parts()
    return from_parts(arrays, json.loads(json.dumps(metadata)))


def test_curve_through_parts_is_identical():
    assert identical(through_parts(curve()), curve())


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
    )
)
def test_frame_of_any_dtype_and_shape_through_parts_is_identical(data):
    frame = Frame(data=data, mask=np.zeros(data.shape, bool), name="f")
    again = through_parts(frame)
    assert identical(again, frame)
    assert again.data.dtype.str == data.dtype.str


@pytest.mark.parametrize(
    "change",
    [
        {"q": np.array([-0.0, 0.3, 0.1])},
        {"q": np.array([0.0, 0.3, 0.1], ">f8")},
        {"intensity": np.array([-1.0, -np.nan, 2.0], ">f4")},
        {"sigma": None},
        {"mask": np.array([0, 1, 0], bool)},
        {"columns": {}},
        {"units": {"q": "1/angstrom", "intensity": None}},
        {"name": "run 8"},
        {"metadata": {}},
        {"header": "# raw\nhéad"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_one_differing_bit_is_not_identical(change):
    assert identical(curve(), curve())
    assert not identical(curve(), curve(**change))


def test_nan_payloads_tell_records_apart():
    one, other = np.array([np.nan]), np.array([0x7FF8000000000001], np.uint64).view(np.float64)
    assert not identical(Frame(data=one), Frame(data=other))


def test_records_are_immutable_and_leave_the_input_writeable():
    q = np.arange(3.0)
    metadata = {"a": [1]}
    record = curve(q=q, metadata=metadata)
    with pytest.raises(ValueError, match="read-only"):
        record.q[0] = 1
    with pytest.raises(AttributeError):
        record.q = q
    metadata["a"].append(2)
    assert record.metadata == {"a": [1]}
    assert q.flags.writeable


def test_values_names_the_measured_array():
    record = curve().replace(values=np.zeros(3))
    assert record.intensity.tolist() == [0, 0, 0]
    assert Frame(data=np.zeros(2)).replace(values=np.ones(2)).values.tolist() == [1, 1]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"sigma has shape \(2,\), expected \(3,\)"):
        curve(sigma=np.zeros(2))
    with pytest.raises(InputError, match=r"expected \(N,\)"):
        Curve(q=np.zeros((2, 2)), intensity=np.zeros((2, 2)))
    with pytest.raises(InputError, match="mask has shape"):
        Frame(data=np.zeros((2, 2)), mask=np.zeros(2))


def test_what_is_not_a_number_or_json_is_refused():
    with pytest.raises(InputError, match="real numbers"):
        Frame(data=np.array(["a"]))
    with pytest.raises(InputError, match="JSON-able"):
        curve(metadata={"a": object()})
    with pytest.raises(InputError, match="units"):
        curve(units={"q": 1})


def test_foreign_parts_are_refused():
    with pytest.raises(InputError, match="kind"):
        from_parts({}, {})
    with pytest.raises(InputError, match="lack"):
        from_parts({"q": np.zeros(2)}, {"kind": "curve"})
    with pytest.raises(InputError, match="no array 'data'"):
        from_parts({"data": np.zeros(2)}, {"kind": "curve"})


def test_names_become_unique_even_when_a_file_uses_the_suffix():
    records = [Frame(np.zeros(1), name=name) for name in ("a", "a#2", "a", "a")]
    names = unique_names(records)
    assert names[:2] == ["a", "a#2"]
    assert len(set(names)) == 4


def test_mask_of_a_masked_array_becomes_the_mask_of_the_record():
    values = np.ma.array([1.0, 1e30, 3.0], mask=[False, True, False])
    curve = Curve(q=np.arange(3.0), intensity=values)
    assert curve.mask.tolist() == [0, 1, 0] and curve.intensity.tolist() == [1, 1e30, 3]
    frame = Frame(data=np.ma.masked_less(np.array([[1, -2], [3, 4]]), 0))
    assert frame.mask.tolist() == [[0, 1], [0, 0]] and type(frame.data) is np.ndarray
    assert Frame(data=np.ma.array([1, 2])).mask is None


def test_two_masks_for_one_record_are_refused():
    values = np.ma.array([1.0, 2.0], mask=[True, False])
    with pytest.raises(InputError, match="masked array, and a mask is given beside it"):
        Frame(data=values, mask=np.zeros(2, bool))


@pytest.mark.parametrize("key", ["q", "sigma", "dq", "mask"])
def test_masked_values_beside_the_intensity_are_refused(key):
    masked = np.ma.array([0.1, 0.2], mask=[False, True])
    with pytest.raises(InputError, match=f"{key} is a masked array with 1 masked values"):
        Curve(**{"q": np.ones(2), "intensity": np.ones(2)} | {key: masked})
