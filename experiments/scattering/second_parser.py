"""A second opinion on what was read: the same files parsed by other means and compared to the last bit.

Text tables are split into tokens by a regular expression, XML is parsed by the standard library, HDF5
datasets are compared as stored, images are opened by Pillow. Nothing here uses the package's readers.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from invae.data.records import Curve, Frame

__all__ = ["DIFFERS", "second_opinion"]

DIFFERS = "DIFFERS"


def second_opinion(path: Path, records: Sequence[Curve | Frame]) -> str:
    """What of ``records`` another parse confirms: "q, I", "values", "values, sigma, mask", ..; or "DIFFERS".

    Empty where there is no second parser for this kind of file.
    """
    start = path.read_bytes()[:8]
    if start.startswith(b"\x89HDF"):
        return against_datasets(path, records)
    if start.startswith((b"II", b"MM")) and isinstance(records[0], Frame):
        return against_pillow(path, records)
    data = path.read_bytes()
    if b"\0" in data[:4096] and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ""
    text = decoded(data)
    if "<SASroot" in text or "SASroot" in text[:2000]:
        return against_xml(data, records)
    return against_tokens(text, records)


def against_tokens(text: str, records: Sequence[Curve | Frame]) -> str:
    """Every record's q and I (or the frame's values) as consecutive numbers of lines of numbers."""
    lines = re.split(r"\r\n|\r|\n", text)
    # a comma parts numbers, or is the decimal one
    tables = [[row for row in (numbers(line, comma) for line in lines) if row] for comma in (" ", ".")]
    if not any(all(stands_in(rows, record) for record in records) for rows in tables):
        return DIFFERS
    head = "values" if isinstance(records[0], Frame) else "q, I"
    known = set(lines)
    if any(
        line and line not in known for record in records for line in re.split(r"\r\n|\r|\n", record.header)
    ):
        return f"{head}; header {DIFFERS}"
    return f"{head}, header"


def stands_in(rows: list[list[float]], record: Curve | Frame) -> bool:
    """Whether the numbers of a record follow each other in the lines, or in one of the first columns."""
    if isinstance(record, Frame):
        columns = [[values[k] for values in rows if len(values) > k] for k in range(3)]
        columns.append([value for values in rows for value in values])
        return any(holds(column, np.ravel(record.data)) for column in columns)
    pairs = [(values[0], values[1]) for values in rows if len(values) > 1]
    wanted = list(zip(record.q.tolist(), record.intensity.tolist(), strict=True))
    return any(same(pairs[k : k + len(wanted)], wanted) for k in range(len(pairs) - len(wanted) + 1))


def against_xml(data: bytes, records: Iterable[Curve | Frame]) -> str:
    """Q and I of every SASdata in the order of the file."""
    pairs = []
    for element in ElementTree.fromstring(data).iter():
        if local(element.tag) == "SASdata":
            points = [child for child in element if local(child.tag) == "Idata"]
            pairs.append(
                tuple(
                    [
                        float(value.text or "nan")
                        for point in points
                        for value in point
                        if local(value.tag) == tag
                    ]
                    for tag in ("Q", "I")
                )
            )
    pairs = [pair for pair in pairs if pair[0]]
    ours = [(r.q.tolist(), r.intensity.tolist()) for r in records if isinstance(r, Curve)]
    return "q, I" if len(pairs) == len(ours) and all(map(same, pairs, ours)) else DIFFERS


def against_datasets(path: Path, records: Iterable[Curve | Frame]) -> str:
    """Values, sigma and q of every record as some dataset of the file stores them, dtype and bytes."""
    import h5py
    import hdf5plugin  # noqa: F401  (registers the filters)

    stored: set[tuple[str, int, bytes]] = set()
    with h5py.File(path) as file:

        def keep(_: str, node: object) -> None:
            if isinstance(node, h5py.Dataset) and node.dtype.kind in "biuf" and node.shape:
                stored.add(key(np.asarray(node[()])))
                if node.ndim > 2:
                    stored.update(key(np.asarray(frame)) for frame in node[()].reshape(-1, *node.shape[-2:]))

        file.visititems(keep)
    confirmed: set[str] = set()
    for record in records:
        parts = {"values": record.values, "sigma": record.sigma}
        parts["q"] = record.q if isinstance(record, Curve) else None
        for name, values in parts.items():
            if values is None:
                continue
            if key(np.asarray(values)) not in stored:
                return f"{name} {DIFFERS}"
            confirmed.add(name)
    return ", ".join(sorted(confirmed))


def against_pillow(path: Path, records: Sequence[Curve | Frame]) -> str:
    """Pixels as Pillow finds them."""
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.asarray(image)
    return "values" if np.array_equal(pixels, records[0].values) else DIFFERS


def key(values: np.ndarray) -> tuple[str, int, bytes]:
    """Identity of an array up to its shape: kind and width of its dtype, size, and bytes in native order."""
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return native.dtype.str, native.size, np.ascontiguousarray(native).tobytes()


def holds(column: list[float], values: np.ndarray) -> bool:
    """Whether ``values`` follow each other somewhere in ``column``."""
    whole = np.asarray(column)
    lead = int(np.argmax(np.isfinite(values)))  # NaN is not found by comparison
    starts = np.flatnonzero(whole == values[lead]) - lead
    return any(same(whole[k : k + values.size], values) for k in starts if k >= 0)


def same(a: Sequence | np.ndarray, b: Sequence | np.ndarray) -> bool:
    """Equal numbers in equal order, NaN being equal to itself."""
    return np.array_equal(np.asarray(a, np.float64), np.asarray(b, np.float64), equal_nan=True)


def numbers(line: str, comma: str) -> list[float]:
    """The numbers of a line that holds nothing else, commas being replaced."""
    try:
        return [number(token) for token in re.split(r"[\s;]+", line.replace(",", comma)) if token]
    except ValueError:
        return []


def number(token: str) -> float:
    """One number, also of Fortran (1d3) and of old Windows (-1.#IND)."""
    if re.fullmatch(r"-?1\.#(IND|QNAN)\d*|-nan\(ind\)", token):
        return float("nan")
    return float(re.sub(r"(?i)d(?=[+-]?\d)", "e", token))


def local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def decoded(data: bytes) -> str:
    for encoding in ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""
