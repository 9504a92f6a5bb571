"""What the L2 mode codes of an item: its values or their logarithms, without the points that stay exact.

Masked points, sentinels, NaN and infinities stay where they are in the item that travels beside the codes;
all other values of that item are zeros. The codes have the value before in place of an exact one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from invae.codec.bounds import Bound, live_values
from invae.codec.coding.gaps import fill_gaps
from invae.codec.coding.transforms import exp10, rounded
from invae.data.records import Curve, Frame

__all__ = ["EXACT", "FEWEST", "LINEAR", "LOG", "L2Values", "item_values"]

EXACT, LINEAR, LOG = 0, 1, 2
FEWEST = 4  # values: fewer are shorter than any code of them


def item_values(item: Any) -> np.ndarray:
    """Return the values of a record, or the array."""
    return np.asarray(item.values if isinstance(item, Curve | Frame) else item)


class L2Values:
    """Values of one item.

    Attributes
    ----------
    exact : ndarray of bool
        Where values are kept.
    mode : int
        EXACT (all are), LINEAR (coded as they are) or LOG (as log10).
    """

    def __init__(self, item: Any, exact: np.ndarray, mode: int) -> None:
        self.item = item
        self.values = item_values(item)
        self.exact = exact
        self.mode = mode

    @classmethod
    def to_code(cls, item: Any) -> L2Values:
        """Decide how an item is coded."""
        values, mask = item_values(item), _mask(item)
        live = live_values(values, mask)
        known = values[live]
        if known.size < FEWEST or values.dtype.kind == "b" or known.min() == known.max():
            mode = EXACT  # the error is relative to the spread, and there is none
        else:
            mode = LOG if values.dtype.kind == "f" and (known > 0).all() else LINEAR
        return cls(item, ~live, mode)

    @classmethod
    def to_decode(cls, item: Any, mode: int) -> L2Values:
        """Take the item that travelled beside the codes: exact is what is masked or not zero in it."""
        values, mask = item_values(item), _mask(item)
        exact = values != 0
        return cls(item, exact if mask is None else exact | (mask != 0), mode)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.values.shape

    def hollow(self) -> Any:
        """Return the item with zeros in place of what is coded."""
        if self.mode == EXACT:
            return self.item
        return self._with(np.where(self.exact, self.values, np.zeros((), self.values.dtype)))

    def coded(self) -> np.ndarray:
        """What is coded, float64 without gaps."""
        v = fill_gaps(self.values, self.exact).astype(np.float64)
        return np.log10(v) if self.mode == LOG else v

    def restored(self, v: np.ndarray) -> np.ndarray:
        """Values of the item from decoded ``v``."""
        if self.mode == LOG:
            v = exp10(v)
        if self.values.dtype.kind in "iu":
            values = rounded(v, self.values.dtype)
        else:
            with np.errstate(over="ignore"):
                values = v.astype(self.values.dtype)
        return np.where(self.exact, self.values, values)

    def restored_item(self, v: np.ndarray) -> Any:
        """Return the item with the values of `restored`."""
        return self._with(self.restored(v))

    def budget(self, tolerance: float) -> float:
        """What ||v' - v|| may be, less a little for the cast to the stored dtype."""
        with np.errstate(over="ignore", invalid="ignore"):
            v = self.coded()[~self.exact]
            room = tolerance * np.linalg.norm(v - v.mean())
        if self.values.dtype.kind in "iu":
            room -= 0.5 * math.sqrt(v.size)
        elif self.values.dtype.itemsize < 8:
            relative = float(np.finfo(self.values.dtype).eps)
            room -= relative * (math.sqrt(v.size) if self.mode == LOG else float(np.linalg.norm(v)))
        return float(room) if np.isfinite(room) and room > 0 else 0.0

    def ratio(self, bound: Bound, v: np.ndarray) -> float:
        """Error of decoded ``v`` in units of the bound."""
        return bound.max_ratio(self.values, self.restored(v), mask=_mask(self.item))

    def keeps(self, bound: Bound, v: np.ndarray) -> bool:
        """Whether decoded ``v`` meets the bound."""
        return self.ratio(bound, v) <= 1

    def _with(self, values: np.ndarray) -> Any:
        return self.item.replace(values=values) if isinstance(self.item, Curve | Frame) else values


def _mask(item: Any) -> np.ndarray | None:
    mask = item.mask if isinstance(item, Curve | Frame) else None
    return None if mask is None else np.asarray(mask)
