"""Records: what a reader hands over and an archive gives back, unchanged to the last bit.

A `Curve` is one I(q) table, a `Frame` one detector image, map or stack. Arrays keep the dtype, shape, order,
NaN and sentinels of the file; what the file does not hold is ``None``, never zeros. Both are immutable:
arrays are read-only views, metadata is a private copy.

`Curve.to_parts` / `Frame.to_parts` and `from_parts` split a record into plain arrays plus one JSON-able dict
and put it together again; archives store records through this pair only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from invae.data.arguments import mapping, real_array, stays_on_disk
from invae.data.texts import without_surrogates
from invae.errors import InputError

__all__ = ["Curve", "Frame", "Record", "from_parts", "identical", "unique_names"]

_COLUMN = "columns/"


class _Parts:
    """What both kinds of record share: splitting, replacing, comparing."""

    _kind: ClassVar[str]
    _values: ClassVar[str]
    _arrays: ClassVar[tuple[str, ...]]
    _needed: ClassVar[tuple[str, ...]]
    if TYPE_CHECKING:  # the fields of the two dataclasses below
        mask: np.ndarray | None
        columns: Mapping[str, np.ndarray]
        units: Mapping[str, str | None]
        name: str
        metadata: Mapping[str, Any]
        header: str
        source: str

    @property
    def values(self) -> np.ndarray:
        """The measured values: ``intensity`` of a curve, ``data`` of a frame."""
        return getattr(self, self._values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of ``values``."""
        return tuple(self.values.shape)

    def replace(self, **changes: Any) -> Self:
        """Copy of the record with some fields changed; ``values`` stands for the measured values."""
        if "values" in changes:
            changes[self._values] = changes.pop("values")
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def arrays(self) -> dict[str, Any]:
        """Every array by name, further ones as ``columns/NAME``; a stack on disk stays there."""
        held = {key: getattr(self, key) for key in self._arrays if getattr(self, key) is not None}
        return held | {_COLUMN + key: column for key, column in self.columns.items()}

    def description(self) -> dict[str, Any]:
        """Everything but the arrays, JSON-able."""
        return {
            "kind": self._kind,
            "name": self.name,
            "units": dict(self.units),
            "metadata": _json_copy(self.metadata, "metadata"),
            "header": self.header,
            "source": self.source,
        }

    def to_parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Split into the arrays by name and the `description`; `from_parts` joins them."""
        return {key: np.asarray(array) for key, array in self.arrays().items()}, self.description()

    def _settle(self) -> None:
        values = getattr(self, self._values)
        if isinstance(values, np.ma.MaskedArray) and values.mask is not np.ma.nomask:
            if self.mask is not None:
                raise InputError(
                    f"{self._kind}: {self._values} is a masked array, and a mask is given beside it"
                )
            object.__setattr__(self, "mask", np.ma.getmaskarray(values).astype(np.uint8))
            object.__setattr__(self, self._values, values.data)
        for key in self._arrays:
            if getattr(self, key) is not None or key in self._needed:
                object.__setattr__(self, key, _frozen(getattr(self, key), key))
        columns = {
            without_surrogates(str(key)): _frozen(column, key)
            for key, column in mapping(self.columns, "columns").items()
        }
        object.__setattr__(self, "columns", columns)
        object.__setattr__(
            self, "metadata", without_surrogates(_json_copy(mapping(self.metadata, "metadata"), "metadata"))
        )
        units = without_surrogates({str(key): unit for key, unit in mapping(self.units, "units").items()})
        if any(unit is not None and not isinstance(unit, str) for unit in units.values()):
            raise InputError(f"units must be texts or None, got {units}")
        object.__setattr__(self, "units", units)
        for key in ("name", "header", "source"):
            if not isinstance(getattr(self, key), str):
                raise InputError(f"{key} must be a text, got {type(getattr(self, key)).__name__}")
            object.__setattr__(self, key, without_surrogates(getattr(self, key)))

    def _same_shape(self, keys: Iterable[str], shape: tuple[int, ...]) -> None:
        for key in keys:
            array = getattr(self, key)
            if array is not None and tuple(array.shape) != shape:
                raise InputError(
                    f"{self._kind} {self.name!r}: {key} has shape {tuple(array.shape)}, expected {shape} "
                    f"like {self._values}"
                )


@dataclass(frozen=True, eq=False)
class Curve(_Parts):
    """One scattering curve I(q), in the order and the units of its file.

    Parameters
    ----------
    q : ndarray of shape (N,)
        Scattering vector, in ``units["q"]``; zero, unsorted and repeated values are kept.
    intensity : ndarray of shape (N,)
        Measured intensity, in ``units["intensity"]``; NaN and negative values are kept.
    sigma : ndarray of shape (N,) or None
        One standard deviation of the intensity, ``None`` when the file has none.
    dq : ndarray of shape (N,) or None
        Resolution of q.
    mask : ndarray of shape (N,) or None
        As stored; the mask of a masked array that is given as the intensity. By the NXcanSAS convention
        non-zero means that the point is masked out.
    columns : dict of str to ndarray
        Everything else that is numeric: slit resolution ``dql`` and ``dqw``, further columns of the table,
        and arrays of other lengths such as ``transmission_spectrum/T``.
    units : dict of str to (str or None)
        Unit of each array by its name, as the file spells it; ``None`` or missing when the file does not say.
    name : str
        Title or run, not always unique in a file: see `unique_names`.
    metadata : dict
        What the file states beside the numbers, JSON-able.
    header : str
        The raw text around the numbers, verbatim (header, then footer), or the XML.
    source : str
        File name and the place in it.

    Examples
    --------
    >>> curve = Curve(q=np.array([0.0, 0.1]), intensity=np.array([5.0, np.nan]), units={"q": "1/angstrom"})
    >>> curve.shape, curve.sigma is None
    ((2,), True)
    >>> arrays, metadata = curve.to_parts()
    >>> identical(curve, from_parts(arrays, metadata))
    True
    """

    q: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray | None = None
    dq: np.ndarray | None = None
    mask: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    units: Mapping[str, str | None] = field(default_factory=dict)
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    header: str = ""
    source: str = ""

    _kind: ClassVar[str] = "curve"
    _values: ClassVar[str] = "intensity"
    _needed: ClassVar[tuple[str, ...]] = ("q", "intensity")
    _arrays: ClassVar[tuple[str, ...]] = ("q", "intensity", "sigma", "dq", "mask")

    def __post_init__(self) -> None:
        self._settle()
        if self.intensity.ndim != 1:
            raise InputError(
                f"curve {self.name!r}: intensity has shape {self.intensity.shape}, expected (N,)"
            )
        self._same_shape(("q", "sigma", "dq", "mask"), self.intensity.shape)

    def __repr__(self) -> str:
        held = [key for key in self._arrays[2:] if getattr(self, key) is not None] + list(self.columns)
        extra = f" with {', '.join(held)}" if held else ""
        return f"<Curve {self.name!r}: {len(self.q)} points{extra}>"


@dataclass(frozen=True, eq=False)
class Frame(_Parts):
    """One detector image, reduced map or stack of images, of any shape and real dtype.

    Parameters
    ----------
    data : ndarray
        Counts or intensity, in ``units["data"]``, sentinels included. May be any object with ``shape``,
        ``dtype`` and slicing (a stack that stays on disk); `Frame.load` reads it whole.
    mask, sigma, qx, qy : ndarray of the shape of data, or None
        Mask as stored (NXcanSAS: non-zero is masked out), one standard deviation, components of q.
    columns : dict of str to ndarray
        Everything else that is numeric, of any shape.
    units, name, metadata, header, source
        As for `Curve`.

    Examples
    --------
    >>> Frame(data=np.zeros((3, 4, 5), np.int32), name="run 7")
    <Frame 'run 7': int32 3 x 4 x 5>
    """

    data: Any
    mask: np.ndarray | None = None
    sigma: np.ndarray | None = None
    qx: np.ndarray | None = None
    qy: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    units: Mapping[str, str | None] = field(default_factory=dict)
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    header: str = ""
    source: str = ""

    _kind: ClassVar[str] = "frame"
    _values: ClassVar[str] = "data"
    _needed: ClassVar[tuple[str, ...]] = ("data",)
    _arrays: ClassVar[tuple[str, ...]] = ("data", "mask", "sigma", "qx", "qy")

    def __post_init__(self) -> None:
        self._settle()
        self._same_shape(("mask", "sigma", "qx", "qy"), self.shape)

    def load(self) -> Frame:
        """The same frame with ``data`` in memory."""
        return self if isinstance(self.data, np.ndarray) else self.replace(data=self.data[...])

    def __repr__(self) -> str:
        held = [key for key in self._arrays[1:] if getattr(self, key) is not None] + list(self.columns)
        extra = f" with {', '.join(held)}" if held else ""
        return f"<Frame {self.name!r}: {self.data.dtype} {' x '.join(map(str, self.shape))}{extra}>"


Record = Curve | Frame
_KINDS: dict[str, type[Curve] | type[Frame]] = {"curve": Curve, "frame": Frame}


def from_parts(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> Record:
    """Put a record together again from what ``to_parts`` gave.

    Raises
    ------
    InputError
        The parts are not those of a record.
    """
    arrays, metadata = mapping(arrays, "arrays"), mapping(metadata, "metadata")
    kind = _KINDS.get(str(metadata.get("kind", "")))
    if kind is None:
        raise InputError(
            f"record kind {metadata.get('kind')!r} is unknown; expected one of {', '.join(_KINDS)}"
        )
    unknown = [key for key in arrays if key not in kind._arrays and not key.startswith(_COLUMN)]
    if unknown:
        raise InputError(f"a {kind._kind} has no array {unknown[0]!r}; further ones are named {_COLUMN}NAME")
    if not set(kind._needed) <= set(arrays):
        raise InputError(
            f"parts of a {kind._kind} lack {kind._values!r}; got {', '.join(arrays) or 'no array'}"
        )
    fields: dict[str, Any] = {key: array for key, array in arrays.items() if key in kind._arrays}
    fields["columns"] = {
        key.removeprefix(_COLUMN): array for key, array in arrays.items() if key.startswith(_COLUMN)
    }
    described = ("name", "units", "metadata", "header", "source")
    return kind(**fields, **{key: metadata[key] for key in described if key in metadata})


def identical(a: Record, b: Record) -> bool:
    """True when two records agree in every bit: NaN payloads, -0, byte order, texts and units included."""
    if type(a) is not type(b):
        return False
    arrays_a, arrays_b = a.arrays(), b.arrays()
    if set(arrays_a) != set(arrays_b):
        return False
    if json.dumps(a.description(), sort_keys=True) != json.dumps(b.description(), sort_keys=True):
        return False
    return all(_same_bits(array, arrays_b[key]) for key, array in arrays_a.items())


def unique_names(records: Iterable[Record]) -> list[str]:
    """Names of the records, made unique: a second ``run`` becomes ``run#2``, an empty name ``record``.

    Examples
    --------
    >>> unique_names([Frame(np.zeros(1), name="run"), Frame(np.zeros(1), name="run"), Frame(np.zeros(1))])
    ['run', 'run#2', 'record']
    """
    if not isinstance(records, Iterable) or isinstance(records, str | bytes | Mapping):
        raise InputError(f"records must be a list of Curve or Frame, got a {type(records).__qualname__}")
    records = list(records)
    wrong = [record for record in records if not isinstance(record, Curve | Frame)]
    if wrong:
        raise InputError(f"records must be Curve or Frame, got a {type(wrong[0]).__qualname__}")
    stated = {record.name or "record" for record in records}
    taken: set[str] = set()
    names = []
    for record in records:
        base = name = record.name or "record"
        count = 1
        while name in taken or (count > 1 and name in stated):
            count += 1
            name = f"{base}#{count}"
        taken.add(name)
        names.append(name)
    return names


def _frozen(array: Any, key: str) -> Any:
    if key == "data" and stays_on_disk(array):
        return array
    view = real_array(array, key).view()
    view.flags.writeable = False
    return view


def _json_copy(value: Any, what: str) -> Any:
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be JSON-able (texts, numbers, lists, dicts): {error}") from error


def _same_bits(a: Any, b: Any) -> bool:
    if a.dtype.str != b.dtype.str or tuple(a.shape) != tuple(b.shape):
        return False
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.tobytes() == b.tobytes()
    # A stack that stays on disk may be larger than the memory.
    return all(_same_bits(np.asarray(a[i]), np.asarray(b[i])) for i in range(a.shape[0]))
