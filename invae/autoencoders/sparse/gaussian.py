"""What L1-sparse codes give Gaussian signals when the encoder is linear: soft-thresholded PCA, no more.

For x ~ N(0, Gamma), unit-norm atoms d_i (columns of D, (n, l)) and a linear encoder E (l, n),

    J(D, E) = E ||D E x - x||^2 + w E ||E x||_1,        E |e_i x| = sqrt(2 / pi) (e_i Gamma e_i^T)^{1/2}.

With Gamma = B B^T and Y = D E B the penalty is at least the nuclear norm of Y, and for l >= n it can be equal
to it:

    min J = min_Y ||Y - B||_F^2 + w sqrt(2 / pi) ||Y||_*  =  sum_i min(sigma_i, tau)^2 + 2 tau (sigma_i -
    tau)_+,

with tau = w / sqrt(2 pi) and gains (sigma_i - tau)_+ / sigma_i: the same for every number of atoms l >= n.
More atoms pay only for signals that are not Gaussian, and with an encoder that is not linear. Proof:
docs/sparse-no-go.md.

References
----------
[1] Chung, Bridging linear algebra and autoencoders, eq. (4). Deviation: the atoms have unit norm; without a
    constraint (D / c, c E) drives the penalty to 0 and the problem has no minimum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from invae.errors import InputError
from invae.linalg.factorise import symmetric_eigen

__all__ = ["GaussianSparseOptimum", "gaussian_sparse_loss", "gaussian_sparse_optimum"]


@dataclass(frozen=True)
class GaussianSparseOptimum:
    """``value`` = min J, ``threshold`` = tau, ``gains`` (q,), one best ``encoder`` (q, n) and ``decoder``."""

    value: float
    threshold: float
    gains: np.ndarray
    encoder: np.ndarray
    decoder: np.ndarray


def gaussian_sparse_optimum(covariance: np.ndarray, weight: float) -> GaussianSparseOptimum:
    """The least J for signals N(0, Gamma) and penalty weight w >= 0, over any number l >= n of atoms.

    Examples
    --------
    >>> best = gaussian_sparse_optimum(np.diag([9.0, 4.0, 0.01]), weight=2.5)
    >>> round(best.value, 4), best.gains.round(3)
    (7.9941, array([0.668, 0.501, 0.   ]))
    """
    if not weight >= 0:
        raise InputError(f"weight={weight} must be >= 0")
    variances, U = symmetric_eigen(np.asarray(covariance, float))
    sigma, tau = np.sqrt(variances), weight / math.sqrt(2 * math.pi)
    kept = np.maximum(sigma - tau, 0.0)
    value = float(np.sum(np.minimum(sigma, tau) ** 2 + 2 * tau * kept))
    gains = kept / sigma
    return GaussianSparseOptimum(value, tau, gains, gains[:, None] * U.T, U)


def gaussian_sparse_loss(
    encoder: np.ndarray, decoder: np.ndarray, covariance: np.ndarray, weight: float
) -> float:
    """J for encoder (l, n) and decoder (n, l); atoms are given unit norm and the codes scaled to match."""
    norms = np.linalg.norm(decoder, axis=0)
    if not np.all(norms > 0):
        raise InputError("an atom (a column of the decoder) is zero; atoms have unit norm")
    E, D = encoder * norms[:, None], decoder / norms
    R = D @ E - np.eye(len(D))
    spread = np.sqrt(np.maximum(np.sum((E @ covariance) * E, axis=1), 0.0))
    return float(np.sum((R @ covariance) * R) + weight * math.sqrt(2 / math.pi) * spread.sum())
