"""Exact diagonalisation of an operator: F = Q^H diag(values) Q with a fast orthonormal transform Q."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

__all__ = ["Spectrum"]


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues and the transform that belongs to them.

    Attributes
    ----------
    values : ndarray of shape dims
        Eigenvalues, in the transform's order; complex only under "fft". Singular values are their moduli.
    transform : {"dct", "fft"}
        Orthonormal DCT-II (half-sample symmetric boundary) or unitary FFT (periodic boundary).

    Examples
    --------
    Any function of the operator is a filter; here F (F + 1)^-1:

    >>> spectrum = Spectrum(np.linspace(0, 1, 8), "dct")
    >>> spectrum.filter(np.ones((1, 8)), spectrum.values / (spectrum.values + 1)).shape
    (1, 8)
    """

    values: np.ndarray
    transform: str

    def analyse(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients Q x of rows (N, n), as (N, n); complex under "fft"."""
        axes = tuple(range(1, 1 + self.values.ndim))
        fields = rows.reshape(-1, *self.values.shape)
        if self.transform == "dct":
            return fft.dctn(fields, axes=axes, norm="ortho").reshape(len(fields), -1)
        return fft.fftn(fields, axes=axes, norm="ortho").reshape(len(fields), -1)

    def synthesise(self, coefficients: np.ndarray) -> np.ndarray:
        """Rows Q^H c (real part) of coefficients (N, n)."""
        axes = tuple(range(1, 1 + self.values.ndim))
        fields = coefficients.reshape(-1, *self.values.shape)
        if self.transform == "dct":
            return fft.idctn(fields, axes=axes, norm="ortho").reshape(len(fields), -1)
        return np.ascontiguousarray(fft.ifftn(fields, axes=axes, norm="ortho").real).reshape(len(fields), -1)

    def filter(self, rows: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """Rows Q^H diag(factors) Q x for real rows (N, n), float32 or float64 kept.

        Under "fft" the factors must be conjugate symmetric (as `values` and functions of them with real
        coefficients are): only the half that a real transform needs is used.
        """
        axes = tuple(range(1, 1 + self.values.ndim))
        fields = rows.reshape(-1, *self.values.shape)
        factors = np.reshape(factors, self.values.shape)
        if self.transform == "dct":
            out = fft.idctn(fft.dctn(fields, axes=axes) * factors.astype(rows.dtype), axes=axes)
        else:
            half = factors[..., : self.values.shape[-1] // 2 + 1]
            half = half.astype(
                np.result_type(rows.dtype, np.complex64) if np.iscomplexobj(half) else rows.dtype
            )
            out = fft.irfftn(fft.rfftn(fields, axes=axes) * half, s=self.values.shape, axes=axes)
        return out.reshape(len(fields), self.values.size)
