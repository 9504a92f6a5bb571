"""UCR sets: separators, missing values, ragged sets, and errors that carry the line."""

from __future__ import annotations

import numpy as np
import pytest

from invae.data.sets.ucr import read_ucr
from invae.errors import FileError, FormatError


def written(tmp_path, text):
    path = tmp_path / "SET_TRAIN.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("separator", ["\t", ",", "  "])
def test_separators_of_old_and_new_copies(tmp_path, separator):
    lines = [["1", "0.5", "-1e-3"], ["-1", "2", "3.25"]]
    found = read_ucr(written(tmp_path, "\n".join(separator.join(line) for line in lines) + "\n\n"))
    np.testing.assert_array_equal(found.series, [[0.5, -1e-3], [2, 3.25]])
    np.testing.assert_array_equal(found.labels, [1, -1])
    assert found.labels.dtype == np.int64


def test_missing_values_and_short_series_are_nan(tmp_path):
    found = read_ucr(written(tmp_path, "1\t1.0\tNaN\t3\n2\t1.0\t\tNaN\n"))
    np.testing.assert_array_equal(np.isnan(found.series), [[False, True, False], [False, True, True]])


def test_labels_that_are_not_whole_stay_real(tmp_path):
    assert read_ucr(written(tmp_path, "1.5\t1\n2\t1\n")).labels.tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no series"),
        ("1\t2\n1\tabc\n", ":2: could not convert"),
        ("1\t2\t3\n1\t2\n", ":2: 2 columns where the first line has 3"),
        ("1\n", ":1: only 1 column"),
        ("1\t2\nNaN\t2\n", ":2: the class label"),
        (b"1\t\xff\n", "byte 2 is not text"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read_ucr(written(tmp_path, text))


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(FileError, match="invae data fetch"):
        read_ucr(tmp_path / "none.tsv")


def test_arrays_of_the_same_columns(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, 0.5, 0.25], [2, 1, 2]], np.float32))
    found = read_ucr(tmp_path / "a.npy")
    assert found.series.shape == (2, 2) and found.labels.tolist() == [1, 2]
    np.save(tmp_path / "flat.npy", np.ones(3))
    (tmp_path / "text.npy").write_text("1 2 3")
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    for name in ("flat.npy", "text.npy", "objects.npy"):
        with pytest.raises(FormatError):
            read_ucr(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "train", "test", "length"),
    [
        ("CBF", 30, 900, 128),
        ("Trace", 100, 100, 275),
        ("SyntheticControl", 300, 300, 60),
        ("FaceFour", 24, 88, 350),
        ("Wine", 57, 54, 234),
    ],
)
def test_real_sets_have_the_sizes_that_the_archive_states(shared_data, name, train, test, length):
    for part, n in (("TRAIN", train), ("TEST", test)):
        found = read_ucr(shared_data / "ucr" / name / f"{name}_{part}.tsv")
        assert found.series.shape == (n, length)
        assert np.isfinite(found.series).all()


def test_a_real_set_saved_as_an_array(shared_data):
    found = read_ucr(shared_data / "ucr/ECG5000/ECG5000_TEST.npy")
    assert found.series.shape[1] == 140 and set(found.labels) == {1, 2, 3, 4, 5}
