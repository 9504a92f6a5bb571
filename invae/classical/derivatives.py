"""Bases in which the operator and a derivative are diagonal together.

A path of Tikhonov problems min ||F x - y||^2 + alpha ||L x||^2 then costs one transform, as for L = 1.
Where F has a fast transform the derivative shares it. Else F is taken to standard form (Elden 1977, BIT
17): with e the constant signal, which L does not see, w = F e and Q = 1 - w w^T / ||w||^2,

    Q F L^+ = U diag(s) V^T,     x = L^+ z + e (w^T (y - F L^+ z)) / ||w||^2,     z = V (f c / s),  c = U^T y,

L^+ being a product in the cosine domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from invae.classical.spectral import LARGEST, SingularBasis, TransformBasis
from invae.errors import InputError
from invae.linalg.factorise import thin_svd
from invae.operators.rows import forward

__all__ = ["difference_eigenvalues", "generalised_basis"]


def difference_eigenvalues(dims: tuple[int, ...], order: int, transform: str) -> np.ndarray:
    """Eigenvalues (dims) of L^T L: first differences (order 1) or their Laplacian (order 2), unit spacing.

    In the cosine basis ("dct", mirrored border) wave k of n has 4 sin^2(pi k / 2n), in the Fourier basis
    ("fft", periodic) 4 sin^2(pi k / n); axes add up.
    """
    total = np.zeros(dims)
    for axis, n in enumerate(dims):
        period = 2 * n if transform == "dct" else n
        line = 4 * np.sin(np.pi * np.arange(n) / period) ** 2
        total += line.reshape((-1,) + (1,) * (len(dims) - axis - 1))
    return total if order == 1 else total**2


def generalised_basis(operator: Any, order: int) -> tuple[SingularBasis | TransformBasis, np.ndarray]:
    """Basis and penalty (q,) for min ||F x - y||^2 + alpha ||L x||^2: gains s^2 / (s^2 + alpha penalty).

    Raises
    ------
    InputError
        The operator is too large to factorise, or does not see constants.
    """
    dims = tuple(operator.dims)
    spectrum = getattr(operator, "spectrum", None)
    if spectrum is not None:
        shared = TransformBasis(spectrum)
        return shared, shared.arrange(difference_eigenvalues(dims, order, spectrum.transform))
    m, n = operator.shape
    if min(m, n) > LARGEST:
        raise InputError(
            f"an operator of shape ({m}, {n}) is too large to factorise (the smaller side may be {LARGEST}); "
            "use an iterative method such as Cgls"
        )
    eigenvalues = difference_eigenvalues(dims, order, "dct").ravel()
    inverse = np.concatenate([[0.0], 1 / np.sqrt(eigenvalues[1:])])
    e = np.full((1, n), 1 / np.sqrt(n))
    w = forward(operator, e)[0]
    size = float(np.linalg.norm(w))
    if not size > 0:
        raise InputError("the operator does not see constants, and neither do derivatives; use order=0")
    # Rows of F^T in the cosine basis, weighted: column j is F applied to the j-th smooth mode.
    axes = tuple(range(1, 1 + len(dims)))
    modes = scipy.fft.idctn(np.eye(n).reshape(n, *dims), axes=axes, norm="ortho").reshape(n, n)
    K = forward(operator, inverse[:, None] * modes).T
    overlap = w @ K / size**2
    U, s, Vt = thin_svd(K - np.outer(w, overlap))
    smooth = (Vt * inverse) @ modes
    synthesis = smooth - np.outer(Vt @ overlap, e)
    basis = SingularBasis(
        np.concatenate([[size], s]),
        np.concatenate([w[:, None] / size, U], axis=1),
        np.concatenate([e, synthesis]),
        orthonormal=False,
    )
    return basis, np.concatenate([[0.0], np.ones(len(s))])
