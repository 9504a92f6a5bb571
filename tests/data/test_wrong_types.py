"""Whatever is given to a public function of the room, it works or ends in one InvaeError."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from invae.data import (
    Curve,
    Frame,
    atomic_path,
    data_sets,
    fetch,
    from_parts,
    identical,
    inventory,
    read,
    read_array,
    read_cifar,
    read_idx,
    read_ucr,
    split_inner_path,
    unique_names,
    write,
    write_array,
)
from invae.data.simulation.phantoms import FAMILIES
from invae.errors import InvaeError

WRONG = [
    None,
    7,
    -1,
    2.5,
    float("nan"),
    True,
    "absent",
    "",
    "\0",
    b"absent",
    [],
    [1, 2],
    ["a"],
    {},
    {"a": 1},
    range(3),
]
WRONG += [
    np.ones(3),
    np.ones((2, 2)),
    np.array(["a"]),
    np.ones(2, complex),
    np.ma.array([1.0, 2.0], mask=[0, 1]),
]
WRONG += [object(), slice(3)]
PAIR = {"q": [1.0, 2.0], "intensity": [3.0, 4.0]}
CURVE = Curve(**PAIR)


def record_calls():
    for key in ("q", "intensity", "sigma", "columns", "units", "name", "metadata", "header"):
        yield f"Curve({key})", lambda bad, key=key: Curve(**PAIR | {key: bad})
    yield "Frame(data)", lambda bad: Frame(data=bad)
    yield "Frame(mask)", lambda bad: Frame(data=np.ones(2), mask=bad)
    yield "replace", lambda bad: CURVE.replace(values=bad)
    yield "from_parts(arrays)", lambda bad: from_parts(bad, {"kind": "curve"})
    yield "from_parts(metadata)", lambda bad: from_parts(CURVE.arrays(), bad)
    yield "identical", lambda bad: identical(CURVE, bad)
    yield "unique_names", unique_names


def file_calls():
    for reader in (read, read_array, inventory, split_inner_path, data_sets, read_idx, read_cifar, read_ucr):
        yield reader.__name__, reader
    yield "fetch", lambda bad: fetch(bad, cache_dir=".")
    yield "write(records)", lambda bad: write(bad, "a.h5")
    yield "write(path)", lambda bad: write(CURVE, bad)
    yield "write(format)", lambda bad: write(CURVE, "b.h5", format=bad, overwrite=True)
    yield "write_array(path)", lambda bad: write_array(bad, np.ones(3))
    yield "write_array(array)", lambda bad: write_array("a.npy", bad, overwrite=True)
    yield "atomic_path", lambda bad: atomic_path(bad).__enter__()


def family_calls():
    for name, family in FAMILIES.items():
        shape = (16,) if name == "piecewise" else (16, 16)
        yield f"{name}(n)", lambda bad, family=family, shape=shape: family(bad, shape)
        yield f"{name}(shape)", lambda bad, family=family: family(1, bad)
        yield f"{name}(rng)", lambda bad, family=family, shape=shape: family(1, shape, rng=bad)


CALLS = [*record_calls(), *file_calls(), *family_calls()]


@pytest.mark.parametrize("call", [call for _, call in CALLS], ids=[name for name, _ in CALLS])
def test_wrong_type_ends_in_one_invae_error_or_works(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for bad in WRONG:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                call(bad)
            except InvaeError as error:
                assert str(error) and "\n" not in str(error)


def test_number_in_place_of_a_path_is_no_open_file(tmp_path):
    with open(tmp_path / "other.txt", "w") as other, pytest.raises(InvaeError, match="must be a path, got a"):
        write_array(other.fileno(), np.ones(3))
    assert (tmp_path / "other.txt").read_bytes() == b""
