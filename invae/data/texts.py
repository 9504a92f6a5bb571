"""Texts from outside that are no UTF-8."""

from __future__ import annotations

from typing import Any

__all__ = ["without_surrogates"]


def without_surrogates(value: Any) -> Any:
    """Text that every encoding of Unicode can hold; in lists and dicts, each text.

    Names of files and of HDF5 objects come from older systems in Latin-1. Python and h5py hand such bytes on
    as lone surrogates, which no file can hold again; they are read as the Latin-1 that they are.

    Examples
    --------
    >>> without_surrogates("M\\udcfcnchen.dat")
    'München.dat'
    """
    if isinstance(value, str):
        try:
            value.encode("utf-8")
            return value
        except UnicodeEncodeError:
            # Byte 0xFC of a text that is no UTF-8 has become U+DCFC; any other lone surrogate stands for
            # nothing.
            return "".join(
                chr(ord(c) - 0xDC00)
                if 0xDC80 <= ord(c) <= 0xDCFF
                else "\ufffd"
                if 0xD800 <= ord(c) <= 0xDFFF
                else c
                for c in value
            )
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_surrogates(entry) for entry in value]
    return value
