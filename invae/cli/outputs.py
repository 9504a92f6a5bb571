"""Records and arrays to files that people can open; the ending of the name chooses the format."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import check_output, one_line, plural, say
from invae.errors import FormatError, InputError

__all__ = [
    "STDOUT",
    "Ending",
    "curve_text",
    "file_stems",
    "to_folder",
    "to_stdout",
    "write_each",
    "write_item",
    "write_items",
]

RECORD_ENDINGS = (".h5", ".hdf5", ".hdf", ".nxs", ".xml", ".dat", ".txt", ".csv", ".abs", ".pdh", ".tsv")
VALUE_ENDINGS = (".npy", ".tif", ".tiff")
STDOUT = "-"
LONGEST = 200  # bytes of a name; file systems take 255, some of which the ending and the temporary file need


def _known_ending(text: str | None) -> str | None:
    if text is None:
        return None
    ending = f".{text.removeprefix('.').lower()}"
    if ending not in RECORD_ENDINGS + VALUE_ENDINGS:
        raise typer.BadParameter(f"{text} is not among {', '.join(RECORD_ENDINGS + VALUE_ENDINGS)}")
    return ending


Ending = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="In a folder: ending of the files, e.g. .h5, .dat, .xml, .npy.",
        callback=_known_ending,
    ),
]


def to_folder(output: Path, ending: str | None, overwrite: bool) -> bool:
    """Whether a folder is meant and not one file; that is checked here, before any work is done."""
    from invae.data.arrays.files import split_inner_path

    if str(output) == STDOUT:
        if ending is None:
            raise typer.BadParameter("-o - needs --to, which names the format, e.g. --to .h5")
        return False
    if output.is_dir() or not split_inner_path(output)[0].suffix:
        return True
    check_output(output, overwrite)
    if ending is not None:
        raise typer.BadParameter(f"--to is for folders; {output} names its own format")
    return False


@contextmanager
def to_stdout(output: Path, ending: str) -> Iterator[Path]:
    """Where to write what is meant for ``output``; with ``-`` it goes to stdout when it is whole."""
    if str(output) != STDOUT:
        yield output
        return
    if sys.stdout.isatty():
        raise InputError("-o - writes bytes, which a terminal cannot show; name a file, or pipe them on")
    with TemporaryDirectory(prefix="invae-") as folder:
        file = Path(folder) / f"stdout{ending}"
        yield file
        with open(file, "rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def write_items(
    output: Path,
    folder: bool,
    names: Sequence[str],
    items: Sequence[Any],
    ending: str | None,
    overwrite: bool,
) -> str:
    """All items to a folder, or to one file that can hold them; says how many of what."""
    from invae.data import write

    if folder:
        return plural(write_each(output, names, items, ending, overwrite), "file")
    if len(names) == 1:
        write_item(output, items[0], overwrite)
        return plural(1, "array" if isinstance(items[0], np.ndarray) else "record")
    if isinstance(items[0], np.ndarray) or output.suffix.lower() not in RECORD_ENDINGS:
        what = "array" if isinstance(items[0], np.ndarray) else "record"
        raise InputError(
            f"{output} cannot hold {plural(len(names), what)}; give a folder, or for records .h5 or .xml"
        )
    write(list(items), output, overwrite=overwrite)
    return plural(len(names), "record")


def curve_text(curve: Any) -> str:
    """A curve as tab-separated columns under ``#`` lines with name and units; numbers read back exactly."""
    columns = {"q": curve.q, "I": curve.intensity, "dI": curve.sigma, "dQ": curve.dq, "mask": curve.mask}
    columns = {name: values for name, values in columns.items() if values is not None}
    columns |= {name: values for name, values in curve.columns.items() if values.shape == curve.q.shape}
    units = {"q": curve.units.get("q"), "I": curve.units.get("intensity")}
    heads = [f"{name} [{units[name]}]" if units.get(name) else name for name in columns]
    lines = [f"# {one_line(curve.name)}", "# " + "\t".join(heads)]
    lines += ["\t".join(repr(value.item()) for value in row) for row in zip(*columns.values())]
    return "\n".join(lines) + "\n"


def write_item(path: Path, item: Any, overwrite: bool) -> Path:
    """Write one record with all that it holds, or (.npy, .tif, and any array) its values only, and say so."""
    written, left_out = _write(path, item, overwrite)
    _say_left_out(str(path), left_out)
    return written


def write_each(
    folder: Path, names: Sequence[str], items: Iterable[Any], ending: str | None, overwrite: bool
) -> int:
    """One file for every item; by default text for curves, HDF5 for frames, .npy for arrays.

    A curve that text cannot hold without loss goes to HDF5 when no ending was asked for.
    """
    count, left_out = 0, set()
    with _folder(folder):
        for stem, item in zip(file_stems(names), items):
            suffix = ending or (
                ".npy" if isinstance(item, np.ndarray) else ".dat" if hasattr(item, "q") else ".h5"
            )
            try:
                left_out |= _write(folder / f"{stem}{suffix}", item, overwrite)[1]
            except (FormatError, InputError):
                if ending or suffix != ".dat":
                    raise
                _write(folder / f"{stem}.h5", item, overwrite)
            count += 1
    _say_left_out(f"{folder}/*{ending}", left_out)
    return count


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """A folder for outputs, made where it is missing; taken away again when nothing could be written."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # not empty: whole files stay
                folder.rmdir()
        raise


def _write(path: Path, item: Any, overwrite: bool) -> tuple[Path, set[str]]:
    """Write an item; what of it the file does not hold."""
    from invae.data import write, write_array

    if isinstance(item, np.ndarray):
        return write_array(path, item, overwrite), set()
    if path.suffix.lower() not in VALUE_ENDINGS:
        return write(item, path, overwrite=overwrite), set()
    values = "intensity" if hasattr(item, "q") else "data"
    left_out = {name.removeprefix("columns/") for name in item.arrays()} - {values}
    left_out |= {name for name in ("header", "metadata", "units") if _says(getattr(item, name))}
    return write_array(path, np.asarray(item.values), overwrite), left_out


def _says(value: Any) -> bool:
    """Whether a header, metadata or units state anything."""
    return any(entry is not None for entry in value.values()) if hasattr(value, "values") else bool(value)


def _say_left_out(where: str, left_out: set[str]) -> None:
    if left_out:
        say(f"{where}: values only, without {', '.join(sorted(left_out))}; .h5 keeps everything")


def file_stems(names: Sequence[str]) -> Iterator[str]:
    """Names as they are, but for what no system allows in the name of a file.

    All are different, also on systems that do not tell upper from lower case.

    Examples
    --------
    >>> list(file_stems(["run 1 [a]", "run/1", "RUN_1", ""]))
    ['run 1 [a]', 'run_1', 'RUN_1_2', 'record']
    """
    taken: set[str] = set()
    for name in names:
        base = re.sub(r'[\x00-\x1f\x7f/\\<>:"|?*]+', "_", name).strip(". ")
        stem = base = base.encode()[:LONGEST].decode(errors="ignore") or "record"
        count = 1
        while stem.lower() in taken:
            count += 1
            stem = f"{base}_{count}"
        taken.add(stem.lower())
        yield stem
