"""Doors to the same regression: through the samples, the measurements, the unknowns or a low-rank prior.

The factors of `ReducedRank` follow from whichever space is smallest:

``"samples"``
    the N centred samples are a factor of Gamma; the factorisation is of an (N, m) matrix. Nothing of size
    n x n or m x m exists.
``"measurements"``
    C_xy (n, m) and C_yy (m, m), summed over batches or, for a prior, Gamma applied to the rows of F.
``"unknowns"``
    Gamma (n, n), its eigenvectors sent through the operator.
``"prior"``
    a prior cut to its samples and its lowest modes, sent through the operator.

The first three give the same map; a test holds them to it. The last is for priors of full rank that are too
large for the others; the variance that it cuts off counts as unexplained.
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
from invae.linalg.priors import GaussianPrior
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.whitening import Whitening

__all__ = [
    "DOORS",
    "Fit",
    "apply_adjoint_rows",
    "apply_rows",
    "from_moments",
    "from_pairs",
    "from_prior",
    "operator_dims",
]

logger = logging.getLogger(__name__)

DOORS = ("samples", "measurements", "unknowns", "prior")
BATCH = 1024
LARGEST_SIDE = 6000
LARGEST_CROSS = 2**26  # entries of C_xy
MODES = 600
DRAWS = 32


@dataclass(frozen=True)
class Fit:
    """Factors with the means about which they hold: x_hat = mean_x + A (y - mean_y).

    ``cut_off`` is the mean whitened power that the unmodelled part of a prior leaves in a measurement: it
    acts as noise.
    """

    core: ReducedRank
    mean_x: np.ndarray
    mean_y: np.ndarray
    door: str
    cut_off: float = 0.0


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
        core = ReducedRank.from_factors(_centred(X, mean_x), _centred(Y, mean_y), whitening)
        return Fit(core, mean_x, mean_y, door)
    if door == "measurements":
        return from_moments(_pair_moments(X, Y), whitening)
    signals = Moments.from_batches(X[i : i + BATCH] for i in range(0, N, BATCH))
    power, U = symmetric_eigen(signals.covariance)
    B = np.ascontiguousarray((U * np.sqrt(power)).T)
    core = ReducedRank.from_factors(B, apply_rows(operator, B), whitening)
    return Fit(core, signals.mean, _mean_measurement(operator, signals.mean), door)


def from_moments(moments: PairMoments, whitening: Whitening) -> Fit:
    """Factors from the summed moments of pairs."""
    core = ReducedRank.from_moments(
        moments.covariance_xy, moments.covariance_yy, moments.variance_x, whitening
    )
    return Fit(core, moments.mean_x, moments.mean_y, "measurements")


def from_prior(prior: GaussianPrior, operator: Any, whitening: Whitening, door: str = "auto") -> Fit:
    """Factors from a Gaussian prior, known or learnt."""
    mean_y = _mean_measurement(operator, prior.mean)
    n, m = prior.size, mean_y.size
    if not prior.structured:
        B = np.ascontiguousarray(prior.factor().T)
        return Fit(
            ReducedRank.from_factors(B, apply_rows(operator, B), whitening), prior.mean, mean_y, "prior"
        )
    sizes = {"measurements": m, "unknowns": n, "prior": 0}
    if door == "auto":
        exact = "measurements" if m <= n else "unknowns"
        fits = sizes[exact] <= LARGEST_SIDE and n * min(m, n) <= LARGEST_CROSS
        door = exact if fits else "prior"
        logger.info("fit through the door of the %s (n=%d, m=%d)", door, n, m)
    door = _choose(door, sizes)
    if door == "measurements":
        C_yx = np.empty((m, n))
        for i in range(0, m, BATCH):
            unit = np.zeros((min(BATCH, m - i), m))
            unit[np.arange(len(unit)), i + np.arange(len(unit))] = 1.0
            C_yx[i : i + BATCH] = prior.apply(apply_adjoint_rows(operator, unit))
        C_yy = apply_rows(operator, C_yx)
        core = ReducedRank.from_moments(C_yx.T, (C_yy + C_yy.T) / 2, prior.variance, whitening)
    elif door == "unknowns":
        B = np.ascontiguousarray(prior.factor().T)
        core = ReducedRank.from_factors(B, apply_rows(operator, B), whitening)
    else:
        B = prior.low_rank_factor(MODES)
        core = ReducedRank.from_factors(B, apply_rows(operator, B), whitening)
        core.variance = np.maximum(prior.variance, core.variance)
        left_out = whitening.apply(apply_rows(operator, prior.cut_off(MODES, DRAWS, 0).astype(B.dtype)))
        return Fit(core, prior.mean, mean_y, door, float(np.mean(np.square(left_out, dtype=np.float64))))
    return Fit(core, prior.mean, mean_y, door)


def apply_rows(operator: Any, rows: np.ndarray) -> np.ndarray:
    """Rows (N, n) through an operator of any kind (invae, pylops, matrix, sparse); None is the identity."""
    if operator is None:
        return rows
    if hasattr(operator, "apply"):
        return operator.apply(rows)
    return np.ascontiguousarray((operator @ rows.T).T)


def apply_adjoint_rows(operator: Any, rows: np.ndarray) -> np.ndarray:
    """Rows (N, m) through the adjoint of an operator of any kind."""
    if operator is None:
        return rows
    if hasattr(operator, "apply_adjoint"):
        return operator.apply_adjoint(rows)
    adjoint = operator.H if hasattr(operator, "H") else operator.T
    return np.ascontiguousarray((adjoint @ rows.T).T)


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


def _centred(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    out = rows - mean.astype(rows.dtype)
    out /= rows.dtype.type(math.sqrt(len(rows)))
    return out


def _pair_moments(X: np.ndarray, Y: np.ndarray) -> PairMoments:
    return PairMoments.from_batches((X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, len(X), BATCH))


def _mean_measurement(operator: Any, mean: np.ndarray) -> np.ndarray:
    return np.asarray(apply_rows(operator, mean[None])[0], np.float64)
