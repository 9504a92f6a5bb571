"""The ``invae`` command: verbs from one file per group, one place where errors become sentences.

Data go to stdout, talk goes to stderr. Exit status: 0 done, 1 could not be done (one sentence says why),
2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from invae.cli import (
    calibration,
    compression,
    conversion,
    datasets,
    evaluation,
    information,
    reconstruction,
    simulation,
    training,
    warming,
)
from invae.cli.console import say, stop_telling
from invae.errors import InvaeError, InvaeWarning

__all__ = ["app", "main"]

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(
    name="invae",
    help="Closed-form autoencoders: reconstruct from tomography, blur or heat; compress scattering data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    information,
    conversion,
    reconstruction,
    calibration,
    training,
    compression,
    evaluation,
    warming,
):
    for verb in group.VERBS:
        app.command()(verb)
app.add_typer(simulation.app)
app.add_typer(datasets.app)


@app.callback(invoke_without_command=True)
def settings(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what the library does.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Reconstruct signals from indirect measurements; compress scattering data within a promised error."""
    if version:
        from invae import __version__

        typer.echo(f"invae {__version__}")
        raise typer.Exit
    if verbose:
        logging.getLogger("invae").setLevel(logging.INFO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("invae")
    level = logger.level
    logger.addHandler(handler)
    told = _Warnings()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", InvaeWarning)
            warnings.showwarning = told.show  # type: ignore[assignment]
            app(args=_settings_first(sys.argv[1:] if arguments is None else arguments), prog_name="invae")
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            _interrupted(at_once=arguments is None)
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except InvaeError as error:
        say(f"invae: {error}")
        return 1
    except KeyboardInterrupt:
        _interrupted(at_once=arguments is None)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except MemoryError as error:
        say(
            f"invae: not enough memory ({str(error) or 'the system refused more'}); take fewer data at a time"
        )
        return 1
    except OSError as error:
        stdout = "stdout: " if error.errno == errno.ENOSPC else ""  # files say themselves which they are
        where = f"{error.filename}: " if error.filename else stdout
        say(f"invae: {where}{error.strerror or error}")
        return 1
    finally:
        told.close()
        stop_telling()
        logger.removeHandler(handler)
        logger.setLevel(level)
    return 0


def _interrupted(at_once: bool) -> None:
    """Say so; ``at_once`` without waiting for threads that are deep in a kernel, whose work nobody wants."""
    say("invae: interrupted")
    if at_once and any(thread.name.startswith("invae-worker") for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def _settings_first(arguments: Sequence[str]) -> list[str]:
    """--verbose may stand anywhere on the line."""
    loud = [word for word in arguments if word in ("-v", "--verbose")]
    return loud[:1] + [word for word in arguments if word not in loud]


class _Warnings:
    """Warnings on stderr; of many only the first few, then how many more there were."""

    most = 3

    def __init__(self) -> None:
        self.count = 0

    def show(self, message: Warning | str, *_: object) -> None:
        self.count += 1
        if self.count <= self.most:
            say(f"warning: {message}")

    def close(self) -> None:
        if self.count > self.most:
            say(f"warning: and {self.count - self.most} more of this kind")
