"""Talk on stderr, data on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from invae.errors import FileError

__all__ = [
    "check_output",
    "human_bytes",
    "one_line",
    "parse_shape",
    "plural",
    "print_json",
    "print_table",
    "progress",
    "say",
    "stop_telling",
    "tell_compiling",
]


_listening: list[Any] = []  # to numba, while a verb runs


def say(text: str) -> None:
    """One line for the user, on stderr."""
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout; NaN and infinities become null."""
    typer.echo(json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False))


def print_table(rows: list[dict[str, Any]], title: str = "") -> None:
    """A table on stdout: drawn for a terminal; for a pipe tab-separated, the title behind ``#``."""
    from invae.evaluation.results import Table, format_value

    table = Table("", "", rows)
    cells = [[one_line(format_value(row.get(column))) for column in table.columns] for row in rows]
    if not sys.stdout.isatty():
        if title:
            typer.echo(f"# {title}")
        for line in [table.columns, *cells]:
            typer.echo("\t".join(line))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text  # as it stands: a [b] or :a: in a name is no markup

    drawn = Drawn(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", header_style="bold")
    for column in table.columns:
        numeric = any(isinstance(value, int | float) for value in table.column(column))
        drawn.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for line in cells:
        drawn.add_row(*map(Text, line))
    Console().print(drawn)


@contextmanager
def progress(text: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr when that is a terminal; yields ``update(done, total)``."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def tell_compiling() -> None:
    """Say once on stderr when kernels are compiled, which takes long and happens once on a machine."""
    from numba.core import event

    class Teller(event.Listener):
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told:
                self.told = True
                say(
                    "compiling what this kind of data needs: some ten seconds, once on this machine "
                    "(invae warm does it ahead)"
                )

        def on_end(self, event: Any) -> None:
            pass

    stop_telling()
    _listening.append(Teller())
    event.register("numba:compile", _listening[0])


def stop_telling() -> None:
    """The end of `tell_compiling`."""
    if _listening:
        from numba.core import event

        event.unregister("numba:compile", _listening.pop())


def check_output(path: str | os.PathLike[str], force: bool, sources: Iterable[Path] = ()) -> Path:
    """Refuse an output that exists (without --force) or whose folder is closed, before any work is done.

    One that is among ``sources``, the data that go in, is refused even with --force.
    """
    from invae.data.arrays.files import split_inner_path

    if str(path) == "-":
        raise FileError("- (stdout) is no output that this verb has; name a file")
    path = split_inner_path(path)[0]
    if path.resolve() in {split_inner_path(source)[0].resolve() for source in sources}:
        raise FileError(f"{path} is among the data that go in and would be lost; choose another name")
    if path.is_dir():
        raise FileError(f"{path} is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise FileError(f"{path} is no regular file; name one, or - for stdout where the verb has it")
    if path.exists() and not force:
        raise FileError(f"{path} exists already; choose another name or allow overwriting with --force")
    if not path.parent.is_dir():
        raise FileError(f"cannot write {path}: the folder {path.parent} does not exist; create it first")
    if not os.access(path.parent, os.W_OK):
        raise FileError(
            f"cannot write {path}: no permission to write into {path.parent.resolve()}; choose another"
        )
    return path


def one_line(text: str) -> str:
    """A name from a file as it may be printed: line breaks, tabs and control characters become spaces.

    Examples
    --------
    >>> one_line("run\\t1\\nof 2")
    'run 1 of 2'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def parse_shape(text: str, n_axes: int | None = None) -> tuple[int, ...]:
    """``64x64`` as a shape.

    Examples
    --------
    >>> parse_shape("64x48"), parse_shape("100", 1)
    ((64, 48), (100,))
    """
    sides = text.replace(" ", "").split("x")
    if not all(side.isdecimal() and int(side) > 0 for side in sides) or n_axes not in (None, len(sides)):
        example = "64" if n_axes == 1 else "64x64"
        raise typer.BadParameter(f"--shape {text} is not of the form {example}")
    return tuple(map(int, sides))


def human_bytes(count: float) -> str:
    """Size for people.

    Examples
    --------
    >>> human_bytes(512), human_bytes(20_480), human_bytes(3_500_000)
    ('512 bytes', '20.5 kB', '3.5 MB')
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f} bytes"


def plural(count: int, noun: str) -> str:
    """A number with its noun.

    Examples
    --------
    >>> plural(1, "record"), plural(2, "record")
    ('1 record', '2 records')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _plain(value: Any) -> Any:
    import math

    import numpy as np

    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
