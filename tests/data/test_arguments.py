"""Arrays of every library are taken with all their values, or refused with one clear sentence."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from invae.data import Curve, Frame, write, write_array
from invae.data.arguments import real_array, stays_on_disk
from invae.data.arrays.rows import RowWriter
from invae.errors import InputError, InvaeError

GOOD = {
    "list": lambda: [[1.0, 2.0], [3.0, 4.0]],
    "tuple of arrays": lambda: (np.array([1.0, 2.0]), np.array([3.0, 4.0])),
    "masked without masks": lambda: np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=False),
    "torch": lambda: pytest.importorskip("torch").tensor([[1.0, 2.0], [3.0, 4.0]]),
    "pandas": lambda: pytest.importorskip("pandas").DataFrame([[1.0, 2.0], [3.0, 4.0]]),
    "xarray": lambda: pytest.importorskip("xarray").DataArray([[1.0, 2.0], [3.0, 4.0]]),
    "dask": lambda: pytest.importorskip("dask.array").from_array(np.array([[1.0, 2.0], [3.0, 4.0]])),
}


class Series:
    """What pandas does with missing integers: an array of objects."""

    shape, dtype = (2,), "Int64"

    def __array__(self, dtype=None, copy=None):
        return np.array([1, None], dtype=object)


class OnTheGpu:
    """What torch does with tensors that are elsewhere or need a gradient."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.\nUse Tensor.cpu() first")


BAD = {
    "masked": (lambda: np.ma.array([1.0, 2.0], mask=[0, 1]), "1 masked values, whose mask would be lost"),
    "ragged list": (lambda: [[1.0, 2.0], [3.0]], "list, does not convert"),
    "text": (lambda: ["a", "b"], "dtype <U1, from a list"),
    "complex": (lambda: np.ones(2, complex), "dtype complex128"),
    "dates": (lambda: np.array(["2020-01-01"], "M8[D]"), "dtype datetime64"),
    "objects": (lambda: Series(), "dtype object, from a .*Series"),
    "elsewhere": (lambda: OnTheGpu(), "does not convert .*can't convert cuda:0"),
    "none": (lambda: None, "is None"),
    "null data set": (lambda: h5py.Empty("f8"), "null data set"),
    "gradient": (lambda: pytest.importorskip("torch").ones(2, requires_grad=True), "does not convert"),
    "bfloat16": (lambda: pytest.importorskip("torch").ones(2).bfloat16(), "does not convert"),
    "dict": (lambda: {"a": 1}, "dtype object, from a dict"),
}


@pytest.mark.parametrize("kind", GOOD)
def test_arrays_of_other_libraries_become_arrays_of_their_values(kind):
    array = real_array(GOOD[kind]())
    assert type(array) is np.ndarray and array.tolist() == [[1, 2], [3, 4]]
    frame = Frame(data=GOOD[kind]())
    assert np.asarray(frame.data).tolist() == [[1, 2], [3, 4]] and frame.shape == (2, 2)


@pytest.mark.parametrize("kind", BAD)
def test_what_would_lose_values_is_refused_in_one_sentence(kind):
    make, says = BAD[kind]
    with pytest.raises(InputError, match=says) as caught:
        real_array(make(), "measurements")
    assert str(caught.value).startswith("measurements") and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", BAD)
def test_no_public_function_ends_in_a_bare_error(kind, tmp_path):
    make, _ = BAD[kind]
    plain = np.ones(2)
    for call in (
        lambda bad: Curve(q=bad, intensity=plain),
        lambda bad: Curve(q=plain, intensity=plain, columns={"more": bad}),
        lambda bad: Frame(data=plain, columns={"more": bad}),
        lambda bad: write_array(tmp_path / "a.npy", bad),
        lambda bad: write(bad, tmp_path / "a.h5"),
        lambda bad: RowWriter(tmp_path / "b.npy", (2, 2), float, {}).write(bad),
    ):
        with pytest.raises(InvaeError):
            call(make())
    assert not (tmp_path / "a.npy").exists() and not (tmp_path / "a.h5").exists()


@pytest.mark.parametrize("kind", GOOD)
def test_plain_arrays_are_no_records_to_write(kind, tmp_path):
    with pytest.raises(InputError, match="records must be Curve or Frame"):
        write(GOOD[kind](), tmp_path / "a.h5")


def test_plain_arrays_are_not_copied():
    array = np.ones((3, 4), np.float32)
    assert real_array(array) is array


def test_too_many_axes_are_named(tmp_path):
    array = np.zeros((1,) * 33)
    with pytest.raises(InputError, match="33 axes, at most 32"):
        write_array(tmp_path / "a.h5", array)
    write_array(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match="33 axes, at most 20"):
        real_array(array, "data", most_axes=20)


def test_stacks_stay_on_disk_and_labelled_arrays_do_not(tmp_path):
    class Labelled:
        shape, dtype = (2,), np.dtype(float)

        def __getitem__(self, label):
            raise KeyError(label)

    Labelled.__module__ = "pandas.core.series"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        assert stays_on_disk(file.create_dataset("a", data=np.ones(3)))
        assert not stays_on_disk(file.create_dataset("b", data=h5py.Empty("f8")))
    assert not stays_on_disk(np.ones(3)) and not stays_on_disk([1.0]) and not stays_on_disk(Labelled())
