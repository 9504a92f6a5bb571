"""Stored models: what is truncated, of another class or of a newer version is one sentence."""

import json

import h5py
import numpy as np
import pytest

import invae
from invae.errors import FileError, ModelError
from invae.persistence import describe, load, save


@pytest.fixture
def path(tmp_path):
    """A small model on disk."""
    return save(invae.Blur((4, 5), 1.0), tmp_path / "blur.h5")


def rewrite(path, change):
    """Change the header of a model, and what else ``change(header, file)`` likes."""
    with h5py.File(path, "r+") as file:
        header = change(json.loads(file["header"][()].tobytes()), file)
        del file["header"]
        file["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)


def newer(header, file):
    file["arrays"].create_group("nested")
    return {"version": 2, "content": "elsewhere"}


def without(*names):
    return lambda header, file: {key: value for key, value in header.items() if key not in names}


def of_class(name):
    return lambda header, file: {**header, "model": {**header["model"], "__class__": name}}


@pytest.mark.parametrize("read", [load, describe])
@pytest.mark.parametrize(
    "change, words",
    [
        (newer, "upgrade invae"),
        (without("version"), "missing"),
        (without("sha256"), "missing"),
        (without("model"), "missing"),
        (lambda header, file: [header], "missing"),
        (lambda header, file: {**header, "version": "one"}, "missing"),
    ],
)
def test_headers_of_newer_or_lost_parts_are_one_sentence(path, read, change, words):
    rewrite(path, change)
    with pytest.raises(ModelError, match=words) as error:
        read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change, words",
    [
        (of_class("Deep"), "class Deep"),
        (of_class("Radon"), "another version"),
        (of_class("GaussianNoise"), "another version"),
        (lambda header, file: {**header, "model": {"__class__": "Blur"}}, "another version"),
        (lambda header, file: {**header, "model": {"__array__": "9999"}}, "another version"),
    ],
)
def test_what_a_header_names_and_invae_cannot_rebuild_is_one_sentence(path, change, words):
    rewrite(path, change)
    with pytest.raises(ModelError, match=words) as error:
        load(path)
    assert str(path) in str(error.value)


def test_truncated_models_are_one_sentence(path):
    whole = path.read_bytes()
    for size in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        for read in (load, describe):
            with pytest.raises(ModelError, match="truncated"):
                read(path)


def test_a_flipped_digit_of_the_header_is_noticed(path):
    content = bytearray(path.read_bytes())
    place = content.index(b'"shape": [4, 5]') + len('"shape": [')
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load(path)


def test_models_without_a_sum_over_their_header_are_read(path):
    rewrite(path, lambda header, file: header)
    assert load(path).dims == (4, 5)


def test_nothing_is_overwritten_and_other_objects_are_refused(path, tmp_path):
    before = path.read_bytes()
    with pytest.raises(FileError, match="exists"):
        save(invae.GaussianNoise(0.1), path)
    with pytest.raises(ModelError, match="class object"):
        save(object(), tmp_path / "x.h5")
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["blur.h5"]
