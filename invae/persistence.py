"""Models on disk: one HDF5 file, a JSON header and plain arrays. Never pickle.

A class can be stored when it is named in `CLASSES` and has

* ``to_state() -> dict``: JSON scalars, lists, dicts, NumPy arrays and other storable objects, nested at will;
* ``from_state(state)``: a class method that rebuilds the object from such a dict.

`StoredEstimator` has both for an estimator in scikit-learn's manner.

The header carries format, version, library versions, and the SHA-256 of every array, which `load` checks; the
header itself lies in the file with a Fletcher-32 sum, which HDF5 checks.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from invae.data.arrays.atomic import atomic_path
from invae.data.formats.hdf5.output import create_hdf5
from invae.errors import FileError, ModelError

__all__ = ["StoredEstimator", "describe", "load", "save", "set_fitted", "stored_parameters"]

FORMAT = "invae-model"
VERSION = 1

CLASSES = {
    "CodecModel": "invae.codec.model",
    "BayesRiskReconstructor": "invae.autoencoders.bayes_risk.reconstructor",
    "LinearAutoencoder": "invae.autoencoders.linear.autoencoder",
    "PatchAffineRefiner": "invae.autoencoders.refine.refiner",
    "SparseAutoencoder": "invae.autoencoders.sparse.autoencoder",
    "ConvolutionalSparseAutoencoder": "invae.autoencoders.sparse.convolutional",
    "ProbabilisticPCA": "invae.autoencoders.linear.ppca",
    "UNetPostprocessor": "invae.autoencoders.networks",
    "TrainedLinearAutoencoder": "invae.autoencoders.networks",
    "Cgls": "invae.classical.cgls",
    "FilteredBackprojection": "invae.classical.fbp",
    "Landweber": "invae.classical.landweber",
    "RichardsonLucy": "invae.classical.richardson_lucy",
    "Sart": "invae.classical.sirt",
    "Sirt": "invae.classical.sirt",
    "Tikhonov": "invae.classical.tikhonov",
    "TotalGeneralisedVariation": "invae.classical.tgv",
    "TotalVariation": "invae.classical.tv",
    "TruncatedSvd": "invae.classical.tsvd",
    "WaveletL1": "invae.classical.wavelet",
    "Wiener": "invae.classical.wiener",
    "GaussianPrior": "invae.linalg.priors",
    "Radon": "invae.operators.radon",
    "Blur": "invae.operators.blur",
    "Heat": "invae.operators.heat",
    "Masked": "invae.operators.masked",
    "GaussianNoise": "invae.operators.noise",
    "PoissonNoise": "invae.operators.noise",
}


class HasParameters(Protocol):
    """An estimator in scikit-learn's manner: a dictionary of parameters that its ``__init__`` takes."""

    def get_params(self, deep: bool = True) -> dict[str, Any]: ...


class StoredEstimator:
    """`to_state` and `from_state` of an estimator: its parameters, and the fitted values named ``..._``."""

    def to_state(self: HasParameters) -> dict[str, Any]:
        """Parameters and fitted values, for `invae.save`."""
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_")}
        return {"parameters": stored_parameters(self), "fitted": fitted}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild what `to_state` described."""
        model = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in state["parameters"].items()})
        set_fitted(model, state.get("fitted", {}))
        return model


def stored_parameters(estimator: HasParameters) -> dict[str, Any]:
    """Parameters that mean something in another process: ``rng`` is kept when it is an integer, a callable
    ``progress`` is not."""
    parameters = estimator.get_params(deep=False)
    if not isinstance(parameters.get("rng"), int | np.integer):
        parameters = {name: None if name == "rng" else value for name, value in parameters.items()}
    return {name: None if name == "progress" else value for name, value in parameters.items()}


def set_fitted(estimator: object, fitted: dict[str, Any]) -> None:
    """Set fitted values; a shape was a tuple before JSON made it a list."""
    for name, value in fitted.items():
        setattr(estimator, name, tuple(value) if "shape" in name and value is not None else value)


def save(model: Any, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write ``model`` to an HDF5 file, whole or not at all.

    Raises
    ------
    ModelError
        The class of ``model`` or of an object inside it is not one that can be stored.
    FileError
        ``path`` exists and ``overwrite`` is false, or its folder is missing.
    """
    arrays: dict[str, np.ndarray] = {}
    body = _encode(model, arrays)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "libraries": {name: _version(name) for name in ("invae", "numpy", "scipy", "scikit-learn")},
        "sha256": {key: _digest(array) for key, array in arrays.items()},
        "model": body,
    }
    with atomic_path(path, overwrite) as temporary, create_hdf5(temporary) as file:
        file.attrs["format"] = FORMAT
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        file.create_dataset("header", data=text, fletcher32=True)
        for key, array in arrays.items():
            file[f"arrays/{key}"] = array
    return Path(path)


def load(path: str | os.PathLike[str]) -> Any:
    """Rebuild the object that `save` wrote.

    Raises
    ------
    FileError
        There is no such file.
    ModelError
        Not an invae model, of a newer format, or damaged.
    """
    header, arrays = _read(path)
    for key, digest in header["sha256"].items():
        if key not in arrays or _digest(arrays[key]) != digest:
            raise ModelError(
                f"{path}: array {key} does not match its SHA-256: the file is damaged, restore a copy"
            )
    try:
        return _decode(header["model"], arrays)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{path} cannot be rebuilt ({type(error).__name__}: {error}): it is damaged, or of another "
            f"version (invae {header['libraries'].get('invae')} wrote it)"
        ) from error


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Header of a stored model (class, parameters, versions) and the shapes of its arrays, by key."""
    header, arrays = _read(path, lambda dataset: (str(dataset.dtype), dataset.shape))
    return {**header, "arrays": arrays}


def _read(
    path: str | os.PathLike[str], take: Callable[[Any], Any] = lambda dataset: dataset[()]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header, and what ``take`` makes of every data set, by key."""
    import h5py

    if not Path(path).is_file():
        raise FileError(f"no model file at {path}")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise ModelError(
                    f"{path} is an HDF5 file but not an invae model; `invae info` tells what it holds"
                )
            header = json.loads(file["header"][()].tobytes())
            _check_header(header, path)
            arrays = {key: take(dataset) for key, dataset in file.get("arrays", {}).items()}
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"{path} cannot be read as an invae model; it is another kind of file, truncated or damaged "
            f"({error})"
        ) from error
    return header, arrays


def _check_header(header: Any, path: str | os.PathLike[str]) -> None:
    whole = isinstance(header, dict) and isinstance(header.get("version"), int)
    if whole and header["version"] > VERSION:
        raise ModelError(
            f"{path} has model format {header['version']}, this invae reads up to {VERSION}: upgrade invae"
        )
    if not whole or not {"libraries", "sha256", "model"} <= set(header):
        raise ModelError(f"{path} is no whole invae model, parts of its header are missing; restore a copy")


def _encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        key = f"{len(arrays):04d}"
        arrays[key] = value
        return {"__array__": key}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(key): _encode(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item, arrays) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    name = type(value).__name__
    if name not in CLASSES:
        raise ModelError(
            f"objects of class {name} cannot be stored; storable are {', '.join(sorted(CLASSES))}"
        )
    return {"__class__": name, "state": _encode(value.to_state(), arrays)}


def _decode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        return arrays[value["__array__"]]
    if "__class__" not in value:
        return {key: _decode(item, arrays) for key, item in value.items()}
    name = value["__class__"]
    if name not in CLASSES:
        raise ModelError(
            f"the file holds an object of class {name}, which this invae does not know: upgrade invae"
        )
    cls = getattr(importlib.import_module(CLASSES[name]), name)
    return cls.from_state(_decode(value["state"], arrays))


def _digest(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
