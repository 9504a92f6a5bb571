"""What a file on the command line holds: records of scattering data, or a plain array."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from invae.errors import FileError, FormatError, InvaeError, ModelError

__all__ = ["codec_model", "kind_of", "load_data", "load_inputs"]

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


def load_inputs(
    paths: list[Path], q_unit: str | None = None, opened: ExitStack | None = None
) -> tuple[Any, int]:
    """Everything that several files hold, in the form `invae.compress` takes, and the files' size in bytes.

    One array stays an array (on disk with ``opened``, see `load_data`), several become a dict by file stem;
    records become one list; where both come together the arrays become frames.
    """
    from invae.data import Frame
    from invae.data.arrays.files import split_inner_path

    if len(paths) == 1:
        data = load_data(paths[0], q_unit, opened)
        return data, split_inner_path(paths[0])[0].stat().st_size
    loaded = [(split_inner_path(path)[0], load_data(path, q_unit)) for path in paths]
    size = sum(file.stat().st_size for file in {file.resolve() for file, _ in loaded})
    arrays = [(file, data) for file, data in loaded if isinstance(data, np.ndarray)]
    if len(arrays) < len(loaded):
        records = []
        for file, data in loaded:
            records += (
                [Frame(data, name=file.stem, source=file.name)] if isinstance(data, np.ndarray) else data
            )
        return records, size
    named: dict[str, np.ndarray] = {}
    for file, array in arrays:
        name, count = file.stem, 1
        while name in named:
            count += 1
            name = f"{file.stem}#{count}"
        named[name] = array
    return named, size


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
