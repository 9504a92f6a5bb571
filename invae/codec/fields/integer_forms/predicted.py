"""Residuals of one of the predictors, in the adaptive code: a byte 1 + number of the predictor, the code.

Predictors: `invae.codec.coding.predictors`; code: `invae.codec.coding.entropy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from invae.codec.coding import predictors
from invae.codec.coding.entropy import decode_plane, encode_plane
from invae.codec.coding.varint import Reader
from invae.codec.fields.integer_forms.plane import IntegerPlane, WantedIntegers, sample_rows

__all__ = ["Predicted", "predicted_bits"]

TRIED = 2  # predictors that are coded in full, as estimates within `NEAR` of each other may be out of order
SMALL = 1 << 16  # values; in larger planes a second coding costs more time than it saves bytes
NEAR = 0.05


class Predicted:
    """Residuals of the best causal predictor."""

    numbers = tuple(range(1, 1 + len(predictors.PREDICTORS)))
    settles = False

    def bids(self, task: IntegerPlane, others: Sequence[bytes]) -> Iterator[bytes]:
        """Bid with the most promising predictors, the best estimate first."""
        for name in _promising(task.plane):
            code = encode_plane(predictors.residuals(task.plane, name))
            yield bytes([1 + predictors.PREDICTORS.index(name)]) + code

    def decode(self, number: int, reader: Reader, wanted: WantedIntegers) -> np.ndarray:
        """Inverse of `bids`."""
        residuals = decode_plane(reader.rest(), *wanted.shape)
        return predictors.restore(residuals, predictors.PREDICTORS[number - 1])


def _promising(plane: np.ndarray) -> list[str]:
    """Names of the predictors worth coding, best estimate first."""
    costs = predicted_bits(sample_rows(plane))
    ranked = sorted(costs, key=costs.__getitem__)
    near = [name for name in ranked if costs[name] - costs[ranked[0]] <= NEAR * abs(costs[ranked[0]])]
    return near[: TRIED if plane.size <= SMALL else 1]


def predicted_bits(rows: np.ndarray) -> dict[str, float]:
    """Estimated bits of some rows with each predictor."""
    names = predictors.PREDICTORS[:4] if rows.shape[0] == 1 else predictors.PREDICTORS
    return {name: predictors.cost(predictors.residuals(rows, name)) for name in names}
