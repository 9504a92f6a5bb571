"""Sets of simulated scattering data, with the parameters of each sample; on disk as HDF5."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from invae.data.arrays.atomic import atomic_path
from invae.data.formats.hdf5.output import create_hdf5
from invae.data.records import Curve, Frame
from invae.errors import FileError, FormatError

__all__ = ["BEAMSTOP", "DEAD", "GAP", "HOT", "SimulatedCurves", "SimulatedFrames"]

# Bits of the mask of a simulated frame.
GAP, DEAD, HOT, BEAMSTOP = 1, 2, 4, 8


@dataclass(frozen=True, eq=False)
class _SimulatedSet:
    """Cut, join, write and read: fields are one array or tuple entry a sample, except the shared ones."""

    _shared: ClassVar[tuple[str, ...]] = ("settings",)
    _format: ClassVar[str]
    _units: ClassVar[dict[str, str]]

    def head(self, n: int) -> Self:
        """The first n samples."""
        cut = {key: value[:n] for key, value in self._by_sample().items() if value is not None}
        return dataclasses.replace(self, **cut)

    @classmethod
    def join(cls, pieces: list[Self]) -> Self:
        """One set of several that share grid and settings."""
        joined: dict[str, Any] = {}
        for key, value in pieces[0]._by_sample().items():
            values = [getattr(piece, key) for piece in pieces]
            if isinstance(value, np.ndarray):
                joined[key] = np.concatenate(values)
            elif value is not None:
                joined[key] = tuple(entry for part in values for entry in part)
        return dataclasses.replace(pieces[0], **joined)

    def write(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write every field to HDF5; parameters and settings as JSON text."""
        import h5py

        with atomic_path(path, overwrite) as temporary, create_hdf5(temporary) as file:
            file.attrs["format"] = self._format
            fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
            file.attrs["settings"] = json.dumps(fields.pop("settings"))
            for key, value in fields.items():
                if value is None:
                    continue
                if isinstance(value, np.ndarray):
                    options = {"compression": "gzip", "shuffle": True} if value.ndim > 1 else {}
                    file.create_dataset(key, data=value, **options)
                    file[key].attrs["units"] = self._units.get(key, "")
                else:
                    texts = [entry if isinstance(entry, str) else json.dumps(entry) for entry in value]
                    file.create_dataset(key, data=texts, dtype=h5py.string_dtype())
        return Path(path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        FileError
            There is no such file.
        FormatError
            The file is not such a set, or is damaged.
        """
        import h5py

        if not Path(path).is_file():
            raise FileError(f"no file of simulated data at {path}")
        try:
            with h5py.File(path, "r") as file:
                if file.attrs.get("format") != cls._format:
                    raise FormatError(f"{path} holds no set of kind {cls.__name__}")
                fields = {"settings": json.loads(file.attrs["settings"])}
                for key in file:
                    if h5py.check_string_dtype(file[key].dtype) is None:
                        fields[key] = file[key][()]
                    else:
                        texts = file[key].asstr()[()]
                        fields[key] = tuple(texts if key == "model" else map(json.loads, texts))
                return cls(**fields)
        except FormatError:
            raise
        except (OSError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise FormatError(f"{path} cannot be read as {cls.__name__}: {error}") from error

    def _by_sample(self) -> dict[str, Any]:
        names = (f.name for f in dataclasses.fields(self))
        return {name: getattr(self, name) for name in names if name not in self._shared}


@dataclass(frozen=True, eq=False)
class SimulatedCurves(_SimulatedSet):
    """Curves on one q grid.

    Attributes
    ----------
    q : ndarray of shape (n_q,)
        Scattering vector in 1/angstrom.
    intensity : ndarray of shape (N, n_q)
        Intensity in 1/cm; finite and positive without noise.
    model : tuple of N str
        Model of each curve.
    parameters : tuple of N dict
        Parameters of each curve, units as in sasmodels.
    sigma : ndarray of shape (N, n_q) or None
        One standard deviation of the counting noise, in 1/cm; ``None`` without noise.
    settings : dict
        What was asked for, with the version of sasmodels: enough to make the set again.
    """

    q: np.ndarray
    intensity: np.ndarray
    model: tuple[str, ...]
    parameters: tuple[dict[str, Any], ...]
    sigma: np.ndarray | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    _shared = ("q", "settings")
    _format = "invae-simulated-curves"
    _units = {"q": "1/angstrom", "intensity": "1/cm", "sigma": "1/cm"}  # noqa: RUF012  never changed

    def __len__(self) -> int:
        return len(self.intensity)

    def __repr__(self) -> str:
        noise = "noiseless" if self.sigma is None else "with counting noise"
        size = f"{len(self)} curves x {len(self.q)} points"
        return f"<SimulatedCurves: {size}, {len(set(self.model))} models, {noise}>"

    def records(self) -> list[Curve]:
        """One `Curve` a sample, with model and parameters as metadata."""
        return [
            Curve(
                q=self.q,
                intensity=self.intensity[i],
                sigma=None if self.sigma is None else self.sigma[i],
                units={key: unit for key, unit in self._units.items() if getattr(self, key) is not None},
                name=f"{self.model[i]}_{i:06d}",
                metadata={"model": self.model[i], "parameters": self.parameters[i]},
                source=f"sasmodels {self.settings.get('sasmodels', '')}".strip(),
            )
            for i in range(len(self))
        ]


@dataclass(frozen=True, eq=False)
class SimulatedFrames(_SimulatedSet):
    """Detector frames of one shape.

    Attributes
    ----------
    data : ndarray of shape (N, n_rows, n_columns)
        int32 counts with -1 in gaps and -2 at dead pixels; or float64 intensity in 1/cm with NaN at both.
    expected : ndarray of shape (N, n_rows, n_columns)
        What the counts scatter about: float64, defined everywhere, hot pixels not included.
    mask : ndarray of shape (N, n_rows, n_columns)
        uint8, zero where a pixel is good; bits `GAP`, `DEAD`, `HOT`, `BEAMSTOP`.
    model, parameters : tuples of length N
        As in `SimulatedCurves`.
    geometry : tuple of N dict
        ``centre`` (row, column) of the beam in pixels, ``q_per_pixel`` in 1/angstrom, ``beamstop_radius`` in
        pixels, ``counts_per_intensity`` (or None).
    settings : dict
        What was asked for.
    """

    data: np.ndarray
    expected: np.ndarray
    mask: np.ndarray
    model: tuple[str, ...]
    parameters: tuple[dict[str, Any], ...]
    geometry: tuple[dict[str, Any], ...]
    settings: dict[str, Any] = field(default_factory=dict)

    _format = "invae-simulated-frames"
    _units = {"data": "counts or 1/cm", "expected": "as data"}  # noqa: RUF012  never changed

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.data.shape))
        return f"<SimulatedFrames: {size} {self.data.dtype}, {len(set(self.model))} models>"

    def q(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Components (qx, qy) of frame i at every pixel, in 1/angstrom; rows run along y."""
        rows, columns = np.indices(self.data.shape[1:])
        row, column = self.geometry[i]["centre"]
        step = self.geometry[i]["q_per_pixel"]
        return (columns - column) * step, (rows - row) * step

    def records(self) -> list[Frame]:
        """One `Frame` a sample, with q components, mask, model, parameters and geometry."""
        unit = "counts" if self.data.dtype.kind == "i" else "1/cm"
        made = []
        for i in range(len(self)):
            qx, qy = self.q(i)
            about = {"model": self.model[i], "parameters": self.parameters[i], "geometry": self.geometry[i]}
            made.append(
                Frame(
                    data=self.data[i],
                    mask=self.mask[i],
                    qx=qx,
                    qy=qy,
                    units={"data": unit, "qx": "1/angstrom", "qy": "1/angstrom"},
                    name=f"{self.model[i]}_{i:06d}",
                    metadata=about,
                    source=f"sasmodels {self.settings.get('sasmodels', '')}".strip(),
                )
            )
        return made
