"""Files that are written whole or not at all, by one writer at a time.

What is written goes to ``.NAME.tmp`` beside the target; ``.NAME.lock`` is held meanwhile, by a lock that dies
with its process. A second writer of the same target finds it held and is told; what a killed writer left is
removed by the next.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invae.data.arguments import file_path
from invae.errors import FileError, InvaeError

try:
    import fcntl
except ImportError:  # Windows: two writers there are not told of each other before one of them ends
    fcntl = None  # type: ignore[assignment]

__all__ = ["atomic_path", "is_open_at", "lock", "open_locked", "settle", "unwritten"]


@contextmanager
def atomic_path(path: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is renamed to ``path``, on failure removed.

    Raises
    ------
    FileError
        ``path`` exists and ``overwrite`` is false, its folder does not exist, another writer is at
        work on it, or the disk is full.
    """
    target = file_path(path)
    if target.exists() and not overwrite:
        raise FileError(f"{target} exists already; choose another name or allow overwriting (--force)")
    if not target.parent.is_dir():
        raise FileError(f"cannot write {target}: the folder {target.parent} does not exist; create it first")
    if target.exists() and not target.is_file():
        raise FileError(f"cannot write {target}: it is no regular file; name one")
    # A lock of its own: HDF5 locks what it reads and writes.
    guard = target.with_name(f".{target.name}.lock")
    temporary = target.with_name(f".{target.name}.tmp{target.suffix}")
    held = open_locked(guard, target)
    try:
        # Never an old one: it may be another name of the target itself.
        temporary.unlink(missing_ok=True)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        settle(temporary, target, overwrite)
    except OSError as error:
        if isinstance(error, InvaeError) or error.filename not in (None, str(temporary)):
            raise
        raise unwritten(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)
        if fcntl is None:
            os.close(held)
        guard.unlink(missing_ok=True)
        if fcntl is not None:
            os.close(held)


def lock(file: int, target: Path) -> None:
    """Hold an open file until it is closed.

    Raises
    ------
    FileError
        Another process, or another call in this one, holds it.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            return  # a file system without locks
        raise FileError(
            f"cannot write {target}: another program is writing it now; wait for it, or choose another name"
        ) from error


def unwritten(target: Path, error: OSError, left: str = "nothing was written") -> FileError:
    """The sentence for what the system or a library said while ``target`` was written."""
    # NumPy tells a full disk in words of its own, without a number.
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "requested and" in str(error)
    if full:
        where = target.parent.resolve()
        return FileError(
            f"cannot write {target}: no space left in {where}; {left}: free some, or choose another folder"
        )
    return FileError(f"cannot write {target}: {error.strerror or error}; {left}")


def open_locked(path: Path, target: Path) -> int:
    """Open a file, made where it is missing, that is held until it is closed; see `lock`.

    Who removes or renames it does so before closing it.
    """
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise unwritten(target, error) from error
        try:
            lock(file, target)
            if is_open_at(file, path):  # else the one that held it has removed or renamed it meanwhile
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def is_open_at(file: int, path: Path) -> bool:
    """Whether ``path`` still names the open file."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except OSError:
        return False


def settle(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give ``temporary`` the name ``target``, which without ``overwrite`` must not exist."""
    if not overwrite and hasattr(os, "link"):
        try:
            os.link(temporary, target)
            return
        except FileExistsError as error:
            raise FileError(
                f"{target} appeared while it was being written; choose another name or allow overwriting "
                "(--force)"
            ) from error
        except OSError:
            pass  # a file system without hard links
    os.replace(temporary, target)
