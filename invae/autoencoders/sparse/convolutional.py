"""Convolutional sparse autoencoder: a few unit-norm kernels, moved to every place, L1-penalised maps.

    min over d_k (||d_k|| = 1) and z_ik of   sum_i ||x_i - sum_k d_k * z_ik||^2 + w sum_ik ||z_ik||_1

This is eq. (4) of [1] with a decoder that is a convolution: what is learned at one place holds at all. It
suits curves and frames whose details recur at other places; a dictionary of whole signals
(`SparseAutoencoder`) suits those whose place means something. A trend over the whole signal costs kernels
many codes: take it off first (a few polynomials or cosines), then learn the details.
`invae.autoencoders.sparse.kernel_dictionary` states the boundary rules.

References
----------
[1] Chung, Bridging linear algebra and autoencoders, eq. (4). Deviation: unit-norm kernels.
[2] Garcia-Cardona, Wohlberg (2018), Convolutional dictionary learning. Deviation: kernels by exact
    majorisation from sums over the signals (`invae.autoencoders.sparse.kernel_learning`), without step sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from invae.autoencoders.sparse.base import POLISH, SparseModel
from invae.autoencoders.sparse.kernel_coding import convolutional_pursuit
from invae.autoencoders.sparse.kernel_dictionary import BOUNDARIES, KernelDictionary
from invae.autoencoders.sparse.kernel_learning import KernelLearner, first_kernels
from invae.autoencoders.sparse.lasso import fista, lasso_loss
from invae.errors import InputError
from invae.linalg.estimators import check_is_fitted, validate_data
from invae.linalg.samples import as_rows, from_rows

__all__ = ["ConvolutionalSparseAutoencoder"]


class ConvolutionalSparseAutoencoder(SparseModel):
    """Kernels of unit norm, and sparse maps that say where they lie and how strong.

    Parameters
    ----------
    n_kernels : int, default 16
        K.
    kernel_size : int, tuple of int or None
        S, the extent of a kernel on every axis; None is an eighth of the axis, at least 3.
    penalty : float, default 0.05
        Weight of the L1 norm in units of the root mean square size of a (centred) signal: w = penalty * rms.
    encoder : {"fista", "omp"}
        How signals become codes: the lasso itself, or greedy orthogonal matching pursuit.
    boundary : {"open", "periodic"}
        Kernels hang over the edge and are cut there, or the signal repeats.
    shape : tuple of int or None
        Of one signal, for frames that come as flat rows; None takes it from the array.
    batch_size : int, default 64
        Signals coded before the kernels are improved.
    n_nonzero, tolerance, n_epochs, n_steps, tol, center, warm_start, rng, progress
        As for `SparseAutoencoder`.

    Attributes
    ----------
    decoder_ : ndarray of shape (K, *S)
        The kernels, most used first.
    shape_ : tuple of int
        Of one signal.
    code_shape_ : tuple of int
        (K, *grid), the maps of one signal: signal.shape + S - 1 per map, or as the signal when periodic.
    mean_ : ndarray of shape (n,)
        Flat.
    weight_ : float
        w.
    usage_ : ndarray of shape (K,)
        Mean number of active codes of the kernel in a training signal.
    loss_path_ : ndarray of shape (n_iter_,)
        Mean loss per signal of every epoch: the squared error, and w ||z||_1 unless the encoder is "omp".
    n_iter_ : int
        Epochs done.

    Notes
    -----
    Training keeps the maps of all signals: N K prod(grid) numbers. Fit large frames on windows of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.standard_normal((100, 60)) * (rng.random((100, 60)) < 0.05)
    >>> X = np.array([np.convolve(z, [0.2, 0.9, 0.3, -0.3], "same") for z in Z])
    >>> ae = ConvolutionalSparseAutoencoder(1, 5, n_epochs=5, rng=0).fit(X)
    >>> ae.decoder_.shape, ae.code_shape_, ae.transform(X).shape
    ((1, 5), (1, 64), (100, 64))
    """

    ENCODERS = ("fista", "omp")
    decoder_: np.ndarray

    def __init__(
        self,
        n_kernels: int = 16,
        kernel_size: int | tuple[int, ...] | None = None,
        penalty: float = 0.05,
        encoder: str = "fista",
        *,
        boundary: str = "open",
        shape: tuple[int, ...] | None = None,
        n_nonzero: int | None = None,
        tolerance: float = 0.05,
        n_epochs: int = 30,
        batch_size: int = 64,
        n_steps: int = 20,
        tol: float = 1e-3,
        center: bool = True,
        warm_start: bool = False,
        rng: int | np.random.Generator | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.kernel_size = kernel_size
        self.penalty = penalty
        self.encoder = encoder
        self.boundary = boundary
        self.shape = shape
        self.n_nonzero = n_nonzero
        self.tolerance = tolerance
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.n_steps = n_steps
        self.tol = tol
        self.center = center
        self.warm_start = warm_start
        self.rng = rng
        self.progress = progress

    def fit(self, X: np.ndarray, y: None = None) -> ConvolutionalSparseAutoencoder:
        """Learn kernels from signals X, (N, n) or (N, *shape); ``y`` is ignored."""
        self._check()
        rows, _, shape = self._rows(X, self.shape, reset=True)
        size = self._size(shape)
        rng = np.random.default_rng(self.rng)
        mean = rows.mean(axis=0, dtype=np.float64) if self.center else np.zeros(rows.shape[1])
        signals = (rows - mean.astype(rows.dtype)).reshape(-1, *shape)
        energy = np.einsum("ij,ij->i", *[signals.reshape(rows.shape)] * 2, dtype=np.float64)
        self.mean_, self.weight_ = mean, self.penalty * float(np.sqrt(energy.mean()))
        self.shape_ = shape
        last = getattr(self, "decoder_", None) if self.warm_start else None
        if last is not None and last.shape == (self.n_kernels, *size):
            kernels = last.copy()
        else:
            kernels = first_kernels(signals, self.n_kernels, size, rng)
        Z = self._learn(signals, KernelLearner(kernels, shape, self.boundary), rng)
        dictionary = self._dictionary(kernels, signals.dtype)
        for cut in self._batches(len(Z)):
            Z[cut] = self._code(signals[cut], dictionary, self.n_steps, start=Z[cut])
        used = (Z != 0).reshape(len(Z), self.n_kernels, -1).sum(axis=2).mean(axis=0)
        order = np.argsort(-used, kind="stable")
        self.decoder_, self.usage_ = np.ascontiguousarray(kernels[order]), used[order]
        self.code_shape_ = tuple(int(n) for n in Z.shape[1:])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Codes (N, l), l = prod(code_shape_), of signals (N, n); (N, *code_shape_) of frames (N, *shape)."""
        check_is_fitted(self)
        rows, shaped, _ = self._rows(X, self.shape_, reset=False)
        signals = (rows - self.mean_.astype(rows.dtype)).reshape(-1, *self.shape_)
        dictionary = self._dictionary(self.decoder_, rows.dtype)
        Z = np.empty((len(rows), *self.code_shape_), rows.dtype)
        for cut in self._batches(len(rows)):
            Z[cut] = self._code(signals[cut], dictionary, POLISH)
        return Z if shaped else Z.reshape(len(Z), -1)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Signals of codes: (N, n) of (N, l), (N, *shape) of (N, *code_shape_)."""
        check_is_fitted(self)
        Z, shaped = as_rows(Z, self.code_shape_, "codes")
        dictionary = self._dictionary(self.decoder_, Z.dtype)
        rows = np.empty((len(Z), math.prod(self.shape_)), Z.dtype)
        for cut in self._batches(len(Z)):
            maps = Z[cut].reshape(-1, *self.code_shape_)
            rows[cut] = dictionary.decode(maps).reshape(len(maps), -1)
        return from_rows(rows + self.mean_.astype(Z.dtype), self.shape_, shaped)

    def lasso_codes(
        self, rows: np.ndarray, weight: float, n_steps: int = POLISH, start: np.ndarray | None = None
    ) -> np.ndarray:
        """Codes (N, l) of least squared error + weight ||z||_1 for centred rows (N, n)."""
        check_is_fitted(self)
        dictionary = self._dictionary(self.decoder_, rows.dtype)
        first = None if start is None else start.reshape(-1, *self.code_shape_)
        signals = rows.reshape(-1, *self.shape_)
        return fista(signals, dictionary, weight, n_steps, start=first).reshape(len(rows), -1)

    def score(self, X: np.ndarray, y: None = None) -> float:
        """Minus the mean loss per signal, so that more is better."""
        check_is_fitted(self)
        rows, _, _ = self._rows(X, self.shape_, reset=False)
        Z = self.transform(rows).reshape(-1, *self.code_shape_)
        signals = (rows - self.mean_).reshape(-1, *self.shape_)
        dictionary = self._dictionary(self.decoder_, np.dtype(np.float64))
        return -float(lasso_loss(signals, dictionary, Z, self._loss_weight).mean())

    @property
    def _n_features_out(self) -> int:
        return math.prod(self.code_shape_)

    def _check(self) -> None:
        super()._check()
        if self.n_kernels < 1:
            raise InputError(f"n_kernels={self.n_kernels}: a dictionary needs at least one kernel")
        if self.boundary not in BOUNDARIES:
            raise InputError(f"boundary={self.boundary!r} is unknown; choose one of {', '.join(BOUNDARIES)}")
        if self.n_nonzero is not None and self.n_nonzero < 1:
            raise InputError(f"n_nonzero={self.n_nonzero} must be at least 1, or None")

    def _rows(
        self, X: np.ndarray, shape: tuple[int, ...] | None, *, reset: bool
    ) -> tuple[np.ndarray, bool, tuple[int, ...]]:
        """Signals as valid rows (N, n), whether they came with more than one axis each, and their shape."""
        shaped = isinstance(X, np.ndarray) and X.ndim > 2
        if shaped and shape is not None and X.shape[1:] != tuple(shape):
            raise InputError(f"signals have shape {X.shape[1:]}, expected {tuple(shape)}")
        if shape is None and shaped:
            shape = X.shape[1:]
        flat = X.reshape(len(X), -1) if shaped else X
        rows = validate_data(self, flat, dtype=(np.float64, np.float32), reset=reset)
        shape = (rows.shape[1],) if shape is None else tuple(int(n) for n in shape)
        if rows.shape[1] != math.prod(shape):
            raise InputError(f"signals have {rows.shape[1]} values, shape={shape} wants {math.prod(shape)}")
        return rows, shaped, shape

    def _size(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.kernel_size is None:
            return tuple(min(n, max(3, n // 8)) for n in shape)
        given = self.kernel_size
        size = (given,) * len(shape) if isinstance(given, int | np.integer) else tuple(given)
        if len(size) != len(shape) or any(not 1 <= s <= n for s, n in zip(size, shape)):
            raise InputError(
                f"kernel_size={given} does not fit signals of shape {tuple(shape)}; every axis of a kernel "
                "is at least 1 and at most that of the signal"
            )
        return tuple(int(s) for s in size)

    def _dictionary(self, kernels: np.ndarray, dtype: np.dtype) -> KernelDictionary:
        return KernelDictionary(kernels.astype(dtype), self.shape_, self.boundary)

    def _batches(self, n: int) -> list[slice]:
        return [slice(first, first + self.batch_size) for first in range(0, n, self.batch_size)]

    def _code(
        self, signals: np.ndarray, dictionary: KernelDictionary, n_steps: int, start: np.ndarray | None = None
    ) -> np.ndarray:
        if self.encoder == "omp":
            limit = self.tolerance * np.linalg.norm(signals.reshape(len(signals), -1), axis=1)
            most = signals[0].size if self.n_nonzero is None else self.n_nonzero
            return convolutional_pursuit(signals, dictionary, most, limit)
        return fista(signals, dictionary, self.weight_, n_steps, start=start)
