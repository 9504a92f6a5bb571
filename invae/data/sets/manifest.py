"""Public data sets by name: source, hash and licence, and a download when one is asked for.

Nothing here runs by itself. `fetch` is the only function that opens a connection; every byte that it accepts
has the SHA-256 of the manifest, and what is in the cache is not fetched again.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from invae.data.arguments import file_path, one_of
from invae.data.arrays.atomic import atomic_path
from invae.errors import FileError, FormatError

__all__ = ["DataFile", "DataSet", "cache_folder", "data_sets", "fetch"]

MANIFEST = Path(__file__).with_name("manifest.toml")
TIMEOUT_S = 30.0
CHUNK = 1 << 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataFile:
    """One file: name in the cache, address, SHA-256, size; for .gz also the SHA-256 of what is inside."""

    name: str
    url: str
    sha256: str
    n_bytes: int
    content_sha256: str | None = None


@dataclass(frozen=True)
class DataSet:
    """An entry of the manifest; ``reader`` names the function that reads its files."""

    name: str
    title: str
    homepage: str
    licence: str
    cite: str
    reader: str
    files: tuple[DataFile, ...]

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files)


def data_sets(path: str | os.PathLike[str] = MANIFEST) -> dict[str, DataSet]:
    """All data sets by name, from manifest.toml.

    Raises
    ------
    FileError
        There is no such file.
    FormatError
        The file is not TOML, or an entry lacks a field.
    """
    manifest = file_path(path)
    if not manifest.is_file():
        raise FileError(f"no manifest of data sets at {manifest}")
    try:
        with open(manifest, "rb") as file:
            entries = tomllib.load(file)
        return {name: _data_set(name, entry) for name, entry in entries.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: not a manifest of data sets: {error}") from error


def cache_folder() -> Path:
    """Where fetched files are kept: $INVAE_CACHE, or invae/ in $XDG_CACHE_HOME, or ~/.cache/invae."""
    if "INVAE_CACHE" in os.environ:
        return Path(os.environ["INVAE_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "invae"


def fetch(
    name: str,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    manifest_path: str | os.PathLike[str] = MANIFEST,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Paths of the files of a data set, downloaded into the cache where they are not yet in it.

    Parameters
    ----------
    name : str
        A name of the manifest.
    cache_dir : path, optional
        Folder of the cache, `cache_folder` by default; files lie in its subfolder ``name``.
    progress : callable, optional
        Called with (bytes so far, bytes in all) of each file while it downloads.

    Raises
    ------
    InputError
        The manifest has no such name.
    FileError
        A file cannot be downloaded, or what arrived or lies in the cache has another hash. The message says
        where to put a copy by hand.
    """
    known = data_sets(manifest_path)
    one_of(name, sorted(known), "data set")
    folder = Path(cache_dir if cache_dir is not None else cache_folder()) / name
    return [_fetch_file(file, folder / file.name, progress) for file in known[name].files]


def _data_set(name: str, entry: dict[str, Any]) -> DataSet:
    files = tuple(
        DataFile(item["name"], item["url"], item["sha256"], item["bytes"], item.get("content_sha256"))
        for item in entry["files"]
    )
    told = {key: entry[key] for key in ("title", "homepage", "licence", "cite", "reader")}
    return DataSet(name=name, **told, files=files)


def _fetch_file(file: DataFile, path: Path, progress: Callable[[int, int], None] | None) -> Path:
    # The network library is loaded by the one function that needs it.
    import urllib.request
    from http.client import HTTPException

    if path.exists():
        if not _is_the_file(path, file):
            raise FileError(
                f"{path} does not have the SHA-256 {file.sha256} of the manifest; delete it and fetch again"
            )
        return path
    if file.url.partition("://")[0] not in ("https", "http", "file"):
        raise FileError(f"{file.url} is no address that invae downloads from; use https, http or file")
    path.parent.mkdir(parents=True, exist_ok=True)
    logger.info("fetching %s (%d bytes)", file.url, file.n_bytes)
    by_hand = f"without a network, put a copy with SHA-256 {file.sha256} at {path}"
    with atomic_path(path) as temporary:
        try:
            with (
                urllib.request.urlopen(file.url, timeout=TIMEOUT_S) as source,
                open(temporary, "wb") as target,
            ):
                _copy(source, target, file, progress)
        except (HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise FileError(f"cannot download {file.url}: {reason}; {by_hand}") from error
        if not _is_the_file(temporary, file):
            raise FileError(
                f"{file.url} gave other bytes than the manifest's SHA-256, nothing was kept; {by_hand}"
            )
    return path


def _copy(
    source: BinaryIO, target: BinaryIO, file: DataFile, progress: Callable[[int, int], None] | None
) -> None:
    """Copy at most one chunk more than the manifest's size, so that a wrong address cannot fill the disk."""
    done = 0
    while done <= file.n_bytes and (chunk := source.read(CHUNK)):
        target.write(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, file.n_bytes)


def _is_the_file(path: Path, file: DataFile) -> bool:
    """Right bytes; of a gzip file also right bytes inside, since a recompressed copy is as good."""
    with open(path, "rb") as raw:
        if hashlib.file_digest(raw, "sha256").hexdigest() == file.sha256:
            return True
    if file.content_sha256 is None:
        return False
    try:
        with gzip.open(path) as unzipped:
            return hashlib.file_digest(unzipped, "sha256").hexdigest() == file.content_sha256
    except (OSError, EOFError, zlib.error):
        return False
