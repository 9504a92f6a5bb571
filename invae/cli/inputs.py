"""What a file on the command line holds: records of scattering data, or a plain array."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from invae.cli.console import say
from invae.errors import FileError, FormatError, InputError, InvaeError, ModelError

__all__ = [
    "STDIN",
    "Inputs",
    "KeepGoing",
    "codec_model",
    "gather",
    "kind_of",
    "load_data",
    "load_inputs",
    "open_archive",
    "stored_shape",
]

STDIN = "-"
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Name files that cannot be read and go on with the others.")
]

ARRAY_HEADS = (b"\x93NUMPY",)
HDF5_HEAD = b"\x89HDF\r\n\x1a\n"
_KINDS = {
    "invae-model": "model",
    "invae-simulated-curves": "simulated curves",
    "invae-simulated-frames": "simulated frames",
}
TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def kind_of(path: str | Path) -> str:
    """What a file is, by content: archive, model, simulated curves or frames, array, or (other) data."""
    from invae.data.arrays.files import split_inner_path

    file, _ = split_inner_path(path)
    if file.is_dir():
        raise FileError(f"{file} is a folder, expected a file")
    if not file.is_file():
        raise FileError(f"no file at {file}")
    try:
        with open(file, "rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise FileError(f"cannot read {file}: {error.strerror or error}") from error
    if head.startswith(b"INVA"):
        return "archive"
    if head.startswith(ARRAY_HEADS):
        return "array"
    return _KINDS.get(_hdf5_format(file), "data") if head == HDF5_HEAD else "data"


def load_data(
    path: str | Path,
    q_unit: str | None = None,
    opened: ExitStack | None = None,
    lazy: bool | None = None,
) -> Any:
    """Records of a scattering file, or the array of a .npy, HDF5 or TIFF file that holds no records.

    With ``opened`` an array stays on disk, to be read where it is sliced until that is closed; with ``lazy``
    the images of records do, too.
    """
    from invae.data import read, read_array
    from invae.data.arrays.rows import open_rows

    kind = kind_of(path)
    if kind == "array":
        return read_array(path)
    if kind in ("simulated curves", "simulated frames"):
        from invae.data.simulation.sets import SimulatedCurves, SimulatedFrames

        simulated = SimulatedCurves if kind == "simulated curves" else SimulatedFrames
        return simulated.read(path).records()
    if kind != "data":
        raise FormatError(f"{path} is an invae {kind}, expected measured data")
    try:
        return read(path, q_unit=q_unit, lazy=lazy)
    except FormatError as error:
        if not _may_be_array(path):
            raise
        try:
            return read_array(path) if opened is None else opened.enter_context(open_rows(path))
        except InvaeError:
            raise error from None


def codec_model(path: str | None, default: Any = None) -> Any:
    """The compression model of a file; ``none`` is no model, ``fast`` the package's faster one.

    Without a path it is ``default``.
    """
    if path is None:
        return default
    if path == "none":
        return None
    from invae.codec import CodecModel, fast_model
    from invae.persistence import load

    if path == "fast":
        return fast_model()
    if (kind := kind_of(path)) != "model":
        raise ModelError(f"{path} is no model but holds {kind}; name a file written by invae train")
    model = load(path)
    if not isinstance(model, CodecModel):
        raise ModelError(f"{path} holds a {type(model).__name__}, not a compression model; see invae train")
    return model


class Inputs(NamedTuple):
    """What files hold, in the form `invae.compress` takes; their size in bytes; how many were passed over."""

    content: Any
    n_bytes: int
    n_failed: int


def load_inputs(
    paths: Sequence[Path],
    q_unit: str | None = None,
    opened: ExitStack | None = None,
    keep_going: bool = False,
) -> Inputs:
    """Everything that several files, folders, patterns or stdin (``-``, needs ``opened``) hold.

    One array stays an array (on disk with ``opened``, see `load_data`), several become a dict by file name;
    records become one list; where both come together the arrays become frames. Files of one name in several
    folders are told apart by the folder. With ``keep_going`` a file that cannot be read is named on stderr.
    """
    from invae.data import Frame
    from invae.data.arrays.files import split_inner_path

    files = gather(paths, opened)
    names = _distinct_names([split_inner_path(path)[0] for path in files])
    loaded: list[tuple[str, str, Any]] = []
    size, seen = 0, set()
    for path, name in zip(files, names):
        try:
            data = load_data(path, q_unit, opened if len(files) == 1 else None)
        except InvaeError as error:
            told = str(error) if str(path) in str(error) else f"{path}: {error}"
            if not keep_going:
                raise type(error)(told) from error
            say(f"invae: {told}")
            continue
        file = split_inner_path(path)[0]
        loaded.append((name, file.stem, data))
        if file.resolve() not in seen:
            seen.add(file.resolve())
            size += file.stat().st_size
    n_failed = len(files) - len(loaded)
    if not loaded:
        raise InputError(f"none of {len(files)} files could be read; the lines above say why")
    if len(files) == 1:
        return Inputs(loaded[0][2], size, n_failed)
    if all(isinstance(data, np.ndarray) for *_, data in loaded):
        return Inputs({name: data for name, _, data in loaded}, size, n_failed)
    records: list[Any] = []
    for name, stem, data in loaded:
        if isinstance(data, np.ndarray):
            records.append(Frame(data, name=name))
        else:
            records += [_told_apart(record, stem, name) for record in data]
    return Inputs(records, size, n_failed)


def gather(paths: Sequence[Path], opened: ExitStack | None = None) -> list[Path]:
    """The files that a command line names: a folder stands for the files in it and below, a pattern with
    ``*``, ``?`` or ``[]`` for those it fits, ``-`` for stdin.

    Raises
    ------
    FileError
        A folder or a pattern without any file.
    """
    from invae.data.arrays.files import split_inner_path

    found: list[Path] = []
    for path in paths:
        if str(path) == STDIN and opened is not None:
            found.append(_stdin_file(opened))
            continue
        file = split_inner_path(path)[0]
        if file.is_dir():
            found += _files_below(file)
        elif not file.exists() and set("*?[") & set(str(path)):
            matches = [Path(match) for match in sorted(glob(str(path), recursive=True))]
            if not matches:
                raise FileError(f"no file fits the pattern {path}")
            for match in matches:
                found += _files_below(match) if match.is_dir() else [match]
        else:
            found.append(path)
    return found


def open_archive(path: Path, model: str | None = None) -> Any:
    """The archive at a path, or on stdin (``-``), with the compression model of a file."""
    from invae.codec import Archive

    return Archive(sys.stdin.buffer.read() if str(path) == STDIN else path, codec_model(model))


def _told_apart(record: Any, stem: str, name: str) -> Any:
    """The record; one that is named after its file gets the name that tells the files apart."""
    if name == stem or record.name.partition("/")[0] != stem:
        return record
    return record.replace(name=name + record.name.removeprefix(stem))


def stored_shape(state: Any) -> tuple[int, ...] | None:
    """Shape of one measurement in the header of a stored model, where it is said."""
    if isinstance(state, dict):
        if isinstance(shape := state.get("shape_y", state.get("shape_y_")), list):
            return tuple(shape)
        state = list(state.values())
    if isinstance(state, list):
        return next((shape for item in state if (shape := stored_shape(item)) is not None), None)
    return None


def _files_below(folder: Path) -> list[Path]:
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise FileError(f"the folder {folder} holds no file")
    return files


def _stdin_file(opened: ExitStack) -> Path:
    """What arrives on stdin, in a file that is there until ``opened`` is closed."""
    file = Path(opened.enter_context(TemporaryDirectory(prefix="invae-"))) / "stdin"
    with open(file, "wb") as target:
        shutil.copyfileobj(sys.stdin.buffer, target)
    return file


def _distinct_names(files: Sequence[Path]) -> list[str]:
    """Names of files without their endings; with as many folders in front as tell them apart.

    Examples
    --------
    >>> _distinct_names([Path("a/run 1.npy"), Path("b/run 1.npy"), Path("b/[x].npy"), Path("b/[x].npy")])
    ['a/run 1', 'b/run 1', '[x]', '[x]#2']
    """
    stems = [file.resolve().with_suffix("").parts for file in files]
    names = []
    for own in stems:
        same = {other for other in stems if other[-1] == own[-1]}
        depth = 1
        while len({other[-depth:] for other in same}) < len(same):
            depth += 1
        names.append("/".join(own[-depth:]))
    taken: dict[str, int] = {}
    for k, name in enumerate(names):
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            names[k] = f"{name}#{taken[name]}"
    return names


def _hdf5_format(file: Path) -> str:
    import h5py

    try:
        with h5py.File(file, "r") as h5:
            return str(h5.attrs.get("format", ""))
    except OSError:
        return ""


def _may_be_array(path: str | Path) -> bool:
    from invae.data.arrays.files import split_inner_path

    file, _ = split_inner_path(path)
    with open(file, "rb") as stream:
        head = stream.read(8)
    return head == HDF5_HEAD or head.startswith(TIFF_HEADS)
