"""In which context a value is coded: classes of the expected value and of the errors around it."""

from __future__ import annotations

from numba import njit

from invae.codec.stream.bits import bit_length, log_class

__all__ = [
    "ALONG_ROWS",
    "BY_ERROR",
    "BY_FRACTION",
    "BY_VALUE",
    "N_CONTEXTS",
    "PRIMARY",
    "SECONDARY",
    "context",
    "expected",
    "miss",
    "scale",
]

BY_VALUE, BY_ERROR, BY_FRACTION, ALONG_ROWS = 0, 1, 2, 3
PRIMARY, SECONDARY = 160, 8
N_CONTEXTS = PRIMARY * SECONDARY
FAR = 1 << 40


@njit(cache=True, nogil=True)
def expected(left, step):
    """Expected value in 1/16, for the context alone: ``step`` (1/16) from the value on the left."""
    return min(max((min(left, FAR) << 4) + step, 0), 16 * FAR)


@njit(cache=True, nogil=True)
def miss(difference, step):
    """Size of the error in 1/16; ``difference`` to the value on the left, of which ``step`` was foreseen."""
    size = abs((difference << 4) - step)
    return size if 0 <= size < FAR else FAR


@njit(cache=True, nogil=True)
def scale(errors):
    """Low bits of a difference that are coded as they are, where errors (sum of eight) are large."""
    return min(max(bit_length(errors) - 13, 0), 27)


@njit(cache=True, nogil=True)
def context(layout, value, step, errors):
    """Number of the context: PRIMARY * secondary + primary."""
    if layout == BY_VALUE:
        primary = log_class(value >> 1, 3)
        ratio = 2 * log_class(errors, 2) - log_class(value + 8, 2)  # 4 log2 of errors^2 / value
        secondary = min(max((ratio - 24) >> 2, 0), SECONDARY - 1)
    else:
        primary = log_class(errors >> 3, 2)
        secondary = (
            min(bit_length(value >> 2), SECONDARY - 1) if layout == BY_ERROR else ((step + 8) & 15) >> 1
        )
    return secondary * PRIMARY + min(primary, PRIMARY - 1)
