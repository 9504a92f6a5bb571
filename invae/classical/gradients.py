"""Compiled inner steps of total variation, and the functional itself.

Images are (N, H, W); a 1-D signal is an image of one row. Forward differences, zero across the far border.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["dual_step", "gradient", "primal_step", "total_variation"]


def gradient(images: np.ndarray) -> np.ndarray:
    """Forward differences (N, 2, H, W) of images (N, H, W): along rows (axis H), then along columns."""
    out = np.zeros((len(images), 2, *images.shape[1:]), images.dtype)
    out[:, 0, :-1] = images[:, 1:] - images[:, :-1]
    out[:, 1, :, :-1] = images[:, :, 1:] - images[:, :, :-1]
    return out


def total_variation(images: np.ndarray) -> np.ndarray:
    """Isotropic TV (N,) of images (N, H, W): sum over pixels of |grad|_2."""
    return np.sqrt((gradient(images) ** 2).sum(axis=1)).sum(axis=(1, 2))


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def dual_step(P, X, sigma, radius):  # pragma: no cover - compiled
    """P <- projection of P + sigma[i] grad X onto |P|_2 <= radius[i] at every pixel; in place."""
    N, H, W = X.shape
    for i in range(N):
        bound = radius[i]
        ascent = sigma[i]
        for r in range(H):
            for c in range(W):
                value = X[i, r, c]
                a = P[i, 0, r, c]
                b = P[i, 1, r, c]
                if r + 1 < H:
                    a += ascent * (X[i, r + 1, c] - value)
                if c + 1 < W:
                    b += ascent * (X[i, r, c + 1] - value)
                size = np.sqrt(a * a + b * b)
                if size > bound:
                    scale = bound / size
                    a *= scale
                    b *= scale
                P[i, 0, r, c] = a
                P[i, 1, r, c] = b


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def primal_step(X, P, G, step, balance, low, Xbar):  # pragma: no cover - compiled
    """X <- max(X - step (G + grad^T P) / balance[i], low), Xbar <- 2 X_new - X_old; step is (H, W)."""
    N, H, W = X.shape
    for i in range(N):
        slower = 1 / balance[i]
        for r in range(H):
            for c in range(W):
                g = G[i, r, c]
                if r + 1 < H:
                    g -= P[i, 0, r, c]
                if r > 0:
                    g += P[i, 0, r - 1, c]
                if c + 1 < W:
                    g -= P[i, 1, r, c]
                if c > 0:
                    g += P[i, 1, r, c - 1]
                old = X[i, r, c]
                new = old - slower * step[r, c] * g
                if new < low:
                    new = low
                X[i, r, c] = new
                Xbar[i, r, c] = 2 * new - old
