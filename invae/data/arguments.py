"""Arguments as users give them: what converts without loss is taken, the rest refused by its name."""

from __future__ import annotations

import operator
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from invae.errors import InputError

__all__ = ["file_path", "generator", "mapping", "one_of", "real_array", "stays_on_disk", "whole_number"]

_MOST_AXES = 64  # of NumPy; what NumPy itself cannot hold never arrives here
# Containers whose items are found by labels, or whose dtype is not NumPy's: they are converted as a whole.
_CONVERTED = {"pandas", "xarray", "polars", "torch", "jax", "jaxlib", "tensorflow"}


def real_array(value: Any, name: str = "array", most_axes: int = _MOST_AXES) -> np.ndarray:
    """The argument ``name`` as a plain array of real numbers or booleans, without a copy where it is one.

    Lists, scalars, torch tensors on the CPU, xarray, pandas and dask objects become arrays of their values;
    a masked array without any masked value becomes the array of its data.

    Parameters
    ----------
    value : array_like
        What was given.
    name : str
        What the message calls it.
    most_axes : int
        Largest number of axes that can be dealt with.

    Raises
    ------
    InputError
        Masked values, complex numbers, texts, dates or objects, ragged lists, tensors that are not plain
        numbers in this memory, or too many axes.

    Examples
    --------
    >>> real_array([1, 2, 3]).dtype.kind
    'i'
    """
    if isinstance(value, np.ma.MaskedArray):
        masked = int(np.ma.getmaskarray(value).sum())
        if masked:
            raise InputError(
                f"{name} is a masked array with {masked} masked values, whose mask would be lost: pass a "
                "Curve or a "
                f"Frame with mask=, or {name}.filled(numpy.nan)"
            )
        value = value.data
    if value is None:
        raise InputError(f"{name} is None, expected an array of real numbers")
    if getattr(value, "shape", ()) is None:
        raise InputError(f"{name} is a null data set of HDF5, which holds no values")
    try:
        array = np.asarray(value)
    except Exception as error:  # each library refuses in its own way
        raise InputError(
            f"{name}, a {_type_name(value)}, does not convert to an array of real numbers "
            f"({_first_line(error)}); "
            "convert it, for instance tensor.detach().cpu().float().numpy()"
        ) from error
    if array.dtype.kind not in "biuf":
        given = "" if isinstance(value, np.ndarray) else f", from a {_type_name(value)}"
        raise InputError(f"{name} has dtype {array.dtype}{given}; expected real numbers or booleans")
    if array.ndim > most_axes:
        raise InputError(f"{name} has {array.ndim} axes, at most {most_axes} can be dealt with; reshape it")
    return array


def file_path(value: Any, name: str = "path") -> Path:
    """The argument ``name`` as a path.

    Raises
    ------
    InputError
        It is no text and no path; a number would be taken for an open file.
    """
    try:
        text = os.fspath(value)
    except TypeError as error:
        raise InputError(f"{name} must be a path, got a {_type_name(value)}") from error
    text = os.fsdecode(text)
    if not text or "\0" in text:
        raise InputError(f"{name} is {text!r}, which names no file")
    return Path(text)


def mapping(value: Any, name: str) -> dict[Any, Any]:
    """The argument ``name`` as a dict of its own.

    Raises
    ------
    InputError
        It is no mapping.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must be a dict, got a {_type_name(value)}")
    return dict(value)


def whole_number(value: Any, name: str, least: int = 0) -> int:
    """The argument ``name`` as an integer of at least ``least``.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InputError(f"{name} must be a whole number, got a {_type_name(value)}") from error
    if number < least:
        raise InputError(f"{name}={number}; expected at least {least}")
    return number


def generator(rng: Any) -> np.random.Generator:
    """A random generator of a seed, of itself, or a new one for None.

    Raises
    ------
    InputError
        It is neither a generator, nor a whole number from 0 on, nor None.
    """
    if rng is None or isinstance(rng, np.random.Generator):
        return np.random.default_rng(rng)
    return np.random.default_rng(whole_number(rng, "rng"))


def one_of(value: Any, known: Collection[str], name: str) -> str:
    """The argument ``name``, which must be one of the known names.

    Raises
    ------
    InputError
        It is none of them.
    """
    if isinstance(value, str) and value in known:
        return value
    given = repr(value) if isinstance(value, str) else f"a {_type_name(value)}"
    raise InputError(f"unknown {name} {given}; known are {', '.join(known)}")


def stays_on_disk(value: Any) -> bool:
    """Whether a value is an array that is read where it is sliced: a data set, a stack, a dask array."""
    if isinstance(value, np.ndarray | np.generic) or type(value).__module__.partition(".")[0] in _CONVERTED:
        return False
    dtype = getattr(value, "dtype", None)
    if not isinstance(dtype, np.dtype) or not hasattr(value, "__getitem__"):
        return False
    return isinstance(getattr(value, "shape", None), tuple) and dtype.kind in "biuf"


def _type_name(value: Any) -> str:
    library, name = type(value).__module__.partition(".")[0], type(value).__qualname__
    return name if library == "builtins" else f"{library}.{name}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
