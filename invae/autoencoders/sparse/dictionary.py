"""Dictionaries of unit-norm atoms, and how they are learnt from signals and their sparse codes.

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

from functools import cached_property

import numpy as np

from invae.linalg.power import largest_eigenvalue

__all__ = ["AtomDictionary", "AtomLearner", "coherence", "first_atoms", "replace_dead_atoms", "update_atoms"]


class AtomDictionary:
    """The linear map from codes (N, l) to signals (N, n) whose matrix is ``atoms`` (n, l)."""

    def __init__(self, atoms: np.ndarray) -> None:
        self.atoms = atoms

    @property
    def code_shape(self) -> tuple[int]:
        return (self.atoms.shape[1],)

    @cached_property
    def gram(self) -> np.ndarray:
        """D^T D, (l, l)."""
        return self.atoms.T @ self.atoms

    @cached_property
    def curvature(self) -> float:
        """lambda_max of the Gram matrix by power iteration, and 2 % on top, for it comes from below."""
        l = len(self.gram)
        start = np.ones(l) / np.sqrt(l) + np.linspace(-0.1, 0.1, l)
        return 1.02 * largest_eigenvalue(lambda v: self.gram @ v, start, 50) or 1.0

    def decode(self, Z: np.ndarray) -> np.ndarray:
        """Signals D z (N, n)."""
        return Z @ self.atoms.T

    def correlate(self, X: np.ndarray) -> np.ndarray:
        """Inner products with every atom, D^T x (N, l)."""
        return X @ self.atoms

    def observed(self, X: np.ndarray) -> np.ndarray:
        """D^T x, for the gradient goes through the Gram matrix."""
        return self.correlate(X)

    def half_gradient(self, Z: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """D^T D z - D^T x, (N, l)."""
        return Z @ self.gram - observed


class AtomLearner:
    """Atoms D (n, l) that improve, in place, from batch to batch."""

    def __init__(self, D: np.ndarray) -> None:
        self.D = D
        self.begin()

    def begin(self) -> None:
        """Forget the sums of the epoch before."""
        l = self.D.shape[1]
        self.A, self.C = np.zeros((l, l)), np.zeros((len(self.D), l))

    def dictionary(self, dtype: np.dtype) -> AtomDictionary:
        """The atoms as they are now."""
        return AtomDictionary(self.D.astype(dtype))

    def usage(self, Z: np.ndarray) -> np.ndarray:
        """How many codes (N, l) use each atom, (l,)."""
        return (Z != 0).sum(axis=0)

    def add(self, dictionary: AtomDictionary, X: np.ndarray, Z: np.ndarray) -> None:
        """Count signals with their codes, and improve the atoms."""
        self.A += (Z.T @ Z).astype(np.float64)
        self.C += (X.T @ Z).astype(np.float64)
        update_atoms(self.D, self.A, self.C)

    def settle(self) -> None:
        """Improve the atoms by all that was counted."""
        update_atoms(self.D, self.A, self.C, n_passes=2)

    def replace_dead(
        self, usage: np.ndarray, X: np.ndarray, Z: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """New atoms where ``usage`` (l,) is zero; their places."""
        return replace_dead_atoms(self.D, usage, X, Z, rng)


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
