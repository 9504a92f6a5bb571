"""Sparsity in a wavelet basis: min 1/2 ||F x - y||^2 + lambda ||W_d x||_1, optionally with x >= 0.

W is an orthonormal wavelet transform, W_d its details (the coarsest approximation is not shrunk). Accelerated
proximal gradients, started anew whenever they point uphill (Beck, Teboulle 2009, SIAM J. Imaging Sci. 2;
O'Donoghue, Candes 2015). With x >= 0 the proximal map itself is a small dual problem, warm-started.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from invae.classical.base import ClassicalMethod, iterations_used_up
from invae.errors import InputError
from invae.extras import optional_imports
from invae.linalg.samples import is_number, shown
from invae.operators.rows import adjoint, forward, operator_norm

__all__ = ["WaveletL1"]


class WaveletL1(ClassicalMethod):
    """Soft-thresholded wavelets by FISTA, a whole batch at once.

    Parameters
    ----------
    operator : pylops.LinearOperator
    parameter : float or str, default "discrepancy"
        The weight lambda, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    wavelet : str, default "db4"
        An orthogonal wavelet of PyWavelets ("haar", "db4", "sym8", ...).
    levels : int or None
        Depth of the transform; 2^levels must divide every side. None goes as deep as that and the wavelet's
        length allow, at least one level.
    nonnegative : bool, default True
    tau : float, default 1.0
        Safety factor of the discrepancy rule.
    max_iter : int, default 300
    tol : float, default 1e-4
        A row has converged when it moves by less than this, relative, in ten iterations.

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        lambda of each row of the last `predict`.
    n_iter_ : ndarray of shape (N,)
        Iterations of each row in the last solve.
    converged_ : ndarray of shape (N,)
        Whether each row met ``tol``.
    """

    _deviations = 0.0
    _zooms = 1

    def __init__(
        self,
        operator: Any,
        parameter: float | str = "discrepancy",
        noise: Any = None,
        wavelet: str = "db4",
        levels: int | None = None,
        nonnegative: bool = True,
        tau: float = 1.0,
        max_iter: int = 300,
        tol: float = 1e-4,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.wavelet = wavelet
        self.levels = levels
        self.nonnegative = nonnegative
        self.tau = tau
        self.max_iter = max_iter
        self.tol = tol

    def _prepare(self) -> None:
        dims = tuple(self.operator.dims)
        self.transform_ = OrthonormalWavelets(dims, self.wavelet, self.levels)
        norm = operator_norm(self.operator)
        self.step_ = 1.0 / norm**2 if norm > 0 else 1.0

    def _path(self, Y: np.ndarray) -> np.ndarray:
        # Beyond the largest detail of F^T y all details vanish.
        details = self.transform_.forward(adjoint(self.operator, Y)) * self.transform_.details
        top = np.abs(details).reshape(len(Y), -1).max(axis=1)
        return np.maximum(top, np.finfo(np.float32).tiny) * np.geomspace(0.3, 1e-6, 13)[:, None]

    def _seminorm(self, X: np.ndarray) -> np.ndarray:
        details = self.transform_.forward(X) * self.transform_.details
        return np.abs(details).reshape(len(X), -1).sum(axis=1)

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        N, dtype = len(Y), Y.dtype
        step = dtype.type(self.step_)
        bound = (step * np.asarray(values, dtype)).reshape(-1, *(1,) * self.transform_.details.ndim)
        bound = bound * self.transform_.details.astype(dtype)
        out = np.empty((N, self.operator.shape[1]), dtype)
        self.n_iter_ = np.full(N, self.max_iter)
        self.converged_ = np.zeros(N, bool)
        X = np.zeros_like(out)
        V, U = X, np.zeros_like(bound)
        t, row = np.ones((N, 1), dtype), np.arange(N)
        for k in range(1, self.max_iter + 1):
            Z = V - step * adjoint(self.operator, forward(self.operator, V) - Y)
            new, U = self._proximal(Z, bound, U)
            moved = new - X
            uphill = np.einsum("ij,ij->i", V - new, moved) > 0
            t[uphill] = 1
            t_next = 0.5 + np.sqrt(0.25 + t * t)
            V = new + np.where(uphill[:, None], 0, (t - 1) / t_next) * moved
            X, t = new, t_next
            done = np.linalg.norm(moved, axis=1) <= 0.1 * self.tol * np.linalg.norm(X, axis=1)
            self.n_iter_[row[done]] = k
            self.converged_[row[done]] = True
            if k == self.max_iter:
                done[:] = True
            if done.any():
                out[row[done]] = X[done]
                X, V, U, t, Y, bound, row = (part[~done] for part in (X, V, U, t, Y, bound, row))
            if not len(row):
                break
        return out

    def _reconstruct(self, Y: np.ndarray, truth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        values = self._choose(Y, truth)
        self._reached = self.converged_ if self.parameter == "discrepancy" else np.ones(len(Y), bool)
        X = self._solve(Y, values)
        self.converged_ &= self._reached
        return X, values

    def _shortfall(self) -> str:
        return iterations_used_up(self) if self._reached.all() else super()._shortfall()

    def _proximal(self, Z: np.ndarray, bound: np.ndarray, U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """argmin 1/2 ||x - z||^2 + bound |W x|_1 over allowed x, and the dual to start from next."""
        W = self.transform_
        if not self.nonnegative:
            C = W.forward(Z)
            return W.inverse(C - np.clip(C, -bound, bound)), U
        # x = (z - W^T u)_+ with u in the box; W is orthonormal, so the dual's gradient steps have length 1.
        for _ in range(_INNER):
            U = np.clip(U + W.forward(np.maximum(Z - W.inverse(U), 0)), -bound, bound)
        return np.maximum(Z - W.inverse(U), 0), U


_INNER = 3
LARGEST_DENSE = 64  # side up to which a dense matrix is the faster one


class OrthonormalWavelets:
    """Periodic orthonormal wavelet transform of rows (N, n) by one small matrix for each level and axis.

    Coefficients come as (N, *dims), the approximation in the corner at the origin.

    Attributes
    ----------
    details : ndarray of shape dims
        1 where a coefficient is a detail, 0 on the coarsest approximation.
    """

    def __init__(self, dims: tuple[int, ...], wavelet: str, levels: int | None) -> None:
        with optional_imports():
            import pywt

        named = isinstance(wavelet, str) and wavelet in pywt.wavelist(kind="discrete")
        if not named or not pywt.Wavelet(wavelet).orthogonal:
            raise InputError(
                f"wavelet={shown(wavelet)} is no orthogonal wavelet of PyWavelets; use e.g. 'haar' or 'db4'"
            )
        if len(dims) > 2:
            raise InputError(f"signals of shape {dims}: wavelets here are for one or two dimensions")
        divisible = min((size & -size).bit_length() - 1 for size in dims)
        if levels is None:
            usual = min(pywt.dwt_max_level(size, pywt.Wavelet(wavelet).dec_len) for size in dims)
            levels = min(divisible, max(usual, 1))
        if divisible == 0:
            raise InputError(f"sides {dims} can be halved 0 times; pad or cut the signals to even sides")
        if not is_number(levels, 1) or int(levels) != levels or levels > divisible:
            raise InputError(
                f"sides {dims} can be halved {divisible} times, not {shown(levels)}; "
                f"use 1 <= levels <= {divisible}"
            )
        self.dims = dims
        self._matrices = []
        levels = int(levels)
        for level in range(levels):
            sides = [size >> level for size in dims]
            self._matrices.append([_analysis_matrix(pywt, wavelet, side) for side in sides])
        self.details = np.ones(dims)
        self.details[tuple(slice(size >> levels) for size in dims)] = 0.0

    def forward(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients (N, *dims) of rows (N, n)."""
        C = rows.reshape(-1, *self.dims).copy()
        for matrices in self._matrices:
            corner = (slice(None), *(slice(W.shape[0]) for W in matrices))
            C[corner] = _along_axes(C[corner], [W.astype(C.dtype) for W in matrices])
        return C

    def inverse(self, C: np.ndarray) -> np.ndarray:
        """Rows (N, n) of coefficients (N, *dims)."""
        X = C.copy()
        for matrices in reversed(self._matrices):
            corner = (slice(None), *(slice(W.shape[0]) for W in matrices))
            X[corner] = _along_axes(X[corner], [W.T.astype(X.dtype) for W in matrices])
        return X.reshape(len(X), -1)


def _analysis_matrix(pywt: Any, wavelet: str, side: int) -> np.ndarray | csr_array:
    """One level of the transform of a line as a matrix (side, side): approximation above, details below."""
    matrix = np.concatenate(pywt.dwt(np.eye(side), wavelet, mode="periodization", axis=0))
    return csr_array(matrix) if side > LARGEST_DENSE else matrix


def _along_axes(X: np.ndarray, matrices: list[np.ndarray | csr_array]) -> np.ndarray:
    for axis, matrix in enumerate(matrices, start=1):
        lines = np.moveaxis(X, axis, 0)
        X = np.moveaxis((matrix @ lines.reshape(len(lines), -1)).reshape(lines.shape), 0, axis)
    return X
