"""Methods that are a filter on the operator's singular values: every path of parameters costs one transform.

With F = U diag(s) V^T, c = U^T y and gains f_i: x = V (f c / s), the squared residual is sum (1 - f_i)^2
c_i^2 + ||y - U c||^2, the degrees of freedom are sum f_i. The gains come from `invae.linalg.filters`.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from invae.classical.base import ClassicalMethod
from invae.errors import InputError
from invae.linalg.factorise import thin_svd
from invae.linalg.filters import inverse_factors, numerical_rank
from invae.linalg.samples import error_scale, relative_error
from invae.operators.rows import forward

__all__ = ["SingularBasis", "SpectralMethod", "TransformBasis", "singular_basis"]

LARGEST = 8192


class SingularBasis:
    """Singular values ``s`` (q,), largest first, and the changes of basis that go with them.

    ``power`` (q,) holds the squared norms of the signals' directions, 1 where they are ``orthonormal``.
    """

    def __init__(self, s: np.ndarray, U: np.ndarray, Vt: np.ndarray, orthonormal: bool = True) -> None:
        self.s, self._U, self._Vt = s, U, Vt
        self.orthonormal = orthonormal
        self.power = np.ones(len(s)) if orthonormal else np.einsum("ij,ij->i", Vt, Vt)

    def measurements(self, Y: np.ndarray) -> np.ndarray:
        """c = U^T y of rows (N, m) -> (N, q)."""
        return Y @ self._U

    def signals(self, X: np.ndarray) -> np.ndarray:
        """V^T x of rows (N, n) -> (N, q)."""
        return X @ self._Vt.T

    def synthesise(self, C: np.ndarray) -> np.ndarray:
        """V c of rows (N, q) -> (N, n)."""
        return C @ self._Vt


class TransformBasis:
    """The same for an operator that a fast transform diagonalises; nothing dense is formed.

    An eigenvalue v = |v| e^{i phi} has the singular value |v|; its phase moves into U. Under the Fourier
    transform a wave k and its mirror image -k give two real directions, sqrt(2) times real and imaginary
    part.
    """

    def __init__(self, spectrum: Any) -> None:
        self._spectrum = spectrum
        values = spectrum.values.ravel()
        size = np.abs(values)
        self._phase = np.divide(values, size, out=np.ones_like(values), where=size > 0)
        self._complex = spectrum.transform == "fft"
        index = np.arange(size.size)
        if self._complex:
            grid = np.meshgrid(*(-np.arange(k) % k for k in spectrum.values.shape), indexing="ij")
            mirror = np.ravel_multi_index(grid, spectrum.values.shape).ravel()
            self._real, self._imaginary = index[index <= mirror], index[index < mirror]
            self._mirror = mirror[self._imaginary]
            self._weight = np.where(mirror[self._real] == self._real, 1.0, np.sqrt(2.0))
            size = np.concatenate([size[self._real], size[self._imaginary]])
        order = np.argsort(-size, kind="stable")
        self._order = order[: numerical_rank(size[order], len(size))]
        self.s = size[self._order]
        self.orthonormal, self.power = True, np.ones(len(self.s))

    def measurements(self, Y: np.ndarray) -> np.ndarray:
        """c = U^T y of rows (N, m) -> (N, q)."""
        return self._directions(self._spectrum.analyse(Y) * self._phase.conj())

    def signals(self, X: np.ndarray) -> np.ndarray:
        """V^T x of rows (N, n) -> (N, q)."""
        return self._directions(self._spectrum.analyse(X))

    def synthesise(self, C: np.ndarray) -> np.ndarray:
        """V c of rows (N, q) -> (N, n)."""
        full = np.zeros((len(C), self._phase.size), C.dtype)
        full[:, self._order] = C
        if not self._complex:
            return self._spectrum.synthesise(full)
        Z = np.zeros(full.shape, np.result_type(C.dtype, np.complex64))
        count = len(self._real)
        Z[:, self._real] = full[:, :count] / self._weight
        Z[:, self._imaginary] += 1j * full[:, count:] / np.sqrt(2.0)
        Z[:, self._mirror] = Z[:, self._imaginary].conj()
        return self._spectrum.synthesise(Z)

    def arrange(self, values: np.ndarray) -> np.ndarray:
        """A real function of the waves, shaped as the spectrum's values, in the order of ``s``."""
        flat = values.ravel()
        if self._complex:
            flat = np.concatenate([flat[self._real], flat[self._imaginary]])
        return flat[self._order]

    def _directions(self, Z: np.ndarray) -> np.ndarray:
        if self._complex:
            real = Z[:, self._real].real * self._weight
            Z = np.concatenate([real, np.sqrt(2.0) * Z[:, self._imaginary].imag], axis=1)
        return Z[:, self._order]


_BASES: WeakKeyDictionary[Any, SingularBasis] = WeakKeyDictionary()


def singular_basis(operator: Any) -> SingularBasis | TransformBasis:
    """The operator's own fast diagonalisation where it has one, else a dense singular value decomposition.

    A dense decomposition is made once and kept as long as its operator lives.

    Raises
    ------
    InputError
        Both sides are so large that a dense factorisation is no sensible way.
    """
    spectrum = getattr(operator, "spectrum", None)
    if spectrum is not None:
        return TransformBasis(spectrum)
    m, n = operator.shape
    if min(m, n) > LARGEST:
        raise InputError(
            f"an operator of shape ({m}, {n}) is too large to factorise (the smaller side may be {LARGEST}); "
            "use an iterative method such as Cgls"
        )
    if operator not in _BASES:
        U, s, Vt = thin_svd(forward(operator, np.eye(n)).T)
        _BASES[operator] = SingularBasis(s, U, Vt)
    return _BASES[operator]


class SpectralMethod(ClassicalMethod):
    """Base: a subclass defines ``_gains(values)``, parameters (N, 1) -> gains (N, q), and ``_path(Y)``.

    ``penalty_`` (q,) weighs the directions in the seminorm sum penalty_i (f_i c_i / s_i)^2.
    """

    def _prepare(self) -> None:
        self.basis_ = singular_basis(self.operator)
        self.penalty_ = np.ones(len(self.basis_.s))

    def _gains(self, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        gains = self._gains(np.asarray(values)[:, None])
        c = self.basis_.measurements(Y)
        return self.basis_.synthesise(inverse_factors(self.basis_.s, gains) * c)

    def _table(
        self, Y: np.ndarray, values: np.ndarray, truth: np.ndarray | None, dof: bool
    ) -> dict[str, np.ndarray]:
        s = self.basis_.s
        c = self.basis_.measurements(np.asarray(Y, np.float64))
        outside = np.maximum((np.asarray(Y, np.float64) ** 2).sum(1) - (c**2).sum(1), 0.0)
        names = ["residual", "seminorm", "dof", "gain", "energy"] + ["error"] * (truth is not None)
        table = {name: np.empty(values.shape) for name in names}
        if truth is not None:
            truth = np.asarray(truth, np.float64)
            inside = self.basis_.signals(truth) if self.basis_.orthonormal else None
            scale = error_scale(truth)
        for g, row in enumerate(values):
            gains = self._gains(row[:, None])
            factors = inverse_factors(s, gains)
            x = factors * c
            table["residual"][g] = np.sqrt((((1 - gains) * c) ** 2).sum(1) + outside)
            table["seminorm"][g] = np.sqrt((self.penalty_ * x**2).sum(1))
            table["dof"][g] = gains.sum(1)
            table["gain"][g] = (self.basis_.power * factors**2).sum(1)
            table["energy"][g] = (self.basis_.power * x**2).sum(1)
            if truth is not None and inside is not None:
                # In coordinates: ||x - truth||^2 - ||truth||^2 = ||c||^2 - 2 <c, V^T truth>.
                size = (truth**2).sum(1)
                distance = np.sqrt(np.maximum(size + (x * (x - 2 * inside)).sum(1), 0.0))
                table["error"][g] = distance / scale
            elif truth is not None:
                table["error"][g] = relative_error(self.basis_.synthesise(x), truth)
        return table
