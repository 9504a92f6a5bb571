"""Spectral filters: one gain per direction, shared by the autoencoders and the classical regularisers.

A linear map that is diagonal in some basis is given by its gains. With ``s`` the singular values of an
operator F, or the standard deviations of the principal directions of Gamma (``s^2`` its eigenvalues):

========== =============================== ======================================= =====================
filter     gain                            autoencoder whose optimum it is         classical twin
========== =============================== ======================================= =====================
truncated  1 for the first ``rank``        Theorem 1 (no penalty)                  truncated SVD
tikhonov   s^2 / (s^2 + alpha)             product penalty, denoising              Tikhonov, Wiener
soft       (1 - decay / s^2)_+             weight decay, tied contractive, PPCA    soft threshold
elastic    (s^2 - decay)_+ / (s^2 + prod)  both penalties                          elastic net
========== =============================== ======================================= =====================

``elastic`` holds the other three as special cases. A gain is 0 wherever ``s`` is 0: there is nothing to pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from invae.errors import InputError

__all__ = ["FILTERS", "elastic", "inverse_factors", "numerical_rank", "soft", "tikhonov", "truncated"]

Floats = NDArray[np.floating]


def truncated(s: ArrayLike, rank: int) -> Floats:
    """Gain 1 on the first ``rank`` entries of the last axis, 0 beyond; ``s`` sorted from large to small.

    Examples
    --------
    >>> truncated([3.0, 2.0, 1.0, 0.0], 2)
    array([1., 1., 0., 0.])
    """
    s = _singular_values(s)
    if rank < 0:
        raise InputError(f"rank={rank} is negative; use 0 <= rank <= {s.shape[-1]}")
    return np.where((np.arange(s.shape[-1]) < rank) & (s > 0), 1.0, 0.0)


def tikhonov(s: ArrayLike, alpha: ArrayLike) -> Floats:
    """Gain s^2 / (s^2 + alpha); ``alpha`` >= 0 broadcasts (a column of values gives one row of gains each).

    With a penalty alpha ||L x||^2 that the same basis diagonalises, pass ``alpha * mu**2`` for the singular
    values ``mu`` of L.

    Examples
    --------
    >>> tikhonov([2.0, 1.0, 0.0], 1.0)
    array([0.8, 0.5, 0. ])
    """
    return elastic(s, product=alpha)


def soft(s: ArrayLike, decay: ArrayLike) -> Floats:
    """Gain (1 - decay / s^2)_+: directions whose power is below ``decay`` are dropped.

    Examples
    --------
    >>> soft([2.0, 1.0, 0.0], 2.0)
    array([0.5, 0. , 0. ])
    """
    return elastic(s, decay=decay)


def elastic(s: ArrayLike, product: ArrayLike = 0.0, decay: ArrayLike = 0.0) -> Floats:
    """Gain (s^2 - decay)_+ / (s^2 + product), the minimiser of the loss with both penalties.

    Parameters
    ----------
    s : array_like of shape (..., q)
        Singular values or standard deviations, >= 0.
    product, decay : array_like
        Penalty weights >= 0 in units of s^2, broadcast against ``s``.

    Returns
    -------
    ndarray
        Gains in [0, 1].

    Raises
    ------
    InputError
        A negative singular value or weight.

    Examples
    --------
    >>> elastic([3.0, 1.0], product=1.0, decay=2.0)
    array([0.7, 0. ])
    """
    power = _singular_values(s) ** 2
    product, decay = np.asarray(product, np.float64), np.asarray(decay, np.float64)
    for name, weight in (("product", product), ("decay", decay)):
        if not (weight >= 0).all():
            raise InputError(f"a filter weight ({name}) must be >= 0, got {weight.min()}")
    kept = np.maximum(power - decay, 0.0)
    total = power + product
    return np.divide(
        kept, total, out=np.zeros(np.broadcast(kept, total).shape), where=(kept > 0) & (total > 0)
    )


def inverse_factors(s: ArrayLike, gain: ArrayLike) -> Floats:
    """Filtered inverse ``gain / s``, with 0 where ``s`` is 0: x = sum_i (gain_i / s_i) <u_i, y> v_i."""
    s, gain = np.broadcast_arrays(_singular_values(s), np.asarray(gain, np.float64))
    return np.divide(gain, s, out=np.zeros(s.shape), where=s > 0)


def numerical_rank(s: ArrayLike, size: int, rtol: float | None = None) -> int:
    """Count of singular values above ``rtol * s.max()``; the default rtol is ``size`` times machine epsilon.

    ``size`` is the larger dimension of the factorised matrix. For eigenvalues of a Gram matrix pass the
    eigenvalues themselves: their rounding error is eps times the largest *eigenvalue*.
    """
    s = np.asarray(s)
    if s.size == 0:
        return 0
    rtol = size * float(np.finfo(np.float64).eps) if rtol is None else rtol
    return int(np.count_nonzero(s > rtol * s.max()))


def _singular_values(s: ArrayLike) -> Floats:
    s = np.asarray(s, np.float64)
    if not (s >= 0).all():
        raise InputError("singular values must be >= 0 and not NaN; pass the absolute values, largest first")
    return s


FILTERS = {"truncated": truncated, "tikhonov": tikhonov, "soft": soft, "elastic": elastic}
