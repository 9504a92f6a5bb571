import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from invae import kernel_cache

ROOT = Path(__file__).parents[1]


@pytest.fixture
def only_temporary(tmp_path, monkeypatch):
    """A machine where neither the package nor the home folder can be written."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(kernel_cache.os, "access", lambda path, mode: False)
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
    monkeypatch.setattr(kernel_cache.os, "access", lambda path, mode: False)
    kernel_cache.provide_cache(tmp_path)
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
    monkeypatch.undo()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    kernel_cache.provide_cache(tmp_path)
    assert "NUMBA_CACHE_DIR" not in os.environ


@pytest.mark.slow  # compiles kernels for a minute
def test_a_read_only_installation_without_a_home_works(tmp_path):
    package, readonly = tmp_path / "package", tmp_path / "readonly"
    shutil.copytree(ROOT / "invae", package / "invae", ignore=shutil.ignore_patterns("__pycache__"))
    readonly.mkdir()
    if subprocess.run(["mount", "--bind", package, readonly], capture_output=True).returncode:
        pytest.skip("no right to mount a folder here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", readonly], check=True)
        (tmp_path / "tmp").mkdir()
        nowhere = {
            "HOME": "/proc/nowhere",
            "XDG_CACHE_HOME": "/proc/nowhere",
            "TMPDIR": str(tmp_path / "tmp"),
        }
        code = "import invae; print(len(invae.compress(list(range(100)))))"
        environment = os.environ | nowhere | {"PYTHONPATH": str(readonly), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("NUMBA_CACHE_DIR", None)
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert found.returncode == 0, found.stderr[-1000:]
        assert any((tmp_path / "tmp").glob("invae-kernels-*/*/*.nbc"))
    finally:
        subprocess.run(["umount", readonly], check=True)
