"""How the steps of kernels are compiled.

A kernel allocates its arrays once and hands them on in named tuples. To take one from a tuple numba counts
a reference up and down again by atomic instructions, which cost up to a fifth of a value's time. A `step`
allocates nothing and outlives nothing that it is handed, so it counts none: numba refuses one that would have
to.
"""

from __future__ import annotations

from numba import njit

__all__ = ["float_step", "inlined_step", "step"]

step = njit(cache=True, nogil=True, _nrt=False)
inlined_step = njit(cache=True, nogil=True, _nrt=False, forceinline=True)  # for each decision
float_step = njit(cache=True, nogil=True, _nrt=False, error_model="numpy")  # IEEE quotients
