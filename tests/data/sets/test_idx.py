"""IDX files: every type and rank, plain and gzipped; damage is an error with a byte offset."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from invae.data.sets.idx import DTYPES, read_idx
from invae.errors import FileError, FormatError


def idx_bytes(array, code):
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        + array.astype(DTYPES[code]).tobytes()
    )


@pytest.mark.parametrize("code", DTYPES)
@pytest.mark.parametrize("shape", [(7,), (2, 3), (3, 4, 5), (0, 4)])
@pytest.mark.parametrize("zipped", [False, True])
def test_every_type_and_rank_is_read_back(tmp_path, rng, code, shape, zipped):
    array = rng.integers(0, 100, shape)
    data = idx_bytes(array, code)
    path = tmp_path / "any-name"
    path.write_bytes(gzip.compress(data, mtime=0) if zipped else data)
    found = read_idx(path)
    assert found.dtype == np.dtype(DTYPES[code]).newbyteorder("=")
    np.testing.assert_array_equal(found, array)


GOOD = idx_bytes(np.arange(6).reshape(2, 3), 0x08)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "missing"),
        (b"\x00\x00\x08", "bytes 0..3 are 00 00 08"),
        (b"\x01" + GOOD[1:], "starts with 00 00"),
        (b"\x00\x00\x07" + GOOD[3:], "type code"),
        (GOOD[:3] + b"\x00", "number of dimensions"),
        (GOOD[:9], "ends at byte 9, inside the list"),
        (GOOD[:-1], "ends at byte 17, but shape"),
        (GOOD + b"\x00", "goes on past byte 18"),
        (b"\x00\x00\x0e\x03" + b"\xff" * 12, "not believed"),
        (gzip.compress(GOOD, mtime=0)[:-9], "gzip stream is damaged"),
        (b"\x1f\x8b" + b"\x00" * 20, "gzip stream is damaged"),
    ],
)
def test_damage_is_named_with_its_place(tmp_path, data, message):
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read_idx(path)


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(FileError, match="invae data fetch"):
        read_idx(tmp_path / "none")


def test_mnist_and_fashion_mnist_are_read(shared_data):
    images = read_idx(shared_data / "images/mnist/t10k-images-idx3-ubyte.gz")
    labels = read_idx(shared_data / "images/mnist/t10k-labels-idx1-ubyte.gz")
    assert (images.shape, images.dtype, labels.shape) == ((10_000, 28, 28), np.uint8, (10_000,))
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    fashion = read_idx(shared_data / "images/fashion-mnist/fashion900-labels-idx1-ubyte.gz")
    assert np.bincount(fashion).tolist() == [90] * 10
