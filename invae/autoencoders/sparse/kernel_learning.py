"""Learning unit-norm kernels from signals and the sparse maps of their codes.

With c_ij(lag), the correlations of the maps i and j, and C_j(s) = sum <x, z_j moved by s>, the squared error
is, as a function of one kernel,

    const - 2 <C_j - sum_{i != j} c_ji * d_i, d_j> + <d_j, c_jj * d_j>,

and c_jj * . is a part of a circular convolution whose largest eigenvalue is L_j = max_f c_jj(f). So the error
lies below the one with L_j ||d_j||^2 for the last term, which on the unit sphere is least at

    d_j = u / ||u||,   u = C_j - sum_i c_ji * d_i + L_j d_j:

one pass over the kernels never raises the error. With an "open" boundary the signal beyond its edge counts as
what the codes say there, which bounds the error from above in the same way.

References
----------
[1] Mairal, Bach, Ponce, Sapiro (2010), Online learning for matrix factorization and sparse coding: the passes
    over atoms, of which this is the form for kernels.
[2] Dupre la Tour, Moreau, Jas, Gramfort (2018), Multivariate convolutional sparse coding for electromagnetic
    brain signals, section 3.2: sufficient statistics of lags.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from invae.autoencoders.sparse.kernel_dictionary import KernelDictionary

__all__ = ["KernelLearner", "KernelStatistics", "first_kernels", "replace_dead_kernels", "shift_coherence"]


BATCH = 64  # signals decoded at once: maps of all kernels, and their transforms, are in memory


class KernelStatistics:
    """Sums over samples that determine the kernels of least squared error, the codes given.

    Attributes
    ----------
    correlations : ndarray of shape (K, K, *(2 S - 1))
        c_ij.
    targets : ndarray of shape (K, *S)
        C_j.
    """

    def __init__(self, n_kernels: int, size: tuple[int, ...]) -> None:
        self.size = size
        self.lags = tuple(2 * s - 1 for s in size)
        self.axes = tuple(range(-len(size), 0))
        self.correlations = np.zeros((n_kernels, n_kernels, *self.lags))
        self.targets = np.zeros((n_kernels, *size))

    def add(self, dictionary: KernelDictionary, residual: np.ndarray, Z: np.ndarray) -> None:
        """Add samples by their codes (N, K, *grid) and what these leave of the signals, (N, *shape)."""
        correlations = dictionary.code_correlations(Z)
        self.correlations += correlations
        transforms = fft.rfftn(correlations, self.lags, axes=self.axes)
        explained = np.einsum("ij...,j...->i...", transforms, self._forward(dictionary.kernels))
        self.targets += dictionary.kernel_gradient(Z, residual) + self._backward(explained)

    def improve(self, kernels: np.ndarray, n_passes: int = 1) -> None:
        """Passes over the kernels (K, *S), in place. Unused kernels stay."""
        transforms = fft.rfftn(self.correlations, self.lags, axes=self.axes)
        flat = transforms.reshape(len(kernels), len(kernels), -1)
        steep = np.abs(np.einsum("iif->if", flat)).max(axis=1)
        used = np.flatnonzero(steep > 1e-12 * max(steep.max(initial=0.0), 1e-300))
        current = self._forward(kernels)
        for _ in range(n_passes):
            for j in used:
                explained = self._backward(np.einsum("i...,i...->...", transforms[j], current)[None])[0]
                u = self.targets[j] - explained + steep[j] * kernels[j]
                length = np.linalg.norm(u)
                if length > 0:
                    kernels[j] = u / length
                    current[j] = self._forward(kernels[j : j + 1])[0]

    def _forward(self, kernels: np.ndarray) -> np.ndarray:
        return fft.rfftn(kernels.astype(np.float64), self.lags, axes=self.axes)

    def _backward(self, transforms: np.ndarray) -> np.ndarray:
        values = fft.irfftn(transforms, self.lags, axes=self.axes)
        return values[(slice(None), *(slice(0, s) for s in self.size))]


class KernelLearner:
    """Kernels (K, *S) of signals of a shape, that improve, in place, from batch to batch."""

    def __init__(self, kernels: np.ndarray, shape: tuple[int, ...], boundary: str) -> None:
        self.kernels, self.shape, self.boundary = kernels, shape, boundary
        self.begin()

    def begin(self) -> None:
        """Forget the sums of the epoch before."""
        self.sums = KernelStatistics(len(self.kernels), self.kernels.shape[1:])

    def dictionary(self, dtype: np.dtype) -> KernelDictionary:
        """The kernels as they are now, at every place."""
        return KernelDictionary(self.kernels.astype(dtype), self.shape, self.boundary)

    def usage(self, Z: np.ndarray) -> np.ndarray:
        """How many codes (N, K, *grid) use each kernel, (K,)."""
        return (Z != 0).reshape(len(Z), len(self.kernels), -1).sum(axis=(0, 2))

    def add(self, dictionary: KernelDictionary, X: np.ndarray, Z: np.ndarray) -> None:
        """Count signals with their codes, and improve the kernels."""
        self.sums.add(dictionary, X - dictionary.decode(Z), Z)
        self.sums.improve(self.kernels)

    def settle(self) -> None:
        """Improve the kernels by all that was counted."""
        self.sums.improve(self.kernels, n_passes=2)

    def replace_dead(
        self, usage: np.ndarray, X: np.ndarray, Z: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """New kernels where ``usage`` (K,) is zero; their places."""
        if usage.all():
            return np.zeros(0, int)
        dictionary = self.dictionary(X.dtype)
        cuts = [slice(first, first + BATCH) for first in range(0, len(Z), BATCH)]
        residual = np.concatenate([X[cut] - dictionary.decode(Z[cut]) for cut in cuts])
        return replace_dead_kernels(self.kernels, usage, residual, rng)


def first_kernels(
    signals: np.ndarray, n_kernels: int, size: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Unit-norm start (K, *S): windows of the signals (N, *shape) at random places, and a little noise."""
    kernels = np.empty((n_kernels, *size))
    for k in range(n_kernels):
        corner = tuple(int(rng.integers(n - s + 1)) for n, s in zip(signals.shape[1:], size))
        kernels[k] = _window(signals[rng.integers(len(signals))], corner, size)
        noise = rng.standard_normal(size)
        length = np.linalg.norm(kernels[k])
        kernels[k] = kernels[k] / length + 1e-3 * noise / np.sqrt(noise.size) if length > 1e-150 else noise
        kernels[k] /= np.linalg.norm(kernels[k])
    return kernels


def replace_dead_kernels(
    kernels: np.ndarray, usage: np.ndarray, residual: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Put windows of the worst represented signals where ``usage`` (K,) is zero; return the places.

    The window is the one about the largest error of its signal; ``residual`` is x - x_hat, (N, *shape).
    """
    dead = np.flatnonzero(usage == 0)
    if not len(dead):
        return dead
    size, shape = kernels.shape[1:], residual.shape[1:]
    errors = np.linalg.norm(residual.reshape(len(residual), -1), axis=1)
    worst = np.argsort(-errors, kind="stable")[: len(dead)]
    worst = worst[errors[worst] > 1e-150]
    dead = rng.permutation(dead)[: len(worst)]
    for place, row in zip(dead, worst):
        peak = np.unravel_index(np.argmax(np.abs(residual[row])), shape)
        corner = tuple(int(np.clip(p - s // 2, 0, n - s)) for p, s, n in zip(peak, size, shape))
        window = _window(residual[row], corner, size).astype(np.float64)
        kernels[place] = window / np.linalg.norm(window)
    return dead


def shift_coherence(kernels: np.ndarray) -> float:
    """Largest |<d_i, d_j moved>| over all pairs and shifts, a kernel with itself in place left out."""
    size = kernels.shape[1:]
    grid = tuple(2 * s - 1 for s in size)
    axes = tuple(range(1, kernels.ndim))
    transforms = fft.rfftn(kernels.astype(np.float64), grid, axes=axes)
    largest = 0.0
    for i in range(len(kernels)):
        products = np.abs(fft.irfftn(np.conj(transforms[i]) * transforms, grid, axes=axes))
        products[(i, *(0,) * len(size))] = 0.0
        largest = max(largest, float(products.max()))
    return largest


def _window(signal: np.ndarray, corner: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    return signal[tuple(slice(c, c + s) for c, s in zip(corner, size))]
