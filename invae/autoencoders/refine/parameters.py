"""What parameters a `PatchAffineRefiner` accepts."""

from __future__ import annotations

import math
from typing import Any

from invae.errors import InputError

__all__ = ["check_refiner"]


def check_refiner(refiner: Any) -> None:
    """Refuse values that no data can mend."""
    if not hasattr(refiner.reconstructor, "predict"):
        raise InputError(f"reconstructor={refiner.reconstructor!r} is not one; pass a BayesRiskReconstructor")
    for name in ("n_stages", "n_clusters", "n_components", "stride", "patch", "core"):
        if int(getattr(refiner, name)) != getattr(refiner, name) or getattr(refiner, name) < 1:
            raise InputError(f"{name}={getattr(refiner, name)} must be an integer of at least 1")
    if refiner.n_folds < 2:
        raise InputError(f"n_folds={refiner.n_folds} must be at least 2: layers are fitted out of fold")
    if refiner.max_images < refiner.n_folds:
        raise InputError(
            f"max_images={refiner.max_images} leaves one of n_folds={refiner.n_folds} empty; use some hundred"
        )
    patch, core, stride = refiner.patch, refiner.core, refiner.stride
    if not (patch % 2 and core % 2 and stride <= core <= patch):
        raise InputError(
            f"patch={patch}, core={core}, stride={stride}: want stride <= core <= patch, patch and core odd"
        )
    if refiner.sharpness != "auto" and not (
        isinstance(refiner.sharpness, int | float) and 0 < refiner.sharpness < math.inf
    ):
        raise InputError(f'sharpness={refiner.sharpness!r} is neither "auto" nor a positive number')
    if refiner.symmetry not in ("auto", "square", None):
        raise InputError(f'symmetry={refiner.symmetry!r} is unknown; choose "auto", "square" or None')
    if not 0 < refiner.ridge < math.inf or not 0 <= refiner.borrow < math.inf:
        raise InputError(f"ridge={refiner.ridge} must be positive, borrow={refiner.borrow} not negative")
    if refiner.bounds is not None and len(refiner.bounds) != 2:
        raise InputError(
            f"bounds={refiner.bounds} must be a pair (least, greatest), None where there is none"
        )
    low, high = refiner.bounds or (None, None)
    if low is not None and high is not None and not low < high:
        raise InputError(f"bounds={refiner.bounds} hold no value; pass (least, greatest), least < greatest")
    if refiner.consistency is True and not hasattr(getattr(refiner.reconstructor, "operator", None), "apply"):
        raise InputError("consistency=True needs a reconstructor with an invae operator")
