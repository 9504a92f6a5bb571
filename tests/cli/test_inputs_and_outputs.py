"""Folders, patterns, stdin and stdout; names that are kept; files that cannot be read."""

from __future__ import annotations

import io
import sys

import h5py
import numpy as np
import pytest
import tifffile

from invae.cli import main
from invae.codec import Archive, decompress

TABLE = "# q (1/A) I (1/cm) dI\n0.01 5.0 0.1\n0.02 4.0 0.1\n0.03 3.0 0.1\n"


@pytest.fixture
def folder(tmp_path):
    """Arrays of one name in two folders, with names that shells and patterns find hard."""
    for name, value in (("a/run 1 [x].npy", 1.0), ("b/run 1 [x].npy", 2.0), ("b/other.npy", 3.0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / name, np.full(5, value))
    (tmp_path / "a/.hidden").write_text("not data")
    return tmp_path


class Bytes:
    """stdin or stdout that is a pipe."""

    def __init__(self, data=b""):
        self.buffer = io.BytesIO(data)

    def isatty(self):
        return False

    def write(self, text):
        return len(text)

    def flush(self):
        pass


def test_folders_and_patterns_are_inputs_and_names_stay(folder, run, monkeypatch):
    monkeypatch.chdir(folder)
    names = ["a/run 1 [x]", "other", "b/run 1 [x]"]
    for k, words in enumerate((["a", "b"], ["?"], ["*/*.npy"], ["**/*.npy"])):
        assert run("compress", *words, "-o", f"{k}.inva")[0] == 0
        with Archive(f"{k}.inva") as archive:
            assert archive.names() == names
            assert archive["b/run 1 [x]"][0] == 2.0
    assert run("decompress", "0.inva", "-o", "out")[0] == 0
    assert {path.name for path in (folder / "out").iterdir()} == {
        "a_run 1 [x].npy",
        "b_run 1 [x].npy",
        "other.npy",
    }


def test_a_folder_or_pattern_without_files_is_told(tmp_path, run):
    (tmp_path / "empty").mkdir()
    for word, told in (("empty", "holds no file"), ("*.xyz", "no file fits the pattern")):
        status, _, err = run("compress", tmp_path / word, "-o", tmp_path / "a.inva")
        assert status == 1 and told in err and word in err


def test_records_named_after_files_of_one_name_are_told_apart_by_the_folder(tmp_path, run):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "f.tif", np.full((4, 4), ord(name), np.uint16))
    assert run("compress", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "x.inva")[0] == 0
    with Archive(tmp_path / "x.inva") as archive:
        assert archive.names() == ["a/f", "b/f"]


def test_one_bad_file_is_named_with_its_path_and_stops_the_rest_only_unasked(folder, run):
    (folder / "b" / "bad.dat").write_text("no numbers here\n")
    status, _, err = run("compress", folder / "b", "-o", folder / "x.inva")
    assert status == 1 and str(folder / "b" / "bad.dat") in err and not (folder / "x.inva").exists()
    status, _, err = run("compress", folder / "b", "-o", folder / "x.inva", "--keep-going")
    assert status == 1 and str(folder / "b" / "bad.dat") in err
    with Archive(folder / "x.inva") as archive:
        assert archive.names() == ["other", "run 1 [x]"]
    (folder / "c").mkdir()
    (folder / "c" / "bad.dat").write_text("no numbers here\n")
    status, _, err = run("convert", folder / "c", "-o", folder / "out", "--keep-going")
    assert status == 1 and "none of 1 files could be read" in err


def test_stdin_and_stdout_stand_for_files(tmp_path, run, monkeypatch):
    out = Bytes()
    monkeypatch.setattr(sys, "stdin", Bytes(TABLE.encode()))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", Bytes())
        status = main(["compress", "-", "-o", "-"])
    blob = out.buffer.getvalue()
    assert status == 0
    [curve] = decompress(blob)
    assert curve.intensity.tolist() == [5.0, 4.0, 3.0]
    for verb in ("list", "verify", "info"):
        monkeypatch.setattr(sys, "stdin", Bytes(blob))
        assert run(verb, "-")[0] == 0
    monkeypatch.setattr(sys, "stdin", Bytes(blob))
    assert run("get", "0", "-")[1].count("\n") == 5
    out = Bytes()
    monkeypatch.setattr(sys, "stdin", Bytes(blob))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", Bytes())
        assert main(["decompress", "-", "-o", "-", "--to", ".h5"]) == 0
    (tmp_path / "x.h5").write_bytes(out.buffer.getvalue())
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["sasentry01/sasdata/I"][0] == 5.0
    monkeypatch.setattr(sys, "stdin", Bytes(TABLE.encode()))
    assert run("convert", "-", "-o", tmp_path / "again.h5")[0] == 0
    status, _, err = run("decompress", tmp_path / "x.inva", "-o", "-")
    assert status == 2 and "--to" in err


def test_verbs_that_write_files_only_say_so(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run("simulate", "phantoms", "-o", "-", "-n", 2)
    assert status == 1 and "name a file" in err and not list(tmp_path.iterdir())


def test_what_a_picture_does_not_hold_is_said(tmp_path, run):
    description = "exposure 3 s"
    tifffile.imwrite(tmp_path / "f.tif", np.ones((4, 5), np.uint16), description=description, metadata=None)
    assert run("compress", tmp_path / "f.tif", "-o", tmp_path / "f.inva")[0] == 0
    for words, where in (
        (("get", "0", tmp_path / "f.inva", "-o", tmp_path / "g.tif"), "g.tif"),
        (("decompress", tmp_path / "f.inva", "-o", tmp_path / "out", "--to", ".npy"), "out/*.npy"),
    ):
        status, _, err = run(*words)
        assert status == 0 and f"{where}: values only, without header, metadata" in err
    status, _, err = run("get", "0", tmp_path / "f.inva", "-o", tmp_path / "g.h5")
    assert status == 0 and "values only" not in err
    with h5py.File(tmp_path / "g.h5") as file:
        assert description in str([file[name][()] for name in _data_sets(file)])


def _data_sets(file):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names
