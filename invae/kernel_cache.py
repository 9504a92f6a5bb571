"""Where compiled kernels are kept, so that they are compiled once and not on every start.

numba keeps them beside the code, or in the user's cache where the installation is read-only, and refuses to
work where neither can be written, as in many containers. There a folder of the user's own in the folder for
temporary files stands in, unless NUMBA_CACHE_DIR names another.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["provide_cache"]


def provide_cache(package: Path) -> None:
    """Set NUMBA_CACHE_DIR, if it is not set and numba would find no place for the kernels of ``package``."""
    if "NUMBA_CACHE_DIR" in os.environ or os.access(package, os.W_OK | os.X_OK):
        return
    if _writable(_users_cache()):
        return
    # Kernels are code: the folder must be one that nobody else can write to.
    owner = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"invae-kernels-{owner}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
        if folder.is_symlink() or facts.st_uid != owner or facts.st_mode & 0o077:
            folder = Path(tempfile.mkdtemp(prefix="invae-kernels-"))
    except OSError:
        return  # nowhere to write at all; numba says so
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


def _users_cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else Path(os.path.expanduser("~")) / ".cache"


def _writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which may have to be made itself."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
