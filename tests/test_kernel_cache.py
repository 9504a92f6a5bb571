import os
import tempfile
from pathlib import Path

import pytest

from invae import kernel_cache


@pytest.fixture
def only_temporary(tmp_path, monkeypatch):
    """A machine where neither the package nor the home folder can be written."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(kernel_cache, "_writable", lambda folder: False)
    yield tmp_path
    os.environ.pop("NUMBA_CACHE_DIR", None)


def test_where_nothing_else_can_be_written_kernels_are_kept_in_a_folder_of_ones_own(only_temporary):
    kernel_cache.provide_cache(Path("/package"))
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.parent == only_temporary and folder.stat().st_mode & 0o077 == 0
    del os.environ["NUMBA_CACHE_DIR"]
    kernel_cache.provide_cache(Path("/package"))
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_a_folder_that_others_can_write_to_is_not_trusted(only_temporary):
    prepared = only_temporary / f"invae-kernels-{os.getuid()}"
    prepared.mkdir()
    prepared.chmod(0o777)
    kernel_cache.provide_cache(Path("/package"))
    assert Path(os.environ["NUMBA_CACHE_DIR"]) != prepared


def test_numbas_own_places_and_the_users_word_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    monkeypatch.setattr(kernel_cache, "_writable", lambda folder: False)
    kernel_cache.provide_cache(tmp_path)
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
    monkeypatch.undo()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    kernel_cache.provide_cache(tmp_path)
    assert "NUMBA_CACHE_DIR" not in os.environ
