"""The command line: parse, make one call into the library, print."""

from invae.cli.app import main

__all__ = ["main"]
