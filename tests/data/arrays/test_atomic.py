"""Outputs: the old file or the new one, one sentence, nothing left over."""

from __future__ import annotations

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from invae.data.arrays.atomic import atomic_path
from invae.data.arrays.files import write_array
from invae.data.arrays.rows import RowWriter
from invae.data.formats.hdf5.output import create_hdf5
from invae.errors import FileError

WRITERS = {
    "npy": "write_array(out / 'x.npy', big, overwrite=True)",
    "h5": "write_array(out / 'x.h5', big, overwrite=True)",
    "tif": "write_array(out / 'x.tif', big[None], overwrite=True)",
    "rows.npy": "RowWriter(out / 'x.npy', big.shape, float, {}, overwrite=True)",
    "rows.h5": "RowWriter(out / 'x.h5', big.shape, float, {}, overwrite=True)",
    "rows.tif": "RowWriter(out / 'x.tif', big.shape, float, {}, overwrite=True)",
    "curves.h5": "invae.write([curve] * 30, out / 'x.h5', overwrite=True)",
    "curves.xml": "invae.write([curve] * 30, out / 'x.xml', overwrite=True)",
    "table.dat": "invae.write(curve, out / 'x.dat', overwrite=True)",
    "model.h5": "invae.save(model, out / 'x.h5', overwrite=True)",
    "archive": "write_archive(out / 'x.inva', big, overwrite=True, model=None)",
}
# A limit on the size of a file is what a full disk is to a writer: the system takes no more.
FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
import invae
from invae.codec import write_archive
from invae.data import read, write_array
from invae.data.arrays.rows import RowWriter
out = Path(sys.argv[1])
rng = np.random.default_rng(0)
big = rng.normal(size=(60, 500))
curve = invae.Curve(q=np.linspace(0.01, 1, 3000), intensity=rng.normal(size=3000), units={"q": "1/nm"})
model = invae.GaussianPrior(big.ravel(), factor=big.reshape(-1, 1)) if sys.argv[2] == "model.h5" else None
if sys.argv[2] == "archive":
    invae.compress(big, model=None)  # the compiler's cache writes files, too
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    exec(sys.argv[3])
except invae.FileError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.skipif(sys.platform == "win32", reason="the limit is one of POSIX systems")
def test_an_output_that_does_not_fit_leaves_the_old_file_and_a_sentence(tmp_path, kind):
    name = WRITERS[kind].split("'")[1]
    (tmp_path / name).write_text("the old file")
    code = [sys.executable, "-c", FULL, str(tmp_path), kind, WRITERS[kind]]
    found = subprocess.run(code, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.startswith(f"cannot write {tmp_path / name}: ") and found.stdout.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "the old file"


def test_a_full_disk_never_ends_the_process(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        for ending in ("npy", "h5", "tif"):
            with pytest.raises(FileError, match="no space left in"):
                write_array(folder / f"x.{ending}", np.zeros((100, 100)))
            with pytest.raises(FileError, match="no space left in"):
                RowWriter(folder / f"y.{ending}", (100, 100), float, {})
        with pytest.raises(FileError, match="no space left in"), atomic_path(folder / "many.h5") as temporary:
            with create_hdf5(temporary) as file:
                for k in range(2000):
                    file.create_group(f"group{k}").attrs["text"] = "x" * 100
        assert not list(folder.iterdir())
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_file_that_appeared_while_another_was_written_is_kept(tmp_path):
    with pytest.raises(FileError, match="appeared while"), atomic_path(tmp_path / "x") as temporary:
        temporary.write_text("mine")
        (tmp_path / "x").write_text("theirs")
    assert (tmp_path / "x").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_second_writer_of_the_same_file_is_told(tmp_path):
    with atomic_path(tmp_path / "x", overwrite=True) as temporary:
        temporary.write_text("first")
        with pytest.raises(FileError, match="another program is writing it now"):
            with atomic_path(tmp_path / "x", overwrite=True):
                pass
    assert (tmp_path / "x").read_text() == "first"
    with RowWriter(tmp_path / "y.npy", (2, 2), float, {}) as rows:
        with pytest.raises(FileError, match="another program is writing it now"):
            RowWriter(tmp_path / "y.npy", (2, 2), float, {})
        rows.write(np.ones((2, 2)))
    assert np.load(tmp_path / "y.npy").sum() == 4
    assert {path.name for path in tmp_path.iterdir()} == {"x", "y.npy"}


def test_what_a_killed_writer_left_is_gone_after_the_next_run(tmp_path):
    code = (
        "import os, sys\n"
        "from invae.data import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.h5")])
    assert {path.name for path in tmp_path.iterdir()} == {".x.h5.tmp.h5", ".x.h5.lock"}
    write_array(tmp_path / "x.h5", np.zeros(3))
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]


def test_a_writer_killed_between_naming_and_cleaning_does_not_cost_the_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("whole")
    os.link(path, tmp_path / ".x.tmp")  # both names of one file, as they are for a moment
    with pytest.raises(ZeroDivisionError), atomic_path(path, overwrite=True) as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "whole"
    assert len(list(tmp_path.iterdir())) == 1


def test_devices_are_no_outputs(tmp_path):
    with pytest.raises(FileError, match="no regular file"), atomic_path(os.devnull, overwrite=True):
        pass


def test_errors_of_reading_are_not_told_as_errors_of_writing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x") as temporary:
        temporary.write_text((tmp_path / "absent").read_text())
    assert not list(tmp_path.iterdir())


def test_hdf5_written_through_the_stream_is_read_by_the_library(tmp_path, rng):
    values = rng.normal(size=(300, 40))
    with create_hdf5(tmp_path / "x.h5") as file:
        file.create_dataset("a/b", data=values, compression="gzip", chunks=(7, 40))
        file["a"].attrs["units"] = "1/cm"
        np.testing.assert_array_equal(file["a/b"][100:200], values[100:200])
    with h5py.File(tmp_path / "x.h5") as file:
        np.testing.assert_array_equal(file["a/b"], values)
        assert file["a"].attrs["units"] == "1/cm"
