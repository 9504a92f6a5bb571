"""CIFAR-10's binary version, alone and in its archive."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

from invae.data.sets.cifar import read_cifar
from invae.errors import FileError, FormatError, InputError


def records(rng, n):
    images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, n, dtype=np.uint8)
    rows = np.column_stack([labels, images.transpose(0, 3, 1, 2).reshape(n, -1)])
    return images, labels, rows.tobytes()


def archive(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_parts_of_an_archive_are_read_in_order(tmp_path, rng):
    (a, la, first), (b, lb, second), (c, lc, test) = records(rng, 3), records(rng, 2), records(rng, 4)
    path = archive(
        tmp_path / "c.tar.gz", {"data_batch_2.bin": second, "data_batch_1.bin": first, "test_batch.bin": test}
    )
    images, labels = read_cifar(path)
    np.testing.assert_array_equal(images, np.concatenate([a, b]))
    np.testing.assert_array_equal(labels, np.concatenate([la, lb]))
    images, labels = read_cifar(path, "test")
    np.testing.assert_array_equal(images, c)
    np.testing.assert_array_equal(labels, lc)


def test_damage_is_named(tmp_path, rng):
    _, _, data = records(rng, 2)
    (tmp_path / "short.bin").write_bytes(data[:-1])
    with pytest.raises(FormatError, match="whole records"):
        read_cifar(tmp_path / "short.bin")
    (tmp_path / "label.bin").write_bytes(b"\x0b" + data[1:])
    with pytest.raises(FormatError, match="record 0 has the label 11"):
        read_cifar(tmp_path / "label.bin")
    (tmp_path / "c.tar.gz").write_bytes(b"no archive")
    with pytest.raises(FormatError, match="not a CIFAR-10 archive"):
        read_cifar(tmp_path / "c.tar.gz")
    with pytest.raises(FormatError, match="holds no"):
        read_cifar(archive(tmp_path / "d.tar.gz", {"other.bin": data}))
    with pytest.raises(FileError, match="invae data fetch"):
        read_cifar(tmp_path / "none.bin")
    with pytest.raises(InputError, match="train and test"):
        read_cifar(tmp_path / "c.tar.gz", "validation")
