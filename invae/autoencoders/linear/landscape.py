"""The loss of a penalised linear autoencoder as a landscape: critical points, Morse indices, gradient flow.

For a second moment Gamma (m, m) with eigenpairs (u_i, sigma_i^2), sigma_1 > sigma_2 > ..., encoder W1 (k, m)
and decoder W2 (m, k), with A = W2 W1,

    J(W1, W2) = tr[(I - A) Gamma (I - A)^T] + p ||A||_F^2 + s (||W1||_F^2 + ||W2||_F^2).

Critical points belong to index sets I of {i : sigma_i^2 > s}, |I| = l <= k: A = U_I diag(g_I) U_I^T with the
gains g_i = (sigma_i^2 - s) / (sigma_i^2 + p). For s > 0 every critical point has W1 = W2^T, so W2 = U_I
diag(g_I)^{1/2} O^T with O (k, l) orthonormal; for s = 0 they are W1 = G diag(g_I) U_I^T, W2 = U_I H with
*any* H G = I_l. With m_s = #{i : sigma_i^2 > s} and d_I = sum_j (i_j - j), all of them are non-degenerate in
the sense of Morse and Bott:

    index      d_I + (k - l) (m_s - l)
    dimension  k l - l (l + 1) / 2  for s > 0,       l (2 k - l)  for s = 0.

The proofs are in docs/transpose-theorem.md and docs/synthetic-landscape.md.

References
----------
[1] Kunin, Bloom, Goeva, Seed (2019), Loss landscapes of regularized linear autoencoders.
[2] Petrevski, Regularized linear autoencoders and topology of loss landscapes. Deviations: U_I is (m, l), and
    the index there, with (k - l) (m - l), holds for s = 0 only; at s > 0 directions below the threshold do
    not descend.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from invae.errors import InputError
from invae.linalg.factorise import symmetric_eigen
from invae.linalg.filters import elastic

__all__ = ["Landscape", "balance", "transpose_gap"]

Weights = tuple[np.ndarray, np.ndarray]


class Landscape:
    """J for one second moment and one pair of penalties.

    Parameters
    ----------
    covariance : ndarray of shape (m, m)
        Gamma, symmetric positive semidefinite, with distinct eigenvalues.
    n_components : int
        k, 1 <= k <= m.
    product : float
        p >= 0.
    decay : float or array_like of shape (k,)
        s >= 0, one number or rising ones, one per code. Distinct ones have one global minimum up to signs,
        with the columns of W2 along the principal directions; critical sets are listed for one number only.

    Attributes
    ----------
    variances, directions : ndarray of shape (q,), (m, q)
        Eigenpairs of Gamma, largest first, up to its numerical rank q.
    gains : ndarray of shape (q,)
        g_i, zero where sigma_i^2 <= s; with several decays, g_i of code i for the first k.
    n_active : int
        m_s, how many directions the decay leaves.

    Examples
    --------
    >>> import numpy as np
    >>> J = Landscape(np.diag([5.0, 4.0, 3.0, 2.0]), 2, product=1.0, decay=2.5)
    >>> J.n_active, J.minimum, J.morse_index((0, 2)), J.morse_index(())
    (3, 12.508..., 1, 6)
    """

    def __init__(
        self, covariance: np.ndarray, n_components: int, product: float = 0.0, decay: float | np.ndarray = 0.0
    ) -> None:
        covariance = np.asarray(covariance, np.float64)
        if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
            raise InputError(f"covariance has shape {covariance.shape}, expected a square (m, m)")
        if not np.allclose(
            covariance, covariance.T, rtol=1e-8, atol=1e-12 * max(1.0, np.abs(covariance).max())
        ):
            raise InputError("covariance is not symmetric; pass X.T @ X / N or its like")
        m = len(covariance)
        if not 1 <= n_components <= m:
            raise InputError(f"n_components={n_components} is not in 1..m={m}")
        decay = np.asarray(decay, np.float64)
        if decay.ndim and (decay.shape != (n_components,) or np.any(np.diff(decay) < 0)):
            raise InputError(
                f"decay must be one number or {n_components} rising ones, got shape {decay.shape}"
            )
        if not (product >= 0 and np.all(decay >= 0)):
            raise InputError(f"penalties must be >= 0, got product={product}, decay={decay}")
        self.covariance, self.n_components, self.product, self.decay = (
            covariance,
            int(n_components),
            product,
            decay,
        )
        self.variances, self.directions = symmetric_eigen(covariance)
        if self.variances.sum() > covariance.trace() + 1e-8 * m * np.abs(covariance).max():
            raise InputError("covariance has a negative eigenvalue; pass X.T @ X / N or its like")
        s = np.full(len(self.variances), decay.flat[-1])
        s[: decay.size] = decay.ravel()[: len(s)]
        self.gains = elastic(np.sqrt(self.variances), product, s)
        self.n_active = int(np.count_nonzero(self.variances > s))
        self._shifted = covariance + product * np.eye(m)

    @property
    def n_features(self) -> int:
        return len(self.covariance)

    # Values and derivatives.

    def loss(self, W1: np.ndarray, W2: np.ndarray) -> float:
        """J at encoder (k, m) and decoder (m, k)."""
        A = W2 @ W1
        R = np.eye(self.n_features) - A
        decay = np.sum(self.decay * (np.sum(W1**2, axis=1) + np.sum(W2**2, axis=0)))
        return float(np.sum((R @ self.covariance) * R) + self.product * np.sum(A**2) + decay)

    def gradient(self, W1: np.ndarray, W2: np.ndarray) -> Weights:
        """dJ/dW1 = 2 (W2^T M + s W1) and dJ/dW2 = 2 (M W1^T + W2 s), with M = A (Gamma + p) - Gamma."""
        M = W2 @ (W1 @ self._shifted) - self.covariance
        return 2 * (W2.T @ M + self._column * W1), 2 * (M @ W1.T + W2 * self.decay)

    def hessian(self, W1: np.ndarray, W2: np.ndarray) -> np.ndarray:
        """Second derivative (2 k m, 2 k m) in the entries of W1, then of W2, both in row order."""
        k, m = self.n_components, self.n_features
        V = np.eye(2 * k * m)
        V1, V2 = V[:, : k * m].reshape(-1, k, m), V[:, k * m :].reshape(-1, m, k)
        M = W2 @ W1 @ self._shifted - self.covariance
        dM = (V2 @ W1 + W2 @ V1) @ self._shifted
        H1 = W2.T @ dM + V2.transpose(0, 2, 1) @ M + self._column * V1
        H2 = dM @ W1.T + M @ V1.transpose(0, 2, 1) + V2 * self.decay
        return 2 * np.concatenate([H1.reshape(-1, k * m), H2.reshape(-1, k * m)], axis=1)

    def inertia(self, W1: np.ndarray, W2: np.ndarray, rtol: float = 1e-9) -> tuple[int, int, int]:
        """Numbers of negative, zero (to ``rtol``) and positive eigenvalues of the Hessian."""
        eigenvalues = np.linalg.eigvalsh(self.hessian(W1, W2))
        tolerance = rtol * np.abs(eigenvalues).max()
        negative, positive = int(np.sum(eigenvalues < -tolerance)), int(np.sum(eigenvalues > tolerance))
        return negative, len(eigenvalues) - negative - positive, positive

    # Critical points.

    @property
    def minimum(self) -> float:
        """Least J: sum of sigma^2 - (sigma^2 - s)^2 / (sigma^2 + p) over the kept, sigma^2 beyond."""
        kept = min(self.n_components, self.n_active)
        s = np.broadcast_to(self.decay, self.n_components)[:kept]
        return float(self.variances.sum() - np.sum(self.gains[:kept] * (self.variances[:kept] - s)))

    def minimiser(self) -> Weights:
        """One global minimiser, W1 = W2^T with columns along the principal directions."""
        kept = min(self.n_components, self.n_active)
        W2 = np.zeros((self.n_features, self.n_components))
        W2[:, :kept] = self.directions[:, :kept] * np.sqrt(self.gains[:kept])
        return W2.T.copy(), W2

    def critical_sets(self) -> Iterator[tuple[int, ...]]:
        """All index sets I, as rising tuples counted from 0; there are `n_critical_sets`."""
        self._demand_one_decay()
        for size in range(min(self.n_components, self.n_active) + 1):
            yield from combinations(range(self.n_active), size)

    @property
    def n_critical_sets(self) -> int:
        """Number of critical manifolds, sum_{l <= k} binomial(m_s, l)."""
        self._demand_one_decay()
        return sum(math.comb(self.n_active, size) for size in range(self.n_components + 1))

    def critical_point(
        self, indices: Sequence[int], mixing: np.ndarray | None = None, left_inverse: np.ndarray | None = None
    ) -> Weights:
        """A critical point (W1, W2) of the manifold of ``indices``.

        Parameters
        ----------
        indices : sequence of int
            I, distinct, counted from 0, each below `n_active`, at most k of them.
        mixing : ndarray of shape (k, l), optional
            O with orthonormal columns; with decay 0 any G of rank l. The first l columns of I_k by default.
        left_inverse : ndarray of shape (l, k), optional
            H with H G = I_l, for decay 0 only; the pseudoinverse by default.
        """
        indices = self._check_indices(indices)
        k, size = self.n_components, len(indices)
        G = np.eye(k, size) if mixing is None else np.asarray(mixing, float)
        H = np.linalg.pinv(G) if left_inverse is None else np.asarray(left_inverse, float)
        if G.shape != (k, size) or H.shape != (size, k) or not np.allclose(H @ G, np.eye(size), atol=1e-8):
            raise InputError(
                f"mixing must be ({k}, {size}) of full rank and left_inverse @ mixing the identity"
            )
        if self.decay > 0 and not (np.allclose(G.T @ G, np.eye(size)) and np.allclose(H, G.T)):
            raise InputError("with decay > 0 the columns of mixing must be orthonormal and W1 = W2^T")
        U, root = self.directions[:, indices], np.sqrt(self.gains[list(indices)])
        return G @ (root[:, None] * U.T), (U * root) @ H

    def critical_value(self, indices: Sequence[int]) -> float:
        """J on the manifold of ``indices``: tr Gamma - sum_I (sigma^2 - s)^2 / (sigma^2 + p)."""
        indices = list(self._check_indices(indices))
        saved = self.gains[indices] * (self.variances[indices] - float(self.decay))
        return float(self.variances.sum() - saved.sum())

    def morse_index(self, indices: Sequence[int]) -> int:
        """Number of descending directions at the manifold of ``indices``; 0 at the global minimum only."""
        indices = sorted(self._check_indices(indices))
        size = len(indices)
        displaced = sum(indices) - size * (size - 1) // 2
        return displaced + (self.n_components - size) * (self.n_active - size)

    def manifold_dimension(self, size: int) -> int:
        """Dimension of the manifolds of ``size`` = l indices."""
        self._demand_one_decay()
        k = self.n_components
        return k * size - size * (size + 1) // 2 if self.decay > 0 else size * (2 * k - size)

    def index_counts(self) -> dict[int, int]:
        """How many critical manifolds have each Morse index, without listing them.

        The number of sets with |I| = l and d_I = d is the coefficient of q^d in the Gaussian binomial [m_s,
        l]_q.
        """
        self._demand_one_decay()
        counts: Counter[int] = Counter()
        for size in range(min(self.n_components, self.n_active) + 1):
            shift = (self.n_components - size) * (self.n_active - size)
            for displaced, number in enumerate(_gaussian_binomial(self.n_active, size)):
                counts[shift + displaced] += number
        return dict(sorted(counts.items()))

    # Flow and measures.

    def gradient_flow(self, W1: np.ndarray, W2: np.ndarray, times: np.ndarray) -> Weights:
        """Solution of d(W1, W2)/dt = -grad J at ``times`` (T,): arrays (T, k, m) and (T, m, k).

        Along it W1 W1^T - W2^T W2 decays as exp(-4 s t) exactly, whatever Gamma and p.
        """
        from scipy.integrate import solve_ivp

        k, m = self.n_components, self.n_features

        def slope(_: float, state: np.ndarray) -> np.ndarray:
            G1, G2 = self.gradient(state[: k * m].reshape(k, m), state[k * m :].reshape(m, k))
            return -np.concatenate([G1.ravel(), G2.ravel()])

        times = np.asarray(times, float)
        state = np.concatenate([np.ravel(W1), np.ravel(W2)])
        span = (min(0.0, times.min()), times.max())
        flow = solve_ivp(slope, span, state, method="DOP853", t_eval=times, rtol=1e-10, atol=1e-12)
        path = flow.y.T
        return path[:, : k * m].reshape(-1, k, m), path[:, k * m :].reshape(-1, m, k)

    def alignment(self, W2: np.ndarray) -> float:
        """Cosine of the largest angle between the range of W2 (m, k) and the kept principal directions."""
        kept = min(self.n_components, self.n_active)
        Q, R = np.linalg.qr(W2)
        if kept == 0 or np.abs(np.diag(R)).max() == 0:
            return 0.0
        return float(np.linalg.svd(Q.T @ self.directions[:, :kept], compute_uv=False)[-1])

    def random_weights(self, rng: int | np.random.Generator | None = None, scale: float = 1.0) -> Weights:
        """Gaussian start, entries of standard deviation ``scale`` / sqrt(m)."""
        rng = np.random.default_rng(rng)
        k, m = self.n_components, self.n_features
        size = scale / math.sqrt(m)
        W1 = size * rng.standard_normal((k, m))
        return W1, size * rng.standard_normal((m, k))

    @property
    def _column(self) -> np.ndarray:
        return self.decay[:, None] if self.decay.ndim else self.decay

    def _demand_one_decay(self) -> None:
        if self.decay.ndim:
            raise InputError(
                "critical sets are listed for one decay only; with several use minimum and minimiser()"
            )
        gaps = np.diff(self.variances)
        if len(gaps) and np.min(-gaps) <= 1e-12 * self.variances[0]:
            raise InputError(
                "covariance has equal eigenvalues: its critical points are no longer one per index set"
            )

    def _check_indices(self, indices: Sequence[int]) -> tuple[int, ...]:
        self._demand_one_decay()
        indices = tuple(int(i) for i in indices)
        if len(set(indices)) != len(indices) or len(indices) > self.n_components:
            raise InputError(f"index set {indices} must hold at most k={self.n_components} distinct indices")
        if any(not 0 <= i < self.n_active for i in indices):
            raise InputError(
                f"index set {indices} leaves 0..{self.n_active - 1}, the directions above the decay"
            )
        return indices


def transpose_gap(W1: np.ndarray, W2: np.ndarray) -> float:
    """||W1 - W2^T||_F^2, zero at every critical point with s > 0."""
    return float(np.sum((W1 - W2.T) ** 2))


def balance(W1: np.ndarray, W2: np.ndarray) -> float:
    """||W1 W1^T - W2^T W2||_F, which gradient flow damps as exp(-4 s t)."""
    return float(np.linalg.norm(W1 @ W1.T - W2.T @ W2))


def _gaussian_binomial(n: int, k: int) -> list[int]:
    """Coefficients of [n, k]_q, by [n, k] = [n - 1, k - 1] + q^k [n - 1, k]."""
    rows = [[1]] + [[0]] * k
    for _ in range(n):
        for j in range(k, 0, -1):
            shifted = [0] * j + rows[j]
            length = max(len(shifted), len(rows[j - 1]))
            rows[j] = [
                (shifted[i] if i < len(shifted) else 0) + (rows[j - 1][i] if i < len(rows[j - 1]) else 0)
                for i in range(length)
            ]
    while len(rows[k]) > 1 and rows[k][-1] == 0:
        rows[k].pop()
    return rows[k]
