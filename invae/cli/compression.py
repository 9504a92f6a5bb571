"""``invae compress, list, get, decompress, verify``: archives within a promised error."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from invae.cli.console import (
    check_output,
    human_bytes,
    one_line,
    plural,
    print_json,
    progress,
    say,
    tell_compiling,
)
from invae.cli.inputs import STDIN, KeepGoing, codec_model, load_inputs, open_archive
from invae.cli.outputs import STDOUT, Ending, curve_text, to_folder, to_stdout, write_item, write_items
from invae.errors import InputError

__all__ = ["VERBS", "compress", "decompress", "get", "list_", "verify"]

ArchivePath = Annotated[
    Path, typer.Argument(metavar="OUT.inva", help="Archive written by invae compress; - is stdin.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Model = Annotated[
    str | None, typer.Option(help="Model that the archive was made with, if it is not invae's.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite outputs.")]


def compress(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Files, folders, patterns; scattering data or arrays (.npy, .h5[:/path], .tif); - is stdin.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Archive to write; - is stdout.")],
    bound: Annotated[
        str,
        typer.Option(
            help="0.25sigma | abs:X | rel:X | log:X | lossless, for every value; l2:X for a whole record."
        ),
    ] = "lossless",
    sigma_bound: Annotated[str, typer.Option(help="Bound on the error bars themselves.")] = "lossless",
    model: Annotated[
        str | None,
        typer.Option(help="Model of invae train, fast or none; default: the best one that invae brings."),
    ] = None,
    embed: Annotated[bool, typer.Option("--embed", help="Put the model into the archive.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Threads; the bytes do not depend on it.")] = 1,
    q_unit: Annotated[
        str | None, typer.Option(help="Unit of q where a file does not say, e.g. 1/nm.")
    ] = None,
    keep_going: KeepGoing = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Compress data files into one archive within an error bound."""
    from invae.codec import Archive, Bound, write_archive

    Bound.parse(bound)
    if str(output) != STDOUT:
        check_output(output, force, data)
    coder = codec_model(model, "default")
    options = {"sigma_bound": sigma_bound, "model": coder, "embed": embed, "jobs": jobs}
    if as_json and str(output) == STDOUT:
        raise typer.BadParameter("--json and -o - cannot both have stdout")
    tell_compiling()
    with ExitStack() as opened, to_stdout(output, ".inva") as target, progress("compressing") as update:
        content, size, n_failed = load_inputs(data, q_unit, opened, keep_going)
        write_archive(target, content, bound, overwrite=force, progress=update, **options)
        with Archive(target) as archive:
            facts = archive.info
    facts |= {"archive": str(output), "source_bytes": size, "ratio": size / max(1, facts["bytes"])}
    if as_json:
        print_json(facts)
    else:
        say(
            f"{output}: {plural(facts['records'], 'record')}, {human_bytes(size)} of files in "
            f"{human_bytes(facts['bytes'])} ({facts['ratio']:.3g} x), bound {facts['bound']}, "
            f"largest error {facts['max_error_in_bounds']:.3g} of it"
        )
    if n_failed:
        raise typer.Exit(1)


def list_(archive: ArchivePath, as_json: AsJson = False) -> None:
    """List the names of the records in an archive, one per line."""
    with open_archive(archive) as opened:
        names, facts = opened.names(), opened.info
    if as_json:
        print_json({"archive": str(archive), **facts, "names": names})
    else:
        typer.echo("\n".join(map(one_line, names)))


def get(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a record, or its number counted from 0.")
    ],
    archive: ArchivePath,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: text on stdout.")
    ] = None,
    model: Model = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Decode one record of an archive."""
    if output is not None and str(output) == STDOUT:
        output = None
    if output is not None:
        check_output(output, force)
    tell_compiling()
    with open_archive(archive, model) as opened:
        by_number = name not in opened.names() and re.fullmatch(r"-?\d+", name)
        record = opened[int(name) if by_number else name]
    if output is not None:
        write_item(output, record, force)
        say(
            f"{output}: {record!r}"
            if not isinstance(record, np.ndarray)
            else f"{output}: array {record.shape}"
        )
    elif as_json:
        arrays, rest = ({"values": record}, {}) if isinstance(record, np.ndarray) else record.to_parts()
        print_json({**rest, "arrays": arrays})
    elif isinstance(record, np.ndarray) or not hasattr(record, "q"):
        values = record if isinstance(record, np.ndarray) else np.asarray(record.values)
        if values.ndim > 2:
            raise InputError(
                f"{name} has shape {values.shape}, too much for text; write it with -o FILE.npy or .h5"
            )
        for row in np.atleast_2d(values):
            typer.echo("\t".join(str(value) for value in row))
    else:
        typer.echo(curve_text(record), nl=False)


def decompress(
    archive: ArchivePath,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A folder, one .h5 or .xml file for all records, or - for stdout."
        ),
    ],
    ending: Ending = None,
    model: Model = None,
    force: Force = False,
) -> None:
    """Write everything an archive holds to files."""
    from invae.data.arrays.rows import identity

    folder = to_folder(output, ending, force)
    tell_compiling()
    with to_stdout(output, ending or "") as target, open_archive(archive, model) as opened:
        if opened.directory.container == "stack":
            if folder:
                target.mkdir(parents=True, exist_ok=True)
                target /= f"{opened.names()[0]}{ending or '.npy'}"
            source = opened.info if str(archive) == STDIN else identity(archive)
            write_stack(target, opened, {"archive": source, "model": model}, force)
            return
        written = write_items(target, folder, opened.names(), opened, ending, force)
    say(f"{output}: {written} written")


def write_stack(output: Path, archive: Any, job: dict[str, Any], force: bool) -> None:
    """One array that was cut into blocks of rows: written block by block, or continued."""
    from invae.data.arrays.rows import RowWriter

    shapes, dtype = archive.block_shapes()
    ends = np.cumsum([0] + [shape[0] for shape in shapes])
    shape = (int(ends[-1]), *shapes[0][1:])
    with RowWriter(output, shape, dtype, job, force) as out, progress("decompressing") as update:
        first = int(np.searchsorted(ends, out.done, side="right")) - 1
        out.rewind(int(ends[first]))
        for k in range(first, len(shapes)):
            out.write(archive[k])
            update(out.done, shape[0])
    say(f"{output}: array {shape}")


def verify(archive: ArchivePath, model: Model = None, as_json: AsJson = False) -> None:
    """Check every checksum and decode every record of an archive."""
    tell_compiling()
    with open_archive(archive, model) as opened, progress("verifying") as update:
        facts = opened.verify(update)
    if as_json:
        print_json({"archive": str(archive), "verified": True, **facts})
    else:
        typer.echo(
            f"{archive}: {plural(facts['records'], 'record')} sound, bound {facts['bound']}, "
            f"largest error {facts['max_error_in_bounds']:.3g} of it when it was written"
        )


list_.__name__ = "list"
VERBS = (compress, list_, get, decompress, verify)
