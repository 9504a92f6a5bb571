"""Finite-volume diffusion on a grid and its L-stable time stepping.

    du/dt = L u,   (L u)_i = sum over neighbours j of  kappa_ij (u_j - u_i) / h^2,

with the harmonic mean kappa_ij = 2 kappa_i kappa_j / (kappa_i + kappa_j) on a face and no flux through the
boundary. L is symmetric, negative semidefinite, and keeps the total heat.

The two-stage, stiffly accurate SDIRK method with gamma = 1 - 1 / sqrt(2) has the stability function R(z) = (1
+ (1 - 2 gamma) z) / (1 - gamma z)^2. With w = 1 / (1 - gamma z) it is R = (1 + sqrt 2) w^2 - sqrt 2 w: one
step is two solves with one factorised matrix, and as a function of L it is symmetric, so it is its own
adjoint.

References
----------
R. Alexander (1977), Diagonally implicit Runge-Kutta methods for stiff ODEs, SIAM J. Numer. Anal. 14.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

__all__ = ["Sdirk2", "diffusion_eigenvalues", "diffusion_matrix"]

GAMMA = 1 - 1 / math.sqrt(2)


def diffusion_matrix(conductivity: np.ndarray, spacing: float) -> sparse.csc_array:
    """The symmetric matrix L (n, n) for cell conductivities of any number of axes."""
    index = np.arange(conductivity.size).reshape(conductivity.shape)
    rows, columns, values = [], [], []
    for axis in range(conductivity.ndim):
        size = conductivity.shape[axis]
        i, j = (np.take(index, np.arange(*span), axis).ravel() for span in ((size - 1,), (1, size)))
        a, b = conductivity.ravel()[i], conductivity.ravel()[j]
        total = a + b
        face = 2 * a * b / np.where(total > 0, total, 1) / spacing**2
        for p, q, sign in ((i, j, 1), (j, i, 1), (i, i, -1), (j, j, -1)):
            rows.append(p)
            columns.append(q)
            values.append(sign * face)
    shape = (conductivity.size, conductivity.size)
    entries = (np.concatenate(rows), np.concatenate(columns))
    return sparse.coo_array((np.concatenate(values), entries), shape=shape).tocsc()


def diffusion_eigenvalues(dims: tuple[int, ...], spacing: float) -> np.ndarray:
    """Eigenvalues of L for unit conductivity in the order of the DCT-II: -sum (2 - 2 cos(pi k / n)) / h^2."""
    total = np.zeros(dims)
    for axis, size in enumerate(dims):
        values = (2 * np.sin(np.pi * np.arange(size) / (2 * size))) ** 2 / spacing**2
        total -= values.reshape([-1 if a == axis else 1 for a in range(len(dims))])
    return total


class Sdirk2:
    """exp(T L), and the integral of exp(t L) over 0 <= t <= T, by equal steps; (n, N) in, (n, N) out."""

    def __init__(self, matrix: sparse.csc_array, time: float, n_steps: int) -> None:
        self.step, self.n_steps = time / n_steps, n_steps
        shifted = sparse.identity(matrix.shape[0], format="csc") - (GAMMA * self.step) * matrix
        # Symmetric positive definite: no pivoting needed, and a symmetric fill-reducing order.
        self._lu = splu(
            sparse.csc_matrix(shifted),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def propagate(self, u: np.ndarray) -> np.ndarray:
        """State after the time T from the state `u`."""
        for _ in range(self.n_steps):
            u = self._advance(u)
        return u

    def accumulate(self, source: np.ndarray) -> np.ndarray:
        """State after the time T from zero under a source that does not change with time."""
        # One step adds h (R - 1) / z = h [(1 - gamma) w^2 + gamma w].
        once = self._lu.solve(source)
        added = self.step * ((1 - GAMMA) * self._lu.solve(once) + GAMMA * once)
        u = added
        for _ in range(self.n_steps - 1):
            u = self._advance(u) + added
        return u

    def _advance(self, u: np.ndarray) -> np.ndarray:
        once = self._lu.solve(u)
        return (1 + math.sqrt(2)) * self._lu.solve(once) - math.sqrt(2) * once
