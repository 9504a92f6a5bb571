"""Reduced-rank regression of a signal on its measurement: every rank and noise level from one factorisation.

With x = B w, Cov(w) = I, and y = F x + e, Cov(e) = tau R, let G = R^{-1/2} F B = P S V^T. The map of least
E ||A y - x||^2 is A = Gamma F^T (F Gamma F^T + tau R)^+, and with

    cross    = B V S              (n, q)      = C_xy R^{-1/2} P
    power    = S^2                (q,)
    whitener = P^T R^{-1/2}       (q, m)

it reads A = H (S^2 + tau)^{-1/2} whitener,  H = cross (S^2 + tau)^{-1/2} = U Sigma T^T. The best map of
rank r is U_r U_r^T A [1, 2], with encoder Sigma_r T_r^T (S^2 + tau)^{-1/2} whitener and decoder U_r, and

    risk_r = tr Gamma - sum_{k <= r} Sigma_k^2,    error covariance = Gamma - U_r Sigma_r^2 U_r^T.

Nothing but (cross, power, whitener) depends on where the moments come from: from factors (samples, priors)
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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invae.linalg.factorise import DIRECT, fix_signs, row_gram, symmetric_eigen, thin_svd
from invae.linalg.whitening import Whitening

__all__ = ["Product", "RankedMap", "ReducedRank"]

Array = NDArray[np.float64]

LARGEST_DENSE = 2**26  # entries of factors that are copied to float64: 512 MiB


class Product:
    """left @ right, kept apart: what multiplies it is thin, and the product itself may not fit into memory.

    The result of a multiplication has the precision of the larger factor.
    """

    __array_ufunc__ = None  # ndarray @ Product comes to __rmatmul__

    def __init__(self, left: np.ndarray, right: np.ndarray) -> None:
        self.left, self.right = left, right
        self.shape = (left.shape[0], right.shape[1])

    @property
    def T(self) -> Product:
        return Product(self.right.T, self.left.T)

    def __matmul__(self, other: np.ndarray) -> np.ndarray:
        return self.left @ (self.right @ other).astype(self.left.dtype, copy=False)

    def __rmatmul__(self, other: np.ndarray) -> np.ndarray:
        return (other @ self.left).astype(self.right.dtype, copy=False) @ self.right


@dataclass(frozen=True)
class RankedMap:
    """Best maps of all ranks at a noise level: x_hat - mean_x = decoder[:, :r] @ encoder[:r] @ (y - mean_y).

    Attributes
    ----------
    decoder : ndarray of shape (n, r)
        U, orthonormal columns in order of what they explain.
    encoder : ndarray of shape (r, m)
    noise_gain : ndarray of shape (r,)
        Diagonal of E R E^T: variance of each code for noise of power 1.
    explained : ndarray of shape (q,)
        Sigma^2 of all q >= r directions: expected squared norm that each recovers.
    total : float
        tr Gamma, the expected squared norm of a centred signal.
    codes : ndarray of shape (r, q) or None
        Where decoder and encoder are products of this with the factors, see `ReducedRank.expand`.
    """

    decoder: Array
    encoder: Array
    noise_gain: Array
    explained: Array
    total: float
    codes: Array | None = None

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

    def __init__(
        self, cross: Array | Product, power: Array, whitener: Array | Product, variance: Array
    ) -> None:
        self.cross, self.power, self.whitener, self.variance = cross, power, whitener, variance

    @classmethod
    def from_factors(
        cls, B: np.ndarray, G: np.ndarray, whitening: Whitening | None = None, rtol: float | None = None
    ) -> ReducedRank:
        """From rows of a factor of Gamma and of its image.

        Parameters
        ----------
        B : ndarray of shape (k, n)
            Gamma = B^T B. For N centred samples, the samples over sqrt(N).
        G : ndarray of shape (k, m)
            Image of the same rows, F applied to each.

        With very many unknowns or measurements the rows are kept as they are, in their own precision, and
        cross and whitener are products of them with small float64 factors.
        """
        whitening = Whitening(1.0) if whitening is None else whitening
        G = whitening.apply(G)
        if len(B) * (B.shape[1] + G.shape[1]) <= LARGEST_DENSE or len(B) > G.shape[1]:
            B, G = np.asarray(B, np.float64), np.asarray(G, np.float64)
            V, s, Pt = thin_svd(G, rtol)
            return cls(B.T @ (V * s), s**2, whitening.apply(Pt), np.einsum("ij,ij->j", B, B))
        power, V = symmetric_eigen(row_gram(G), rtol)
        s = np.sqrt(power)
        variance = np.einsum("ij,ij->j", B, B, dtype=np.float64)
        return cls(Product(B.T, V * s), power, Product((V / s).T, whitening.apply(G)), variance)

    @classmethod
    def from_moments(
        cls,
        C_xy: np.ndarray,
        C_yy: np.ndarray,
        variance: np.ndarray,
        whitening: Whitening | None = None,
        rtol: float | None = None,
    ) -> ReducedRank:
        """From C_xy (n, m), C_yy (m, m) and the diagonal of Gamma (n,)."""
        whitening = Whitening(1.0) if whitening is None else whitening
        power, P = symmetric_eigen(whitening.apply(whitening.apply(C_yy).T), rtol)
        W = whitening.apply(P.T)
        return cls(C_xy @ W.T, power, W, np.asarray(variance, np.float64))

    def to_state(self) -> dict[str, Any]:
        """Arrays, for storing."""
        parts = {name: getattr(self, name) for name in ("cross", "power", "whitener", "variance")}
        return {k: [v.left, v.right] if isinstance(v, Product) else v for k, v in parts.items()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ReducedRank:
        """Rebuild what `to_state` described."""
        parts: dict[str, Any] = {k: Product(*v) if isinstance(v, list) else v for k, v in state.items()}
        return cls(**parts)

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
        if isinstance(self.cross, Product):
            return self.cross.right.T @ row_gram(self.cross.left.T) @ self.cross.right
        return self.cross.T @ self.cross

    def solve(self, noise: float = 0.0, rank: int | None = None, tolerance: float = 0.0) -> RankedMap:
        """Best map at noise power ``noise`` (tau), of ``rank`` or of the numerical rank if that is less.

        Without ``rank`` and with ``tolerance`` > 0: of the smallest rank whose risk is within that share of
        the least.
        """
        n, q = self.cross.shape
        root = 1.0 / np.sqrt(self.power + noise)
        compact = None
        if isinstance(self.cross, Product) or DIRECT < q <= n:
            explained, T = symmetric_eigen(self._gram * np.outer(root, root))
            rank = self._rank(explained, rank, tolerance)
            codes = np.ascontiguousarray((root[:, None] * T[:, :rank] * np.sqrt(explained[:rank])).T)
            raw = self._lift(codes, explained[:rank])
            U = fix_signs(raw)
            codes[np.einsum("ij,ij->j", U, raw) < 0] *= -1
            compact = codes
        elif min(n, q) <= DIRECT:
            U, s, Tt = thin_svd(self.cross * root)
            explained = s**2
            rank = self._rank(explained, rank, tolerance)
            U, codes = U[:, :rank], s[:rank, None] * Tt[:rank] * root
        else:
            H = self.cross * root
            explained, U = symmetric_eigen(H @ H.T)
            U = U[:, : self._rank(explained, rank, tolerance)]
            codes = (U.T @ H) * root
        noise_gain = np.einsum("ij,ij->i", codes, codes)  # the rows of whitener R^{1/2} are orthonormal
        U = np.ascontiguousarray(U)
        return RankedMap(U, codes @ self.whitener, noise_gain, explained, self.total, compact)

    def expand(self, codes: Array, explained: Array) -> tuple[np.ndarray, np.ndarray]:
        """Decoder (n, r) and encoder (r, m) again, from the `codes` of a map and its first r `explained`."""
        return np.ascontiguousarray(self._lift(codes, explained)), codes @ self.whitener

    def posterior(self, t: Array, noise: Array) -> tuple[np.ndarray, np.ndarray]:
        """Mean (N, n), centred, and variance (N, n) at full rank for whitened coordinates t (N, q).

        ``noise`` of shape (N,) is the noise power of each measurement.
        """
        gain = 1.0 / (self.power + noise[:, None])
        mean = (self.cross @ (t * gain).T).T
        variance = np.empty((len(t), len(self.variance)))
        for start in range(0, len(self.variance), 4096):
            stop = start + 4096
            if isinstance(self.cross, Product):
                block = np.asarray(self.cross.left[start:stop] @ self.cross.right, np.float64)
            else:
                block = self.cross[start:stop]
            variance[:, start:stop] = self.variance[start:stop] - gain @ (block**2).T
        return mean, np.maximum(variance, 0.0)

    def _lift(self, codes: Array, explained: Array) -> np.ndarray:
        return self.cross @ (codes / explained[:, None]).T

    def _rank(self, explained: Array, rank: int | None, tolerance: float) -> int:
        if rank is not None:
            return min(rank, len(explained))
        if tolerance == 0 or len(explained) == 0:
            return len(explained)
        risk = self.total - np.cumsum(explained)
        return 1 + int(np.argmax(risk <= risk[-1] * (1 + tolerance)))
