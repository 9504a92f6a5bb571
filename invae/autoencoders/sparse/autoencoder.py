"""Sparse overcomplete autoencoder: unit-norm atoms, L1-penalised codes.

    min over D (unit-norm columns) and z_i of   sum_i ||x_i - D z_i||^2 + w ||z_i||_1          eq. (4) of [1]

Without the norms the problem has no solution: (D / c, c E) drives the penalty to 0. With a *linear* encoder
and Gaussian signals the optimum is soft-thresholded PCA however many atoms there are
(`invae.autoencoders.sparse.gaussian`); so the encoders here are nonlinear.

References
----------
[1] Chung, Bridging linear algebra and autoencoders, eq. (4). Deviation: unit-norm atoms, see above.
[2] Gregor, LeCun (2010), Learning fast approximations of sparse coding (LISTA).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from invae.autoencoders.sparse.base import POLISH, SparseModel
from invae.autoencoders.sparse.coding import orthogonal_matching_pursuit
from invae.autoencoders.sparse.dictionary import AtomDictionary, AtomLearner, first_atoms
from invae.autoencoders.sparse.lasso import fista, lasso_loss, threshold
from invae.errors import InputError, ModelError
from invae.linalg.estimators import check_is_fitted, validate_data
from invae.linalg.samples import as_rows, is_number, shown

__all__ = ["SparseAutoencoder"]

RIDGE = 1e-3  # of the linear encoder, of the signals' mean power: enough where they lack directions
LEVELS = 21  # thresholds tried for each code, from none to the largest value: steps of 5 %


class SparseAutoencoder(SparseModel):
    """Dictionary of unit-norm atoms with sparse codes.

    Parameters
    ----------
    n_atoms : int or None
        Number l of atoms; None is 2 n.
    penalty : float, default 0.05
        Weight of the L1 norm in units of the root mean square size of a (centred) signal: w = penalty * rms.
    encoder : {"fista", "omp", "threshold", "lista"}
        How signals become codes: the lasso itself; greedy orthogonal matching pursuit; one linear map and a
        soft threshold, fitted to the lasso's codes; or a few such layers, trained with torch.
    n_nonzero : int or None
        For "omp": most atoms of a code.
    tolerance : float, default 0.05
        For "omp": stop at this relative error ||x - D z|| / ||x|| of the centred signal.
    n_epochs : int, default 30
        Most passes over the signals.
    batch_size : int, default 512
        Signals coded before the atoms are improved.
    n_steps : int, default 20
        Steps of fista for a batch; codes start from those of the epoch before.
    tol : float, default 1e-3
        Stop when the loss of an epoch has fallen by less than this part, twice running.
    center : bool, default True
        Subtract the mean signal.
    warm_start : bool, default False
        Begin from the atoms of the last fit.
    rng : int, Generator or None
        Seed.
    progress : callable(done, total) or None
        Called after every epoch.

    Attributes
    ----------
    decoder_ : ndarray of shape (n, l)
        D, unit-norm columns, most used first.
    mean_ : ndarray of shape (n,)
    weight_ : float
        w.
    usage_ : ndarray of shape (l,)
        Part of the training signals whose code uses the atom.
    loss_path_ : ndarray of shape (n_iter_,)
        Mean loss per signal of every epoch: ||x - D z||^2, and w ||z||_1 unless the encoder is "omp".
    n_iter_ : int
        Epochs done.
    encoder_ : dict
        Arrays of the "threshold" and "lista" encoders, empty otherwise.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> atoms = rng.standard_normal((12, 8))
    >>> X = rng.standard_normal((400, 12)) * (rng.random((400, 12)) < 0.15) @ atoms
    >>> ae = SparseAutoencoder(12, encoder="omp", n_nonzero=3, tolerance=0.0, rng=0).fit(X)
    >>> Z = ae.transform(X)
    >>> Z.shape, int((Z != 0).sum(axis=1).max())
    ((400, 12), 3)
    """

    ENCODERS = ("fista", "omp", "threshold", "lista")
    decoder_: np.ndarray

    def __init__(
        self,
        n_atoms: int | None = None,
        penalty: float = 0.05,
        encoder: str = "fista",
        *,
        n_nonzero: int | None = None,
        tolerance: float = 0.05,
        n_epochs: int = 30,
        batch_size: int = 512,
        n_steps: int = 20,
        tol: float = 1e-3,
        center: bool = True,
        warm_start: bool = False,
        rng: int | np.random.Generator | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.n_atoms = n_atoms
        self.penalty = penalty
        self.encoder = encoder
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

    def fit(self, X: np.ndarray, y: None = None) -> SparseAutoencoder:
        """Learn atoms, and the encoder where it has parameters, from signals X (N, n); ``y`` is ignored."""
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        self._check()
        rng = np.random.default_rng(self.rng)
        mean = X.mean(axis=0, dtype=np.float64) if self.center else np.zeros(X.shape[1])
        rows = X - mean.astype(X.dtype)
        l = 2 * X.shape[1] if self.n_atoms is None else int(self.n_atoms)
        rms = float(np.sqrt(np.mean(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))))
        self.mean_, self.weight_ = mean, self.penalty * rms
        if self.warm_start and hasattr(self, "decoder_") and self.decoder_.shape == (X.shape[1], l):
            D = self.decoder_.copy()
        else:
            D = first_atoms(rows, l, rng)
        Z = self._learn(rows, AtomLearner(D), rng)
        Z = self._code(rows, self._dictionary(D, rows.dtype), self.n_steps, start=Z)
        order = np.argsort(-(Z != 0).sum(axis=0), kind="stable")
        self.decoder_ = np.ascontiguousarray(D[:, order])
        self.usage_ = (Z != 0).mean(axis=0)[order]
        self.encoder_ = self._fit_encoder(rows, Z[:, order], rng)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Codes (N, l) of signals (N, n), exact zeros where a code is off."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        dictionary = self._dictionary(self.decoder_, X.dtype)
        return self._code(X - self.mean_.astype(X.dtype), dictionary, POLISH)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Signals D z + mean (N, n) of codes (N, l)."""
        check_is_fitted(self)
        Z, _ = as_rows(Z, (self.decoder_.shape[1],), "codes")
        return Z @ self.decoder_.T.astype(Z.dtype) + self.mean_.astype(Z.dtype)

    def score(self, X: np.ndarray, y: None = None) -> float:
        """Minus the mean loss per signal, so that more is better."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        rows = X - self.mean_
        dictionary = AtomDictionary(self.decoder_)
        return -float(lasso_loss(rows, dictionary, self.transform(X), self._loss_weight).mean())

    def lasso_codes(
        self, rows: np.ndarray, weight: float, n_steps: int = POLISH, start: np.ndarray | None = None
    ) -> np.ndarray:
        """Codes (N, l) of least ||x - D z||^2 + weight ||z||_1 for centred rows (N, n)."""
        return fista(rows, self._dictionary(self.decoder_, rows.dtype), weight, n_steps, start=start)

    @property
    def _n_features_out(self) -> int:
        return self.decoder_.shape[1]

    def _check(self) -> None:
        super()._check()
        n_atoms = self.n_atoms
        if n_atoms is not None and not (is_number(n_atoms, 1) and int(n_atoms) == n_atoms):
            raise InputError(f"n_atoms={shown(n_atoms)}: a dictionary needs whole atoms, at least one")

    @staticmethod
    def _dictionary(D: np.ndarray, dtype: np.dtype) -> AtomDictionary:
        return AtomDictionary(D.astype(dtype))

    def _code(
        self, rows: np.ndarray, dictionary: AtomDictionary, n_steps: int, start: np.ndarray | None = None
    ) -> np.ndarray:
        if self.encoder == "omp":
            limit = self.tolerance * np.linalg.norm(rows, axis=1)
            most = None if self.n_nonzero is None else min(self.n_nonzero, *dictionary.atoms.shape)
            return orthogonal_matching_pursuit(rows, dictionary.atoms, most, limit)
        wanted = {"threshold": "levels", "lista": "recurrence"}.get(self.encoder)
        if start is None and wanted is not None and wanted not in self.encoder_:
            raise ModelError(f"encoder={self.encoder!r} was not fitted with this model; call fit again")
        if start is None and self.encoder == "threshold":
            encoder = {key: value.astype(rows.dtype) for key, value in self.encoder_.items()}
            return threshold(rows @ encoder["matrix"].T, encoder["levels"])
        if start is None and self.encoder == "lista":
            return _unrolled(rows, self.encoder_)
        return fista(rows, dictionary, self.weight_, n_steps, start=start)

    def _fit_encoder(
        self, rows: np.ndarray, Z: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        if self.encoder == "threshold":
            return _fit_threshold(rows, self.lasso_codes(rows, self.weight_, start=Z))
        if self.encoder == "lista":
            from invae.autoencoders.sparse.lista import train_lista

            return train_lista(rows, self.decoder_, self.weight_, rng=rng)
        return {}


def _fit_threshold(rows: np.ndarray, Z: np.ndarray) -> dict[str, np.ndarray]:
    """Ridge regression W of the codes on the signals, and for each code the threshold of least error."""
    x, z = rows.astype(np.float64), Z.astype(np.float64)
    S = x.T @ x
    ridge = RIDGE * max(np.trace(S) / len(S), 1e-300)
    W = np.linalg.solve(S + ridge * np.eye(len(S)), x.T @ z).T
    linear = x @ W.T
    best = np.full(len(W), np.inf)
    levels = np.zeros(len(W))
    spread = np.abs(linear).max(axis=0)
    for part in np.linspace(0, 1, LEVELS):
        error = ((threshold(linear, part * spread) - z) ** 2).sum(axis=0)
        better = error < best
        best[better], levels[better] = error[better], (part * spread)[better]
    return {"matrix": W, "levels": levels}


def _unrolled(rows: np.ndarray, encoder: dict[str, np.ndarray]) -> np.ndarray:
    """z_{k+1} = threshold(W x + S z_k, level_k), z_0 = 0: the trained layers, without torch."""
    W, S, levels = (encoder[key].astype(rows.dtype) for key in ("matrix", "recurrence", "levels"))
    drive = rows @ W.T
    Z = threshold(drive, levels[0])
    for level in levels[1:]:
        Z = threshold(drive + Z @ S.T, level)
    return Z
