"""Small whole-number functions that kernels share."""

from __future__ import annotations

from numba import njit

__all__ = ["clip", "level"]


@njit(cache=True, nogil=True)
def clip(value: int, bound: int) -> int:
    """``value`` inside [-bound, bound]."""
    return min(max(value, -bound), bound)


@njit(cache=True, nogil=True)
def level(size: int) -> int:
    """Half-octave class of a size >= 0: 0, 1, 2, 3, 4, 5, .. for 0, 1, 2, 3, 4-5, 6-7, 8-11, .."""
    length = 0
    while size >> length > 3:
        length += 1
    return 2 * length + (size >> length)
