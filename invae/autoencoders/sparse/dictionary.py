"""Learning a dictionary of unit-norm atoms from signals and their sparse codes.

With the sums A = sum z z^T and C = sum x z^T over samples, the loss sum ||x - D z||^2 is, as a function of
one unit-norm atom, least at d_j = u / ||u||, u = C_j - D A_j + A_jj d_j: one pass over the atoms never raises
the loss. Atoms that no code uses are dead; each is replaced by the signal that is represented worst.

References
----------
[1] Mairal, Bach, Ponce, Sapiro (2010), Online learning for matrix factorization and sparse coding,
    algorithms 1 and 2. Deviation: atoms have norm 1, not at most 1, so that the L1 penalty means the same
    for all.
"""

from __future__ import annotations

import numpy as np

__all__ = ["coherence", "first_atoms", "replace_dead_atoms", "update_atoms"]


def first_atoms(X: np.ndarray, n_atoms: int, rng: np.random.Generator) -> np.ndarray:
    """Unit-norm start (n, l): signals drawn by their energy, then mixtures of signals, then noise."""
    n = X.shape[1]
    energy = np.einsum("ij,ij->i", X, X).astype(np.float64)
    alive = np.flatnonzero(energy > 1e-12 * energy.max(initial=0.0))
    D = np.empty((n, n_atoms))
    take = min(n_atoms, len(alive))
    D[:, :take] = X[rng.choice(alive, take, replace=False)].T if take else 0.0
    for j in range(take, n_atoms):
        if take:
            pick = rng.choice(alive, min(4, take), replace=False)
            D[:, j] = rng.standard_normal(len(pick)) @ X[pick]
        if not take or np.linalg.norm(D[:, j]) == 0:
            D[:, j] = rng.standard_normal(n)
    # a little noise keeps repeated signals apart
    D /= np.linalg.norm(D, axis=0)
    D += 1e-3 * rng.standard_normal(D.shape) / np.sqrt(n)
    return D / np.linalg.norm(D, axis=0)


def update_atoms(
    D: np.ndarray, A: np.ndarray, C: np.ndarray, n_passes: int = 1, free: np.ndarray | None = None
) -> None:
    """Improve the atoms in place, one after the other; A (l, l), C (n, l). Unused atoms stay.

    ``free`` (l,) is True where an atom may change; all may by default.
    """
    used = np.diag(A) > 1e-12 * max(np.diag(A).max(initial=0.0), 1e-300)
    places = np.flatnonzero(used if free is None else used & free)
    for _ in range(n_passes):
        for j in places:
            u = C[:, j] - D @ A[:, j] + A[j, j] * D[:, j]
            size = np.linalg.norm(u)
            if size > 0:
                D[:, j] = u / size


def replace_dead_atoms(
    D: np.ndarray, usage: np.ndarray, X: np.ndarray, Z: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Put the errors of the worst represented signals where ``usage`` (l,) is zero; return their places."""
    dead = np.flatnonzero(usage == 0)
    if not len(dead):
        return dead
    error = X - Z @ D.T.astype(X.dtype)
    size = np.linalg.norm(error, axis=1)
    worst = np.argsort(-size, kind="stable")[: len(dead)]
    worst = worst[size[worst] > 1e-8 * max(float(np.linalg.norm(X, axis=1).max(initial=0.0)), 1e-300)]
    dead = rng.permutation(dead)[: len(worst)]
    D[:, dead] = (error[worst] / size[worst, None]).T
    return dead


def coherence(D: np.ndarray) -> float:
    """Largest |cos| between two atoms; sqrt((l - n) / (n (l - 1))) is the least possible for l > n."""
    G = np.abs(D.T @ D)
    np.fill_diagonal(G, 0.0)
    return float(G.max(initial=0.0))
