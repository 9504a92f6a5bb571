"""Sets of simulated scattering data, with the parameters of each sample; on disk as HDF5."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.files import atomic_path
from invae.data.records import Curve
from invae.errors import FileError, FormatError

__all__ = ["SimulatedCurves"]


@dataclass(frozen=True, eq=False)
class SimulatedCurves:
    """Curves on one q grid.

    Attributes
    ----------
    q : ndarray of shape (n_q,)
        Scattering vector in 1/angstrom.
    intensity : ndarray of shape (N, n_q)
        Intensity in 1/cm; finite and positive without noise.
    sigma : ndarray of shape (N, n_q) or None
        One standard deviation of the counting noise, in 1/cm; ``None`` without noise.
    model : tuple of N str
        Model of each curve.
    parameters : tuple of N dict
        Parameters of each curve, units as in sasmodels.
    settings : dict
        What was asked for, with the version of sasmodels: enough to make the set again.
    """

    q: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray | None
    model: tuple[str, ...]
    parameters: tuple[dict[str, Any], ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.intensity)

    def __repr__(self) -> str:
        noise = "noiseless" if self.sigma is None else "with counting noise"
        size = f"{len(self)} curves x {len(self.q)} points"
        return f"<SimulatedCurves: {size}, {len(set(self.model))} models, {noise}>"

    def records(self) -> list[Curve]:
        """One `Curve` a sample, with model and parameters as metadata."""
        units = {"q": "1/angstrom", "intensity": "1/cm", "sigma": "1/cm"}
        return [
            Curve(
                q=self.q,
                intensity=self.intensity[i],
                sigma=None if self.sigma is None else self.sigma[i],
                units=units,
                name=f"{self.model[i]}_{i:06d}",
                metadata={"model": self.model[i], "parameters": self.parameters[i]},
                source=f"sasmodels {self.settings.get('sasmodels', '')}".strip(),
            )
            for i in range(len(self))
        ]

    def write(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write q, intensity, sigma, model, parameters (JSON) and the attribute settings (JSON) to HDF5."""
        import h5py

        with atomic_path(path, overwrite) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["format"] = "invae-simulated-curves"
            file.attrs["settings"] = json.dumps(self.settings)
            file["q"] = self.q
            file["q"].attrs["units"] = "1/angstrom"
            file.create_dataset("intensity", data=self.intensity, compression="gzip", shuffle=True)
            file["intensity"].attrs["units"] = "1/cm"
            if self.sigma is not None:
                file.create_dataset("sigma", data=self.sigma, compression="gzip", shuffle=True)
            text = h5py.string_dtype()
            file.create_dataset("model", data=list(self.model), dtype=text)
            file.create_dataset("parameters", data=[json.dumps(p) for p in self.parameters], dtype=text)
        return Path(path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SimulatedCurves:
        """Read what `write` wrote.

        Raises
        ------
        FileError
            There is no such file.
        FormatError
            The file is not a set of simulated curves.
        """
        import h5py

        if not Path(path).is_file():
            raise FileError(f"no file of simulated curves at {path}")
        try:
            with h5py.File(path, "r") as file:
                if file.attrs.get("format") != "invae-simulated-curves":
                    raise FormatError(f"{path} holds no simulated curves")
                return cls(
                    q=file["q"][()],
                    intensity=file["intensity"][()],
                    sigma=file["sigma"][()] if "sigma" in file else None,
                    model=tuple(file["model"].asstr()[()]),
                    parameters=tuple(json.loads(p) for p in file["parameters"].asstr()[()]),
                    settings=json.loads(file.attrs["settings"]),
                )
        except (OSError, KeyError) as error:
            raise FormatError(f"{path} cannot be read as simulated curves: {error}") from error
