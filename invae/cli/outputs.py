"""Records to files that people can open: curves as columns of text, everything else as arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from invae.data.files import atomic_path
from invae.errors import InputError

__all__ = ["curve_text", "write_record"]

TEXT_ENDINGS = {".txt", ".dat", ".csv", ".abs"}


def curve_text(curve: Any) -> str:
    """A curve as tab-separated columns under ``#`` lines with name and units; numbers read back exactly."""
    columns = {"q": curve.q, "I": curve.intensity, "dI": curve.sigma, "dQ": curve.dq, "mask": curve.mask}
    columns = {name: values for name, values in columns.items() if values is not None}
    columns |= {name: values for name, values in curve.columns.items() if values.shape == curve.q.shape}
    units = {"q": curve.units.get("q"), "I": curve.units.get("intensity")}
    heads = [f"{name} [{units[name]}]" if units.get(name) else name for name in columns]
    lines = [f"# {curve.name}", "# " + "\t".join(heads)]
    lines += ["\t".join(repr(value.item()) for value in row) for row in zip(*columns.values())]
    return "\n".join(lines) + "\n"


def write_record(path: Path, record: Any, overwrite: bool) -> None:
    """Write one decoded record; the ending of ``path`` names the format."""
    from invae.data import write_array

    is_curve = hasattr(record, "q")
    if path.suffix.lower() in TEXT_ENDINGS:
        if not is_curve:
            raise InputError(f"cannot write an array or a frame as text to {path}; use .npy, .h5 or .tif")
        with atomic_path(path, overwrite) as temporary:
            temporary.write_text(curve_text(record), encoding="utf-8")
        return
    if is_curve:
        raise InputError(
            f"cannot write a curve as {path.suffix or 'a file without ending'}; use .txt, .dat or .csv"
        )
    write_array(path, record if isinstance(record, np.ndarray) else np.asarray(record.values), overwrite)
