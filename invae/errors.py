"""Errors that a user can cause: each is an `InvaeError` and the built-in kind that callers expect."""

from __future__ import annotations

__all__ = [
    "BoundError",
    "FileError",
    "FormatError",
    "InputError",
    "InvaeError",
    "InvaeWarning",
    "MissingExtraError",
    "ModelError",
]


class InvaeError(Exception):
    """Base of all errors raised for what a user can mend; the message says what was wrong and what to do."""


class InputError(InvaeError, ValueError):
    """An argument has the wrong value, shape or type."""


class BoundError(InputError):
    """An error bound cannot be parsed, or cannot be met for these data."""


class FileError(InvaeError, OSError):
    """A file is missing, unreadable, or would be overwritten."""


class FormatError(InvaeError, ValueError):
    """A file's content is not what its format demands; the message names the file and the place in it."""


class ModelError(InvaeError, ValueError):
    """A stored model is absent, damaged, or does not fit the data or the operator it is used with."""


class MissingExtraError(InvaeError, ImportError):
    """A library that this part of invae needs is not installed; the message names the extra to install."""


class InvaeWarning(UserWarning):
    """Something that a user should know or decide, though the work could go on; the message says how."""
