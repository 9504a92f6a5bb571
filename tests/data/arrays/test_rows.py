import json

import h5py
import numpy as np
import pytest
import tifffile

from invae.data.arrays.files import read_array, write_array
from invae.data.arrays.rows import RowWriter, identity, open_rows
from invae.errors import FileError, FormatError, InputError

ENDINGS = ("x.npy", "x.h5", "x.tif")


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_written_in_pieces_are_the_array(tmp_path, rng, name, dtype):
    x = rng.normal(size=(10, 3, 4)).astype(dtype)
    with RowWriter(tmp_path / name, x.shape, dtype, {}) as out:
        for start in range(0, 10, 4):
            out.write(x[start : start + 4])
    np.testing.assert_array_equal(read_array(tmp_path / name), x)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ENDINGS)
def test_an_interrupted_run_is_continued_where_it_stopped(tmp_path, rng, name):
    x = rng.normal(size=(9, 4))
    with pytest.raises(KeyboardInterrupt), RowWriter(tmp_path / name, x.shape, x.dtype, {"model": 1}) as out:
        out.write(x[:4])
        raise KeyboardInterrupt
    assert not (tmp_path / name).exists()
    with RowWriter(tmp_path / name, x.shape, x.dtype, {"model": 1}) as out:
        assert out.done == 4
        out.write(x[4:])
    np.testing.assert_array_equal(read_array(tmp_path / name), x)


def test_rows_of_another_job_are_neither_kept_nor_thrown_away_unasked(tmp_path):
    path = tmp_path / "x.npy"
    with RowWriter(path, (3, 2), float, {"model": 1}) as out:
        out.write(np.ones((1, 2)))
    for job, shape in (({"model": 2}, (3, 2)), ({"model": 1}, (4, 2))):
        with pytest.raises(FileError, match="another job"):
            RowWriter(path, shape, float, job)
    with RowWriter(path, (3, 2), float, {"model": 2}, overwrite=True) as out:
        assert out.done == 0
        out.write(np.zeros((3, 2)))
    assert np.load(path).sum() == 0


def test_a_lost_or_damaged_note_starts_anew_only_when_allowed(tmp_path):
    path, note = tmp_path / "x.npy", tmp_path / "x.npy.part.json"
    with RowWriter(path, (3, 2), float, {}) as out:
        out.write(np.ones((1, 2)))
    note.write_text("{")
    with pytest.raises(FileError, match="another job"):
        RowWriter(path, (3, 2), float, {})
    note.unlink()
    assert RowWriter(path, (3, 2), float, {}).done == 0


def test_existing_outputs_missing_folders_and_wrong_rows_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    path.write_text("precious")
    with pytest.raises(FileError, match="exists"):
        RowWriter(path, (3, 2), float, {})
    with pytest.raises(FileError, match="folder"):
        RowWriter(tmp_path / "none" / "x.npy", (3, 2), float, {})
    with pytest.raises(InputError, match="ending"):
        RowWriter(tmp_path / "x.png", (3, 2), float, {})
    with pytest.raises(InputError, match="no value"):
        RowWriter(tmp_path / "y.npy", (0, 2), float, {})
    with pytest.raises(InputError, match="path inside"):
        RowWriter(f"{tmp_path}/y.npy:/data", (3, 2), float, {})
    out = RowWriter(tmp_path / "z.npy", (3, 2), float, {})
    for rows in (np.zeros((1, 3)), np.zeros((4, 2))):
        with pytest.raises(InputError, match="do not fit"):
            out.write(rows)
    assert path.read_text() == "precious"


def test_rewound_rows_are_written_again(tmp_path):
    with RowWriter(tmp_path / "x.npy", (3, 1), float, {}) as out:
        out.write(np.ones((3, 1)))
        out.rewind(1)
        with pytest.raises(InputError, match="go back"):
            out.rewind(2)
        out.write(np.zeros((2, 1)))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy").ravel(), [1, 0, 0])


def test_hdf5_paths_are_kept(tmp_path):
    with RowWriter(f"{tmp_path}/x.h5:/entry/signals", (2, 2), np.float32, {}) as out:
        out.write(np.ones((2, 2)))
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["entry/signals"].dtype == np.float32


@pytest.mark.parametrize("name", ENDINGS)
def test_open_rows_reads_slices(tmp_path, rng, name):
    x = rng.normal(size=(6, 5, 4)).astype(np.float32)
    write_array(tmp_path / name, x)
    with open_rows(tmp_path / name) as rows:
        assert rows.shape == x.shape and rows.dtype == x.dtype
        np.testing.assert_array_equal(rows[2:4], x[2:4])


def test_open_rows_takes_compressed_tiffs_and_names_wrong_files(tmp_path, rng):
    x = rng.integers(0, 9, (3, 8, 8)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", x, compression="zlib", photometric="minisblack")
    with open_rows(tmp_path / "x.tif") as rows:
        np.testing.assert_array_equal(rows[1], x[1])
    (tmp_path / "x.txt").write_text("no array")
    with pytest.raises(FormatError), open_rows(tmp_path / "x.txt"):
        pass
    with pytest.raises(FileError), open_rows(tmp_path / "absent.npy"):
        pass


def test_identity_changes_with_the_file(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(3))
    before = identity(path)
    json.dumps(before)
    np.save(path, np.zeros(4))
    assert identity(path) != before
