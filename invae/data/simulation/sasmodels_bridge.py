"""The one place that talks to sasmodels: which models there are, random parameters, evaluation.

sasmodels compiles its C models with the machine's C compiler on first use and keeps them in invae's cache
folder. Without a compiler only the models written in Python can be used; `check_models` says so.
Settings that the user has made (``SAS_OPENCL``, ``SAS_DLL_PATH``, ``SAS_COMPILER``, ``CC``) are respected.
"""

from __future__ import annotations

import os
import shlex
import shutil
from functools import cache, lru_cache
from typing import Any

import numpy as np

from invae.data.sets.manifest import cache_folder
from invae.errors import InputError
from invae.extras import optional_imports

__all__ = [
    "COST_MS",
    "FAST_MODELS",
    "ORIENTED_MODELS",
    "PYTHON_MODELS",
    "SAS55_MODELS",
    "SLOW_MODELS",
    "check_models",
    "evaluate",
    "has_compiler",
    "make_kernel",
    "model_parts",
    "random_parameters",
    "sasmodels_version",
]

# Processor milliseconds for one monodisperse curve of 512 points, adaptive quadrature, median over draws
# (invae.data.simulation.curves.measure_cost). The size of a draw matters: q times length goes up to 1e4, and
# cylinders vary from 1 to 100. With quadrature=76 the slow ones take 100 to 200, cylinders 3.
COST_MS = {
    "adsorbed_layer": 0.14,
    "barbell": 1850.0,
    "bcc_paracrystal": 810.0,
    "be_polyelectrolyte": 0.09,
    "binary_hard_sphere": 0.23,
    "broad_peak": 0.10,
    "capped_cylinder": 1220.0,
    "core_multi_shell": 0.23,
    "core_shell_bicelle": 20.0,
    "core_shell_bicelle_elliptical": 560.0,
    "core_shell_cylinder": 4.8,
    "core_shell_ellipsoid": 36.0,
    "core_shell_parallelepiped": 1030.0,
    "core_shell_sphere": 0.11,
    "cylinder": 17.0,
    "dab": 0.08,
    "ellipsoid": 14.0,
    "elliptical_cylinder": 840.0,
    "fcc_paracrystal": 830.0,
    "flexible_cylinder": 0.19,
    "flexible_cylinder_elliptical": 2.5,
    "fractal": 0.19,
    "fractal_core_shell": 0.22,
    "fuzzy_sphere": 0.11,
    "gauss_lorentz_gel": 0.09,
    "gaussian_peak": 0.10,
    "gel_fit": 0.10,
    "guinier": 0.08,
    "guinier_porod": 0.12,
    "hollow_cylinder": 96.0,
    "hollow_rectangular_prism": 860.0,
    "hollow_rectangular_prism_thin_walls": 515.0,
    "lamellar": 0.11,
    "lamellar_hg": 0.11,
    "lamellar_hg_stack_caille": 1.5,
    "lamellar_stack_caille": 1.2,
    "lamellar_stack_paracrystal": 0.21,
    "line": 0.07,
    "linear_pearls": 0.41,
    "lorentz": 0.08,
    "mass_fractal": 0.16,
    "mass_surface_fractal": 0.09,
    "micromagnetic_FF_3D": 220.0,
    "mono_gauss_coil": 0.09,
    "multilayer_vesicle": 0.21,
    "parallelepiped": 570.0,
    "peak_lorentz": 0.08,
    "pearl_necklace": 0.17,
    "poly_gauss_coil": 0.11,
    "polymer_excl_volume": 0.18,
    "polymer_micelle": 0.12,
    "porod": 0.07,
    "power_law": 0.08,
    "pringle": 2400.0,
    "raspberry": 0.15,
    "rectangular_prism": 430.0,
    "sc_paracrystal": 720.0,
    "sphere": 0.10,
    "spinodal": 0.09,
    "stacked_disks": 80.0,
    "star_polymer": 0.09,
    "superball": 2200.0,
    "surface_fractal": 0.10,
    "teubner_strey": 0.08,
    "triaxial_ellipsoid": 210.0,
    "two_lorentzian": 0.10,
    "two_power_law": 0.09,
    "unified_power_Rg": 0.12,
    "vesicle": 0.11,
}
SLOW_MS = 25.0
SLOW_MODELS = tuple(name for name, cost in COST_MS.items() if cost > SLOW_MS)
FAST_MODELS = tuple(name for name in COST_MS if name not in SLOW_MODELS)

# Our reading of the 55 models of SAS-55M-20k: see `invae.data.simulation.curves`.
_NOT_IN_SAS55 = {
    "core_shell_bicelle_elliptical",
    "core_shell_parallelepiped",
    "fcc_paracrystal",
    "hollow_rectangular_prism_thin_walls",
    "line",
    "micromagnetic_FF_3D",
    "polymer_micelle",
    "porod",
    "power_law",
    "pringle",
    "sc_paracrystal",
    "spinodal",
    "superball",
    "unified_power_Rg",
}
SAS55_MODELS = tuple(name for name in COST_MS if name not in _NOT_IN_SAS55)

ORIENTED_MODELS = (
    "barbell",
    "bcc_paracrystal",
    "capped_cylinder",
    "core_shell_bicelle",
    "core_shell_bicelle_elliptical",
    "core_shell_bicelle_elliptical_belt_rough",
    "core_shell_cylinder",
    "core_shell_ellipsoid",
    "core_shell_parallelepiped",
    "cylinder",
    "ellipsoid",
    "elliptical_cylinder",
    "fcc_paracrystal",
    "hollow_cylinder",
    "hollow_rectangular_prism",
    "parallelepiped",
    "rectangular_prism",
    "sc_paracrystal",
    "stacked_disks",
    "superball",
    "triaxial_ellipsoid",
    "truncated_octahedron",
)
PYTHON_MODELS = (
    "adsorbed_layer",
    "be_polyelectrolyte",
    "broad_peak",
    "gauss_lorentz_gel",
    "guinier_porod",
    "line",
    "peak_lorentz",
    "poly_gauss_coil",
    "polymer_excl_volume",
    "porod",
    "power_law",
    "spinodal",
    "teubner_strey",
    "two_lorentzian",
    "two_power_law",
    "unified_power_Rg",
)


@cache
def _core():
    """sasmodels.core, imported with CPU evaluation and invae's own folder for compiled models."""
    os.environ.setdefault("SAS_OPENCL", "none")
    if "SAS_DLL_PATH" not in os.environ:
        folder = cache_folder() / "sasmodels"
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["SAS_DLL_PATH"] = str(folder)
    with optional_imports():
        from sasmodels import core

    return core


@cache
def sasmodels_version() -> str:
    """Version of the installed sasmodels."""
    _core()
    import sasmodels

    return sasmodels.__version__


@cache
def has_compiler() -> bool:
    """Whether the C compiler that sasmodels would call is there."""
    _core()
    from sasmodels import kerneldll

    source, target = "model.c", "model.so"
    command = kerneldll.compile_command(source=source, output=target)
    program = shlex.split(command)[0] if isinstance(command, str) else command[0]
    return shutil.which(program) is not None


def check_models(models: tuple[str, ...]) -> None:
    """Refuse names that sasmodels does not have, and C models where no compiler is found.

    Names may be products and sums in the notation of sasmodels, such as ``sphere@hardsphere``.

    Raises
    ------
    InputError
        With the names in question and what can be used instead.
    """
    if not models:
        raise InputError("models is empty; name at least one model or leave it out")
    known = set(_core().list_models())
    for model in models:
        unknown = set(model_parts(model)) - known
        if unknown:
            raise InputError(
                f"sasmodels {sasmodels_version()} has no model {', '.join(sorted(unknown))}; "
                f"it has {', '.join(sorted(known))}"
            )
    compiled = sorted({part for model in models for part in model_parts(model)} - set(PYTHON_MODELS))
    if compiled and not has_compiler():
        raise InputError(
            f"{compiled[0]} and {len(compiled) - 1} more are written in C, and there is no C compiler: "
            "install one (gcc, clang, Xcode command line tools) or name it in the variable CC, "
            "or pass models='python' for the models that need none"
        )


def model_parts(model: str) -> list[str]:
    """Names of the plain models in a product or sum."""
    return model.replace("*", " ").replace("+", " ").replace("@", " ").split()


@lru_cache(maxsize=256)
def _model(name: str, quadrature: int | None):
    core = _core()
    info = core.load_model_info(name)
    if quadrature is not None:
        from sasmodels.generate import set_integration_size

        set_integration_size(info, quadrature)
    return core.build_model(info, platform="dll")


@lru_cache(maxsize=512)
def _kernel_1d(name: str, quadrature: int | None, q: bytes):
    return _model(name, quadrature).make_kernel([np.frombuffer(q)])


def make_kernel(name: str, q_vectors: list[np.ndarray], quadrature: int | None = None):
    """Callable kernel of a model for |q| (one array) or (qx, qy) (two arrays), in 1/angstrom."""
    q_vectors = [np.ascontiguousarray(q, np.float64).ravel() for q in q_vectors]
    if len(q_vectors) == 1:
        return _kernel_1d(name, quadrature, q_vectors[0].tobytes())
    return _model(name, quadrature).make_kernel(q_vectors)


def evaluate(kernel: Any, parameters: dict[str, Any]) -> np.ndarray:
    """Intensity in 1/cm at the q values of the kernel; silent about overflow, the caller checks values."""
    from sasmodels.direct_model import call_kernel

    with np.errstate(all="ignore"):
        return np.asarray(call_kernel(kernel, dict(parameters)), np.float64)


def random_parameters(
    name: str, seed: np.random.SeedSequence, *, oriented: bool = False, max_evaluations: int = 1
) -> dict[str, Any]:
    """Draw parameters as sasmodels' own comparison tool does: monodisperse, or with the dispersity it draws.

    Parameters
    ----------
    name : str
        Model, or product of models.
    seed : SeedSequence
        The draw depends on nothing else.
    oriented : bool
        Keep the orientation parameters (2-D); a curve does not depend on them and is told none.
    max_evaluations : int
        Most points of a polydispersity mesh; a drawn mesh that is larger is thinned, below 5 dropped.
    """
    from sasmodels import compare

    info = _model(name, None).info
    with compare.push_seed(seed.generate_state(8)):
        drawn = compare.randomize_pars(info, compare.get_pars(info), is2d=oriented)
        compare.constrain_pars(info, drawn)
    callable_names = {p.name for p in info.parameters.call_parameters}
    angles = {p.name for p in info.parameters.call_parameters if p.type == "orientation"}
    kept = {}
    for key, value in drawn.items():
        stem = key.split("_pd")[0] if "_pd" in key else key
        magnetic = stem.endswith(("_M0", "_mtheta", "_mphi")) or stem.startswith("up_")
        if stem in callable_names and not magnetic and (oriented or stem not in angles):
            kept[key] = value.item() if isinstance(value, np.generic) else value
    return _thin(kept, max_evaluations)


def _thin(parameters: dict[str, Any], most: int) -> dict[str, Any]:
    """Drop what belongs to monodisperse parameters; thin the mesh of the others to ``most`` points."""
    counts = {
        key: int(n)
        for key, n in parameters.items()
        if key.endswith("_pd_n") and n > 0 and parameters.get(key[:-2], 0.0) > 0
    }
    mesh = int(np.prod(list(counts.values()))) if counts else 1
    if mesh > most:
        factor = (most / mesh) ** (1 / len(counts))
        counts = {key: int(n * factor) for key, n in counts.items()}
        counts = {key: n for key, n in counts.items() if n >= 5}
    result = {key: value for key, value in parameters.items() if "_pd" not in key}
    for key, n in counts.items():
        result |= {key: n, key[:-2]: parameters[key[:-2]], key[:-1] + "nsigma": 3.0}
    return result
