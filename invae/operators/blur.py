"""Convolution with a known kernel."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import fft

from invae.errors import InputError
from invae.linalg.samples import as_reals, shown
from invae.operators.base import Operator, as_dims
from invae.operators.kernels import gaussian_kernel
from invae.operators.spectrum import Spectrum

__all__ = ["Blur"]

BOUNDARIES = ("reflective", "periodic", "zero")


class Blur(Operator):
    """Convolution y[i] = sum_j k[j] x[i - j], the kernel centred at index size // 2.

    Outside the signal stands its mirror image about the edge of the last pixel ("reflective"), its repetition
    ("periodic") or nothing ("zero"). All three are one formula, F = C K E: extend, convolve on a torus by
    FFT, cut out; the adjoint E^T K^H C^T runs the same steps backwards and is exact for every kernel.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the signal, 1-D or 2-D.
    sigma : float or tuple of float, optional
        Standard deviation of a Gaussian kernel, in pixels, one for all axes or one for each.
    kernel : array_like, optional
        Any kernel instead, with as many axes as the signal; it is used as it is, whatever its sum.
    boundary : {"reflective", "periodic", "zero"}

    Attributes
    ----------
    kernel : ndarray
    spectrum : Spectrum or None
        Exact eigenvalues: under "fft" for the periodic boundary, under "dct" for the reflective one when the
        kernel is even along each axis; None otherwise.

    Raises
    ------
    InputError
        Not exactly one of `sigma` and `kernel`, an unknown boundary, or a kernel with the wrong number of
        axes.

    Examples
    --------
    >>> F = Blur((32, 32), sigma=1.5)
    >>> F.dimsd, F.spectrum.transform, round(float(F.spectrum.values.max()), 12)
    ((32, 32), 'dct', 1.0)
    """

    def __init__(
        self,
        shape: int | tuple[int, ...],
        sigma: float | tuple[float, ...] | None = None,
        *,
        kernel: np.ndarray | None = None,
        boundary: str = "reflective",
    ) -> None:
        dims = as_dims(shape, (1, 2))
        if (sigma is None) == (kernel is None):
            raise InputError("give exactly one of sigma (Gaussian blur, pixels) and kernel (an array)")
        if not isinstance(boundary, str) or boundary not in BOUNDARIES:
            raise InputError(f"boundary={shown(boundary)} is unknown; choose one of {', '.join(BOUNDARIES)}")
        self.sigma = (
            None if sigma is None else tuple(np.atleast_1d(as_reals(sigma, "sigma")).ravel().tolist())
        )
        if kernel is None:
            widths = as_reals(sigma, "sigma")
            if widths.size not in (1, len(dims)):
                raise InputError(
                    f"sigma={shown(sigma)} has {widths.size} entries for a signal with {len(dims)} axes"
                )
            kernel = gaussian_kernel(tuple(np.broadcast_to(widths.ravel(), (len(dims),)).tolist()), len(dims))
        self.kernel = as_reals(kernel, "kernel")
        if self.kernel.ndim != len(dims) or self.kernel.size == 0 or not np.isfinite(self.kernel).all():
            raise InputError(
                f"kernel of shape {self.kernel.shape} does not fit a signal of shape {dims}: "
                "it wants as many axes, and finite values"
            )
        self.boundary = boundary
        super().__init__(dims, dims)

    @cached_property
    def spectrum(self) -> Spectrum | None:
        if self.boundary == "periodic":
            return Spectrum(fft.fftn(_on_torus(self.kernel, self.dims)), "fft")
        if self.boundary == "reflective" and _is_even(self.kernel):
            # An even kernel has a real transform on the doubled torus; its first half belongs to DCT-II.
            full = fft.fftn(_on_torus(self.kernel, tuple(2 * size for size in self.dims))).real
            return Spectrum(np.ascontiguousarray(full[tuple(slice(size) for size in self.dims)]), "dct")
        return None

    @cached_property
    def _torus(self) -> tuple[int, ...]:
        if self.boundary == "reflective":
            return tuple(2 * size for size in self.dims)
        return tuple(
            fft.next_fast_len(size + reach - 1, real=True)
            for size, reach in zip(self.dims, self.kernel.shape)
        )

    @cached_property
    def _response(self) -> np.ndarray:
        return fft.rfftn(_on_torus(self.kernel, self._torus))

    def to_state(self) -> dict[str, Any]:
        return {"shape": list(self.dims), "kernel": self.kernel, "boundary": self.boundary}

    def __repr__(self) -> str:
        if self.sigma is not None:
            sigma = self.sigma[0] if len(self.sigma) == 1 else self.sigma
            return f"Blur({self.dims}, sigma={sigma}, boundary={self.boundary!r})"
        return f"Blur({self.dims}, kernel {self.kernel.shape}, boundary={self.boundary!r})"

    def _apply(self, rows: np.ndarray) -> np.ndarray:
        if self.spectrum is not None:
            return self.spectrum.filter(rows, self.spectrum.values)
        fields = rows.reshape(-1, *self.dims)
        if self.boundary == "reflective":
            for axis in range(1, fields.ndim):
                fields = np.concatenate([fields, np.flip(fields, axis)], axis)
        return self._convolve(fields, self._response)[self._window].reshape(len(rows), -1)

    def _apply_adjoint(self, rows: np.ndarray) -> np.ndarray:
        if self.spectrum is not None:
            return self.spectrum.filter(rows, self.spectrum.values.conj())
        fields = self._convolve(rows.reshape(-1, *self.dims), self._response.conj())
        if self.boundary == "reflective":
            for axis, size in enumerate(self.dims, start=1):
                near, far = np.split(fields, [size], axis)
                fields = near + np.flip(far, axis)
            return fields.reshape(len(rows), -1)
        return fields[self._window].reshape(len(rows), -1)

    @property
    def _window(self) -> tuple[slice, ...]:
        return (slice(None), *(slice(size) for size in self.dims))

    def _convolve(self, fields: np.ndarray, response: np.ndarray) -> np.ndarray:
        """Zero-extend fields to the torus and multiply their transforms."""
        axes = tuple(range(1, fields.ndim))
        response = response.astype(np.result_type(fields.dtype, np.complex64))
        return fft.irfftn(fft.rfftn(fields, s=self._torus, axes=axes) * response, s=self._torus, axes=axes)


def _on_torus(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The kernel with its centre at the origin of a torus; what is larger than the torus wraps around."""
    torus = np.zeros(shape)
    index = [(np.arange(k) - k // 2) % size for k, size in zip(kernel.shape, shape)]
    np.add.at(torus, np.ix_(*index), kernel)
    return torus


def _is_even(kernel: np.ndarray) -> bool:
    """Whether k[-i, j] = k[i, j] = k[i, -j] about the centre size // 2, exactly."""
    odd = all(size % 2 for size in kernel.shape)
    return odd and all(np.array_equal(kernel, np.flip(kernel, axis)) for axis in range(kernel.ndim))
