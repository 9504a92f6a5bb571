"""Three doors to the same regression: through the samples, the measurements or the unknowns.

The factors of `ReducedRank` follow from whichever of these is smallest:

``"samples"``
    the N centred samples are a factor of Gamma; the factorisation is of an (N, m) matrix. Nothing of size n
    x n or m x m exists.
``"measurements"``
    C_xy (n, m) and C_yy (m, m), summed over batches.
``"unknowns"``
    Gamma (n, n), summed over batches, its eigenvectors sent through the operator.

All three give the same map; a test holds them to it.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from invae.errors import InputError
from invae.linalg.factorise import symmetric_eigen
from invae.linalg.moments import Moments, PairMoments
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.whitening import Whitening

__all__ = ["DOORS", "Fit", "apply_rows", "from_factors", "from_pairs", "operator_dims"]

logger = logging.getLogger(__name__)

DOORS = ("samples", "measurements", "unknowns")
BATCH = 2048


@dataclass(frozen=True)
class Fit:
    """Factors with the means about which they hold: x_hat = mean_x + A (y - mean_y)."""

    core: ReducedRank
    mean_x: np.ndarray
    mean_y: np.ndarray
    door: str


def from_pairs(
    X: np.ndarray, Y: np.ndarray, whitening: Whitening, operator: Any = None, door: str = "auto"
) -> Fit:
    """Factors from rows of signals (N, n) and their measurements (N, m).

    ``operator`` says that Y = F X exactly, which opens the door of the unknowns.
    """
    N, (n, m) = len(X), (X.shape[1], Y.shape[1])
    sizes = {"samples": N, "measurements": m}
    if operator is not None:
        sizes["unknowns"] = n
    door = _choose(door, sizes)
    if door == "samples":
        mean_x, mean_y = X.mean(axis=0, dtype=np.float64), Y.mean(axis=0, dtype=np.float64)
        scale = 1.0 / math.sqrt(N)
        core = ReducedRank.from_factors((X - mean_x) * scale, whitening.apply((Y - mean_y) * scale))
    elif door == "measurements":
        moments = PairMoments.from_batches((X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, N, BATCH))
        mean_x, mean_y = moments.mean_x, moments.mean_y
        C_yy = whitening.apply(whitening.apply(moments.covariance_yy).T)
        core = ReducedRank.from_moments(whitening.apply(moments.covariance_xy), C_yy, moments.variance_x)
    else:
        signals = Moments.from_batches(X[i : i + BATCH] for i in range(0, N, BATCH))
        mean_x, mean_y = signals.mean, apply_rows(operator, signals.mean[None])[0]
        power, U = symmetric_eigen(signals.covariance)
        B = np.ascontiguousarray((U * np.sqrt(power)).T)
        core = ReducedRank.from_factors(B, whitening.apply(apply_rows(operator, B)))
    return _whitened(core, whitening, mean_x, mean_y, door)


def from_factors(
    B: np.ndarray, G: np.ndarray, mean_x: np.ndarray, mean_y: np.ndarray, whitening: Whitening
) -> Fit:
    """Factors from rows B (k, n), Gamma = B^T B, and their images G (k, m) under the operator."""
    core = ReducedRank.from_factors(B, whitening.apply(G))
    return _whitened(core, whitening, mean_x, mean_y, "prior")


def apply_rows(operator: Any, rows: np.ndarray) -> np.ndarray:
    """Rows (N, n) through an operator of any kind (invae, pylops, matrix, sparse); None is the identity."""
    if operator is None:
        return rows
    if hasattr(operator, "apply"):
        return operator.apply(rows)
    return np.ascontiguousarray((operator @ rows.T).T)


def operator_dims(operator: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Signal and measurement shapes of an operator; flat where it only has a matrix shape."""
    m, n = operator.shape
    return tuple(getattr(operator, "dims", (n,))), tuple(getattr(operator, "dimsd", (m,)))


def _choose(door: str, sizes: dict[str, int]) -> str:
    if door == "auto":
        door = min(sizes, key=lambda name: sizes[name])
        logger.info("fit through the door of the %s: %s", door, sizes)
    if door not in sizes:
        raise InputError(f"door={door!r} is not open here; choose auto, {' or '.join(sizes)}")
    return door


def _whitened(
    core: ReducedRank, whitening: Whitening, mean_x: np.ndarray, mean_y: np.ndarray, door: str
) -> Fit:
    core.whitener = whitening.apply(core.whitener)
    return Fit(core, np.asarray(mean_x, np.float64), np.asarray(mean_y, np.float64), door)
