"""The ladder of cells: which decisions lead to a mirrored distance to a centre, and how wide cells are.

Decision 0: is it in the centre cell, 2^z values about 0; 1: is it beyond, on the positive side; then from
cell to cell away from the centre: is it beyond this one, too. Cells have 2^z values; from the seventh on
every second one has twice as many as before, so that far values take few decisions. Kinds of decisions, each
with odds of its own: the first and second cell on either side (2 to 5), three more (6), and all others (7).
"""

from __future__ import annotations

from numba import njit

__all__ = ["MOST_BITS", "N_DECISIONS", "cell_bits", "cell_kind", "cell_size", "centre_cell"]

N_DECISIONS = 8
MOST_BITS = 50  # of a cell: wider ones would leave the range that models code
FINEST = 4096  # 16 steps, in 1/256


@njit(cache=True, nogil=True)
def cell_size(error: int) -> int:
    """log2 z of the values of a cell where predictions err by ``error`` (in 1/256).

    An error spans at most sixteen cells: more would only be decisions that say nothing.
    """
    z = 0
    while error >> z >= FINEST:
        z += 1
    return z


@njit(cache=True, nogil=True)
def centre_cell(z: int) -> tuple[int, int]:
    """First and last distance in the centre cell."""
    low = -(((1 << z) - 1) >> 1)
    return low, low + (1 << z) - 1


@njit(cache=True, nogil=True)
def cell_bits(cell: int, z: int) -> int:
    """log2 of the values in the ``cell``-th cell, 1, 2, .., away from the centre."""
    return z + (max(cell - 5, 0) >> 1)


@njit(cache=True, nogil=True)
def cell_kind(cell: int, positive: int) -> int:
    """Kind of the decision whether a value is beyond the ``cell``-th cell of its side."""
    return 6 + min(cell - 3, 3) // 3 if cell > 2 else 2 * cell + (1 - positive)
