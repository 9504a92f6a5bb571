"""Spaces in which the same regression can be solved: of the samples, the measurements, the signal, or a
low-rank prior.

The factors of `ReducedRank` follow from whichever space is smallest:

``"samples"``
    the N centred samples are a factor of Gamma; the factorisation is of an (N, m) matrix. Nothing of size
    n x n or m x m exists.
``"measurements"``
    C_xy (n, m) and C_yy (m, m), summed over batches or, for a prior, Gamma applied to the rows of F.
``"signal"``
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

from invae.errors import InputError, ModelError
from invae.linalg.factorise import symmetric_eigen
from invae.linalg.moments import Moments, PairMoments
from invae.linalg.priors import GaussianPrior
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.whitening import Whitening
from invae.operators.rows import adjoint, forward

__all__ = ["SPACES", "CentredFactors", "from_moments", "from_pairs", "from_prior"]

logger = logging.getLogger(__name__)

SPACES = ("samples", "measurements", "signal", "prior")
BATCH = 1024  # rows in float64 at a time: 8 MB for 1000 entries, and long products for BLAS
LARGEST_SIDE = 6000  # of a matrix whose eigenvectors are found: 288 MB, a few times 10^12 operations
LARGEST_CROSS = 2**26  # entries of C_xy: 512 MiB
MODES = 600  # of the factor: thousands of pixels share these scales, finer ones are left to the iteration
DRAWS = 32  # their mean power over all entries is one number: known to a few per cent


@dataclass(frozen=True)
class CentredFactors:
    """Factors with the means about which they hold: x_hat = mean_x + A (y - mean_y).

    Attributes
    ----------
    kept : ReducedRank or None
        None in a model that was stored without them; ``core`` then says so.
    mean_x, mean_y : ndarray of shape (n,) and (m,)
    space : str
    cut_off : float
        Mean whitened power that the unmodelled part of a prior leaves in a measurement: it acts as noise.
    """

    kept: ReducedRank | None
    mean_x: np.ndarray
    mean_y: np.ndarray
    space: str
    cut_off: float = 0.0

    @property
    def core(self) -> ReducedRank:
        """The factors.

        Raises
        ------
        ModelError
            The model was stored without them.
        """
        if self.kept is None:
            raise ModelError("this model was saved without its factors; fit again, or save with factors=True")
        return self.kept


def from_pairs(
    X: np.ndarray, Y: np.ndarray, whitening: Whitening, operator: Any = None, space: str = "auto"
) -> CentredFactors:
    """Factors from rows of signals (N, n) and their measurements (N, m).

    ``operator`` says that Y = F X exactly, which allows the signal's space, too.
    """
    N, (n, m) = len(X), (X.shape[1], Y.shape[1])
    sizes = {"samples": N, "measurements": m}
    if operator is not None:
        sizes["signal"] = n
    space = _choose(space, sizes)
    if space == "samples":
        mean_x, mean_y = X.mean(axis=0, dtype=np.float64), Y.mean(axis=0, dtype=np.float64)
        core = ReducedRank.from_factors(_centred(X, mean_x), _centred(Y, mean_y), whitening)
        return CentredFactors(core, mean_x, mean_y, space)
    if space == "measurements":
        return from_moments(_pair_moments(X, Y), whitening)
    signals = Moments.from_batches(X[i : i + BATCH] for i in range(0, N, BATCH))
    power, U = symmetric_eigen(signals.covariance)
    B = np.ascontiguousarray((U * np.sqrt(power)).T)
    core = ReducedRank.from_factors(B, forward(operator, B), whitening)
    return CentredFactors(core, signals.mean, _mean_measurement(operator, signals.mean), space)


def from_moments(moments: PairMoments, whitening: Whitening) -> CentredFactors:
    """Factors from the summed moments of pairs."""
    core = ReducedRank.from_moments(
        moments.covariance_xy, moments.covariance_yy, moments.variance_x, whitening
    )
    return CentredFactors(core, moments.mean_x, moments.mean_y, "measurements")


def from_prior(
    prior: GaussianPrior, operator: Any, whitening: Whitening, space: str = "auto"
) -> CentredFactors:
    """Factors from a Gaussian prior, known or learnt."""
    mean_y = _mean_measurement(operator, prior.mean)
    n, m = prior.size, mean_y.size
    if not prior.structured:
        B = np.ascontiguousarray(prior.factor().T)
        return CentredFactors(
            ReducedRank.from_factors(B, forward(operator, B), whitening), prior.mean, mean_y, "prior"
        )
    sizes = {"measurements": m, "signal": n, "prior": 0}
    if space == "auto":
        exact = "measurements" if m <= n else "signal"
        fits = sizes[exact] <= LARGEST_SIDE and n * min(m, n) <= LARGEST_CROSS
        space = exact if fits else "prior"
        logger.info("fit in the space of the %s (n=%d, m=%d)", space, n, m)
    space = _choose(space, sizes)
    if space == "measurements":
        C_yx = np.empty((m, n))
        for i in range(0, m, BATCH):
            unit = np.zeros((min(BATCH, m - i), m))
            unit[np.arange(len(unit)), i + np.arange(len(unit))] = 1.0
            C_yx[i : i + BATCH] = prior.apply(adjoint(operator, unit))
        C_yy = forward(operator, C_yx)
        core = ReducedRank.from_moments(C_yx.T, (C_yy + C_yy.T) / 2, prior.variance, whitening)
    elif space == "signal":
        B = np.ascontiguousarray(prior.factor().T)
        core = ReducedRank.from_factors(B, forward(operator, B), whitening)
    else:
        B = prior.low_rank_factor(MODES)
        core = ReducedRank.from_factors(B, forward(operator, B), whitening)
        core.variance = np.maximum(prior.variance, core.variance)
        left_out = whitening.apply(forward(operator, prior.cut_off(MODES, DRAWS, 0).astype(B.dtype)))
        power = float(np.mean(np.square(left_out, dtype=np.float64)))
        return CentredFactors(core, prior.mean, mean_y, space, power)
    return CentredFactors(core, prior.mean, mean_y, space)


def _choose(space: str, sizes: dict[str, int]) -> str:
    if space == "auto":
        space = min(sizes, key=lambda name: sizes[name])
        logger.info("fit in the space of the %s: %s", space, sizes)
    if space not in sizes:
        raise InputError(f"space={space!r} is not possible here; choose auto, {' or '.join(sizes)}")
    return space


def _centred(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    out = rows - mean.astype(rows.dtype)
    out /= rows.dtype.type(math.sqrt(len(rows)))
    return out


def _pair_moments(X: np.ndarray, Y: np.ndarray) -> PairMoments:
    return PairMoments.from_batches((X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, len(X), BATCH))


def _mean_measurement(operator: Any, mean: np.ndarray) -> np.ndarray:
    return np.asarray(forward(operator, mean[None])[0], np.float64)
