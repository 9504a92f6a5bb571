"""What a plain installation leaves out: one sentence names the extra that brings it.

``pip install invae`` reads, compresses and decompresses. The other rooms need more libraries, which
``pip install 'invae[NAME]'`` brings; ``invae[all]`` brings every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from invae.errors import MissingExtraError

__all__ = ["EXTRA_OF", "missing_extra", "optional_imports"]

# Module -> (its name in the package index, the extra that brings it); pyproject.toml says the same.
EXTRA_OF = {
    "sklearn": ("scikit-learn", "reconstruction"),
    "skimage": ("scikit-image", "reconstruction"),
    "pylops": ("pylops", "reconstruction"),
    "pywt": ("PyWavelets", "reconstruction"),
    "torch": ("torch", "deep"),
    "sasmodels": ("sasmodels", "simulation"),
    "joblib": ("joblib", "simulation"),
    "matplotlib": ("matplotlib", "report"),
    "jinja2": ("jinja2", "report"),
    "zarr": ("zarr", "interop"),
    "numcodecs": ("numcodecs", "interop"),
    "dask": ("dask", "interop"),
    "xarray": ("xarray", "interop"),
    "astra": ("astra-toolbox", "peers"),
    "imagecodecs": ("imagecodecs", "peers"),
    "sasdata": ("sasdata", "peers"),
}


def missing_extra(error: ImportError) -> MissingExtraError | None:
    """Return the error that says what to install; None where no extra brings the module that is missing."""
    module = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or module not in EXTRA_OF:
        return None
    package, extra = EXTRA_OF[module]
    return MissingExtraError(
        f"this needs {package}, which is not installed: pip install 'invae[{extra}]'", name=module
    )


@contextmanager
def optional_imports() -> Iterator[None]:
    """Turn the failure of an import inside into a `MissingExtraError`.

    Raises
    ------
    MissingExtraError
        A module is missing that one of the extras brings.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (told := missing_extra(error)) is None:
            raise
        raise told from error
