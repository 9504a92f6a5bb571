"""Reduced-rank regression of a signal on its measurement: every rank and noise level from one factorisation.

With x = B w, Cov(w) = I, and y = F x + e, Cov(e) = tau R, let G = R^{-1/2} F B = P S V^T. The map of least
E ||A y - x||^2 is A = Gamma F^T (F Gamma F^T + tau R)^+, and with

    cross    = B V S              (n, q)      = C_xy R^{-1/2} P
    power    = S^2                (q,)
    whitener = P^T R^{-1/2}       (q, m)

it reads A = H (S^2 + tau)^{-1/2} whitener,  H = cross (S^2 + tau)^{-1/2} = U Sigma T^T. The best map of
rank r is U_r U_r^T A [1, 2], with encoder Sigma_r T_r^T (S^2 + tau)^{-1/2} whitener and decoder U_r, and

    risk_r = tr Gamma - sum_{k <= r} Sigma_k^2,    error covariance = Gamma - U_r Sigma_r^2 U_r^T.

Nothing but (cross, power, whitener) depends on how the moments were found: from factors (samples, priors)
or from C_xy and C_yy. F = I and tau = 0 is PCA; F = I and tau > 0 is the product-penalised linear
autoencoder.

References
----------
[1] Izenman (1975), Reduced-rank regression for the multivariate linear model.
[2] Chung, Chung (2014), Optimal regularized inverse matrices. Deviation: C_yy may be singular
(pseudo-inverse).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from invae.linalg.factorise import DIRECT, fix_signs, symmetric_eigen, thin_svd

__all__ = ["RankedMap", "ReducedRank"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RankedMap:
    """Best maps of all ranks at a noise level: x_hat - mean_x = decoder[:, :r] @ encoder[:r] @ (y - mean_y).

    Attributes
    ----------
    decoder : ndarray of shape (n, r)
        U, orthonormal columns in order of what they explain.
    encoder : ndarray of shape (r, m)
    explained : ndarray of shape (q,)
        Sigma^2 of all q >= r directions: expected squared norm that each recovers.
    total : float
        tr Gamma, the expected squared norm of a centred signal.
    """

    decoder: Array
    encoder: Array
    explained: Array
    total: float

    @property
    def risk_curve(self) -> Array:
        """Expected squared error at rank 0, 1, ..., q; shape (q + 1,)."""
        curve = self.total - np.concatenate([[0.0], np.cumsum(self.explained)])
        return np.maximum(curve, 0.0)


class ReducedRank:
    """The factors from which `solve` derives the best map at any noise level and rank.

    Parameters
    ----------
    cross : ndarray of shape (n, q)
    power : ndarray of shape (q,)
    whitener : ndarray of shape (q, m)
    variance : ndarray of shape (n,)
        Diagonal of Gamma.
    """

    def __init__(self, cross: Array, power: Array, whitener: Array, variance: Array) -> None:
        self.cross, self.power, self.whitener, self.variance = cross, power, whitener, variance

    @classmethod
    def from_factors(cls, B: np.ndarray, G: np.ndarray, rtol: float | None = None) -> ReducedRank:
        """From rows of a factor of Gamma and of its image.

        Parameters
        ----------
        B : ndarray of shape (k, n)
            Gamma = B^T B. For N centred samples, the samples over sqrt(N).
        G : ndarray of shape (k, m)
            Whitened image of the same rows, R^{-1/2} F applied to each.
        """
        B, G = np.asarray(B, np.float64), np.asarray(G, np.float64)
        V, s, Pt = thin_svd(G, rtol)
        return cls(B.T @ (V * s), s**2, Pt, np.einsum("ij,ij->j", B, B))

    @classmethod
    def from_moments(
        cls, C_xy: np.ndarray, C_yy: np.ndarray, variance: np.ndarray, rtol: float | None = None
    ) -> ReducedRank:
        """From C_xy R^{-1/2} (n, m), R^{-1/2} C_yy R^{-1/2} (m, m) and the diagonal of Gamma (n,)."""
        power, P = symmetric_eigen(C_yy, rtol)
        return cls(np.asarray(C_xy, np.float64) @ P, power, P.T, np.asarray(variance, np.float64))

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m) of the maps."""
        return self.cross.shape[0], self.whitener.shape[1]

    @property
    def total(self) -> float:
        """tr Gamma."""
        return float(self.variance.sum())

    @cached_property
    def _gram(self) -> Array:
        return self.cross.T @ self.cross

    def solve(self, noise: float = 0.0, rank: int | None = None) -> RankedMap:
        """Best map at noise power ``noise`` (tau), of ``rank`` or of the numerical rank if that is less."""
        n, q = self.cross.shape
        root = 1.0 / np.sqrt(self.power + noise)
        if min(n, q) <= DIRECT:
            U, s, Tt = thin_svd(self.cross * root)
            explained = s**2
            rank = len(s) if rank is None else min(rank, len(s))
            U, encoder = U[:, :rank], (s[:rank, None] * Tt[:rank] * root) @ self.whitener
        elif q <= n:
            explained, T = symmetric_eigen(self._gram * np.outer(root, root))
            rank = len(explained) if rank is None else min(rank, len(explained))
            s, T = np.sqrt(explained[:rank]), root[:, None] * T[:, :rank]
            raw = self.cross @ (T / s)
            U = fix_signs(raw)
            s = np.where(np.einsum("ij,ij->j", U, raw) < 0, -s, s)
            encoder = (T * s).T @ self.whitener
        else:
            H = self.cross * root
            explained, U = symmetric_eigen(H @ H.T)
            rank = len(explained) if rank is None else min(rank, len(explained))
            U = U[:, :rank]
            encoder = (U.T @ H * root) @ self.whitener
        return RankedMap(np.ascontiguousarray(U), encoder, explained, self.total)
