"""High differences along the rows: a byte 10, a byte with their order k, the adaptive code of them.

Doubles of a smooth function go on smoothly for five or six orders before their rounding shows, where the
predictors of `invae.codec.coding.predictors` end at the third. Column j holds the difference of order
min(j, k); the first column, whose order is 0, differences along itself. Sums wrap modulo 2^64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding import predictors
from invae.codec.coding.entropy import decode_plane, encode_plane
from invae.codec.coding.varint import Reader
from invae.codec.fields.integer_forms.plane import IntegerPlane, WantedIntegers, sample_rows

__all__ = ["Differences", "difference_bits", "differences", "sums"]

NUMBER = 10
ORDERS = range(4, 9)  # beyond the predictors'; at the ninth rounding alone is 200 times a last place


class Differences:
    """Differences of an order from four to eight."""

    numbers = (NUMBER,)
    settles = False

    def bids(self, task: IntegerPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid where an estimate says that a fourth or higher order costs less than the third."""
        if task.plane.shape[1] <= ORDERS[-1]:
            return
        bits = difference_bits(sample_rows(task.plane))
        k = min(bits, key=bits.__getitem__)
        if k in ORDERS:
            yield bytes([NUMBER, k]) + encode_plane(differences(task.plane, k))

    def decode(self, number: int, reader: Reader, wanted: WantedIntegers) -> np.ndarray:
        """Inverse of `bids`."""
        k = reader.byte()
        if k not in ORDERS:
            raise reader.fail(f"differences of order {k} are not possible")
        return sums(decode_plane(reader.rest(), *wanted.shape), k)


def difference_bits(rows: np.ndarray) -> dict[int, float]:
    """Estimated bits of some rows with each order, the third of the predictors among them."""
    return {k: predictors.cost(differences(rows, k)) for k in (ORDERS[0] - 1, *ORDERS)}


def differences(plane: np.ndarray, order: int) -> np.ndarray:
    """Return differences along the rows, of ascending order in the first columns.

    Examples
    --------
    >>> differences(np.array([[1, 4, 9, 16, 25]]), 3)
    array([[1, 3, 2, 0, 0]])
    """
    out = plane.copy()
    for k in range(1, order + 1):
        out[:, k:] = np.diff(out[:, k - 1 :], axis=1)
    out[1:, 0] = np.diff(plane[:, 0])
    return out


def sums(plane: np.ndarray, order: int) -> np.ndarray:
    """Inverse of `differences`."""
    out = plane.copy()
    out[:, 0] = np.cumsum(plane[:, 0])
    for k in range(order, 0, -1):
        out[:, k - 1 :] = np.cumsum(out[:, k - 1 :], axis=1)
    return out
