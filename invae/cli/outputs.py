"""Records and arrays to files that people can open; the ending of the name chooses the format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import check_output, one_line, plural
from invae.errors import FormatError, InputError

__all__ = ["Ending", "curve_text", "file_stems", "to_folder", "write_each", "write_item", "write_items"]

RECORD_ENDINGS = (".h5", ".hdf5", ".hdf", ".nxs", ".xml", ".dat", ".txt", ".csv", ".abs", ".pdh", ".tsv")
VALUE_ENDINGS = (".npy", ".tif", ".tiff")


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

    if output.is_dir() or not split_inner_path(output)[0].suffix:
        return True
    check_output(output, overwrite)
    if ending is not None:
        raise typer.BadParameter(f"--to is for folders; {output} names its own format")
    return False


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
    """Write one record with all that it holds, or (.npy, .tif, and any array) its values only."""
    from invae.data import write, write_array

    if isinstance(item, np.ndarray):
        return write_array(path, item, overwrite)
    if path.suffix.lower() in VALUE_ENDINGS:
        return write_array(path, np.asarray(item.values), overwrite)
    return write(item, path, overwrite=overwrite)


def write_each(
    folder: Path, names: Sequence[str], items: Iterable[Any], ending: str | None, overwrite: bool
) -> int:
    """One file for every item; by default text for curves, HDF5 for frames, .npy for arrays.

    A curve that text cannot hold without loss goes to HDF5 when no ending was asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for stem, item in zip(file_stems(names), items):
        suffix = ending or (
            ".npy" if isinstance(item, np.ndarray) else ".dat" if hasattr(item, "q") else ".h5"
        )
        try:
            write_item(folder / f"{stem}{suffix}", item, overwrite)
        except (FormatError, InputError):
            if ending or suffix != ".dat":
                raise
            write_item(folder / f"{stem}.h5", item, overwrite)
        count += 1
    return count


def file_stems(names: Sequence[str]) -> Iterator[str]:
    """Names made safe for files, all different on systems that do not tell upper from lower case.

    Examples
    --------
    >>> list(file_stems(["run 1", "run/1", "RUN_1", ""]))
    ['run_1', 'run_1_2', 'RUN_1_3', 'record']
    """
    taken: set[str] = set()
    for name in names:
        stem = base = re.sub(r"[^\w.+#=-]+", "_", name).strip("._") or "record"
        count = 1
        while stem.lower() in taken:
            count += 1
            stem = f"{base}_{count}"
        taken.add(stem.lower())
        yield stem
