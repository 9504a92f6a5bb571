"""How the steps of kernels are compiled.

A kernel allocates its arrays once and hands them on in named tuples. To take one from a tuple numba counts
a reference up and down again by atomic instructions, which cost up to a fifth of a value's time. A `step`
allocates nothing and outlives nothing that it is handed, so it counts none: numba refuses one that would have
to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["float_step", "inlined_step", "step"]

# numba's own switch for functions without its runtime; its stubs do not know it.
_STEP: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}

step: Callable[[Any], Any] = njit(**_STEP)
inlined_step: Callable[[Any], Any] = njit(**_STEP, forceinline=True)  # for what every decision calls
float_step: Callable[[Any], Any] = njit(**_STEP, error_model="numpy")  # quotients as IEEE has them
