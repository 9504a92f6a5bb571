"""The note that lets a foreign format carry a whole record.

canSAS XML, NXcanSAS and text tables have places for the usual fields only. The writers put the usual fields
there, for every program to read, and beside them a note: one line of JSON with everything else (name,
units, metadata, header, source, dtypes, and in base64 the arrays that the format cannot hold bit for bit).
With it `read` restores the record exactly.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from invae.data.records import Record, from_parts
from invae.errors import FormatError, InputError

__all__ = ["from_note", "survives_text", "to_note"]

_FORMAT = "invae record"
_VERSION = 1


def to_note(record: Record, outside: Mapping[str, str]) -> str:
    """Note of a record on one line; ``outside`` maps the arrays that the host format holds to their place."""
    described: dict[str, dict[str, Any]] = {}
    for key, array in record.arrays().items():
        described[key] = {"dtype": array.dtype.str, "shape": list(array.shape)}
        if key in outside:
            described[key]["at"] = outside[key]
        else:
            described[key]["base64"] = base64.b64encode(array.tobytes()).decode("ascii")
    return json.dumps(
        {"format": _FORMAT, "version": _VERSION, "record": record.description(), "arrays": described}
    )


def from_note(text: str, outside: Mapping[str, Any], place: str) -> Record:
    """Record from its note and the arrays of the host format by their place; ``place`` names the note in
    messages.

    Raises
    ------
    FormatError
        The note is damaged, of a newer version, or does not fit the arrays.
    """
    try:
        note = json.loads(text)
        if note["format"] != _FORMAT or note["version"] > _VERSION:
            raise FormatError(
                f"{place}: the note is of version {note['version']}, this invae reads up to {_VERSION}"
            )
        arrays = {key: _array(entry, outside) for key, entry in note["arrays"].items()}
        return from_parts(arrays, note["record"])
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        if isinstance(error, FormatError):
            raise
        what = error if isinstance(error, InputError) else f"{type(error).__name__} {error}"
        raise FormatError(
            f"{place}: damaged invae note ({what}); delete it to read the plain values"
        ) from error


def survives_text(array: np.ndarray) -> bool:
    """Whether every bit of an array comes back from the shortest decimal text of its values as doubles."""
    with np.errstate(invalid="ignore", over="ignore"):
        again = array.astype(np.float64)
        again[np.isnan(again)] = np.nan
        return again.astype(array.dtype).tobytes() == array.tobytes()


def _array(entry: dict[str, Any], outside: Mapping[str, Any]) -> Any:
    dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
    if "at" in entry:
        array = outside[entry["at"]]
        return array.astype(dtype).reshape(shape) if isinstance(array, np.ndarray) else array
    return np.frombuffer(base64.b64decode(entry["base64"], validate=True), dtype).reshape(shape)
