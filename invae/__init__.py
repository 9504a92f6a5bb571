"""invae: closed-form autoencoders for inverse problems and for compressing small-angle scattering data.

The public names below load on first use, so that ``import invae`` stays light; ``__init__.pyi`` beside this
file gives them their types.
"""

from __future__ import annotations

import importlib
from pathlib import Path as _Path
from typing import Any

from invae.kernel_cache import provide_cache as _provide_cache

__version__ = "0.1.0"

_HOME = {
    "invae.data": ("read", "write", "Curve", "Frame"),
    "invae.operators": ("Radon", "Blur", "Heat", "Masked", "GaussianNoise", "PoissonNoise"),
    "invae.linalg": ("GaussianPrior",),
    "invae.autoencoders": (
        "BayesRiskReconstructor",
        "LinearAutoencoder",
        "PatchAffineRefiner",
        "ProbabilisticPCA",
        "SparseAutoencoder",
        "ConvolutionalSparseAutoencoder",
    ),
    "invae.classical": (
        "FilteredBackprojection",
        "Sirt",
        "Sart",
        "Landweber",
        "Cgls",
        "Tikhonov",
        "TruncatedSvd",
        "TotalVariation",
        "TotalGeneralisedVariation",
        "WaveletL1",
        "Wiener",
        "RichardsonLucy",
    ),
    "invae.codec": ("Bound", "compress", "decompress", "Archive", "train_codec"),
    "invae.evaluation": ("compare",),
    "invae.report": ("Report",),
    "invae.persistence": ("save", "load"),
    "invae.errors": (
        "InvaeError",
        "InputError",
        "BoundError",
        "FileError",
        "FormatError",
        "ModelError",
        "MissingExtraError",
        "InvaeWarning",
    ),
}
_provide_cache(_Path(__file__).parent)
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'invae' has no attribute {name!r}")
    from invae.extras import optional_imports

    with optional_imports():
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
