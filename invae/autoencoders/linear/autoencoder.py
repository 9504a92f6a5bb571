"""Linear autoencoder with product and decay penalties, in closed form.

With Gamma the covariance (or second moment) of the signals, of eigenpairs (u_i, sigma_i^2), encoder W1 (k,
n) and decoder W2 (n, k), the loss

    J = E || (I - W2 W1) x ||^2 + p || W2 W1 ||_F^2 + s (|| W1 ||_F^2 + || W2 ||_F^2)

has the minimiser W2 = W1^T = U_k diag(sqrt(g)),  g_i = (sigma_i^2 - s)_+ / (sigma_i^2 + p), and the minimum

    sum_{i <= k} [sigma_i^2 - (sigma_i^2 - s)_+^2 / (sigma_i^2 + p)] + sum_{i > k} sigma_i^2.

p = s = 0 is PCA; s = 0 the autoencoder that denoises white noise of variance p; p = 0 weight decay, whose
reconstruction is the posterior mean of probabilistic PCA. With weights s_1 <= ... <= s_k, one per code, the
columns of W2 are the principal directions themselves and not a rotation of them.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from invae.errors import InputError
from invae.linalg.estimators import check_is_fitted, validate_data
from invae.linalg.factorise import fix_signs, symmetric_eigen, thin_svd
from invae.linalg.filters import elastic, numerical_rank
from invae.linalg.moments import Moments
from invae.linalg.samples import as_reals, as_rows, is_number, shown
from invae.persistence import StoredEstimator

__all__ = ["LinearAutoencoder", "principal_directions"]

BATCH = 4096  # rows in float64 at a time
SAFE = 1e-8  # of the largest variance: what a covariance surely holds


class LinearAutoencoder(StoredEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Rank-k linear autoencoder of least penalised loss.

    Parameters
    ----------
    n_components : int or None
        Length k of a code; None keeps every direction that the signals have.
    product : float, default 0
        Weight p >= 0 of ||W2 W1||_F^2, in units of the signal squared (mean over samples, sum over entries).
    decay : float or array_like of shape (k,), default 0
        Weight s >= 0 of ||W1||_F^2 + ||W2||_F^2; an array gives each code its own, rising.
    center : bool, default True
        Subtract the mean (an affine autoencoder: the optimal biases are eliminated).

    Attributes
    ----------
    encoder_ : ndarray of shape (k, n)
        W1.
    decoder_ : ndarray of shape (n, k)
        W2 = W1^T. Columns of a code that the penalty switches off are 0.
    mean_ : ndarray of shape (n,)
    directions_ : ndarray of shape (n, k)
        Principal directions, orthonormal.
    variances_ : ndarray of shape (q,)
        sigma_i^2 of all directions of the signals.
    gains_ : ndarray of shape (k,)
    risk_ : float
        Minimum of the loss.
    reconstruction_risk_ : float
        Its first term, E ||x - x_hat||^2 on the signals of the fit.
    n_components_ : int

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((500, 6)) * [4, 3, 2, 1, 1, 1]
    >>> ae = LinearAutoencoder(2, product=1.0).fit(X)
    >>> ae.transform(X).shape, ae.gains_.round(2)
    ((500, 2), array([0.94, 0.89]))
    """

    def __init__(
        self,
        n_components: int | None = None,
        product: float = 0.0,
        decay: float | np.ndarray = 0.0,
        center: bool = True,
    ) -> None:
        self.n_components = n_components
        self.product = product
        self.decay = decay
        self.center = center

    def fit(self, X: np.ndarray, y: None = None) -> LinearAutoencoder:
        """Find the minimiser for signals X of shape (N, n); ``y`` is ignored."""
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        n = X.shape[1]
        k = self.n_components
        if k is not None and not (is_number(k, 1) and k <= n and int(k) == k):
            raise InputError(
                f"n_components={shown(k)} is not a whole number in 1..n={n}; use 1<=n_components<={n} or None"
            )
        if not isinstance(self.center, (bool, np.bool_, int)):
            raise InputError(f"center={shown(self.center)}; use True or False")
        self.mean_, power, U = principal_directions(X, bool(self.center))
        k = max(1, len(power)) if k is None else int(k)
        decay, product = as_reals(self.decay, "decay"), as_reals(self.product, "product")
        if product.ndim or not is_number(float(product), 0.0) or not np.isfinite(decay).all():
            raise InputError(f"product={shown(self.product)} must be one number >= 0, and decay finite")
        if decay.ndim and (decay.shape != (k,) or (np.diff(decay) < 0).any()):
            raise InputError(
                f"decay has shape {decay.shape}, expected one number or {k} rising ones, one per code"
            )
        kept = min(k, len(power))
        sigma2, s = power[:kept], np.broadcast_to(decay, (k,))[:kept]
        self.n_components_, self.variances_ = k, power
        self.gains_, self.directions_ = np.zeros(k), np.zeros((n, k))
        self.gains_[:kept] = g = elastic(np.sqrt(sigma2), product, s)
        self.directions_[:, :kept] = U[:, :kept]
        self.decoder_ = self.directions_ * np.sqrt(self.gains_)
        self.encoder_ = np.ascontiguousarray(self.decoder_.T)
        tail = float(power[kept:].sum())
        self.risk_ = float(np.sum(sigma2 - g * np.maximum(sigma2 - s, 0.0))) + tail
        self.reconstruction_risk_ = float(np.sum((1 - g) ** 2 * sigma2)) + tail
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Codes z = W1 (x - mean), shape (N, k)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return (X - self.mean_.astype(X.dtype)) @ self.encoder_.T.astype(X.dtype)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Signals W2 z + mean, shape (N, n)."""
        check_is_fitted(self)
        Z, _ = as_rows(Z, (self.n_components_,), "codes")
        return Z @ self.decoder_.T.astype(Z.dtype) + self.mean_.astype(Z.dtype)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Reconstruct signals (N, n): decode what was encoded."""
        return self.inverse_transform(self.transform(X))

    @property
    def _n_features_out(self) -> int:
        return self.n_components_


def principal_directions(X: np.ndarray, center: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (n,), variances (q,) and directions (n, q) of rows X (N, n), through the smaller of N and n.

    With ``center=False`` the mean is 0 and the moments are about 0.
    """
    N, n = X.shape
    if N < n:
        mean = X.mean(axis=0, dtype=np.float64) if center else np.zeros(n)
        _, s, Vt = thin_svd((X - mean) / math.sqrt(N))
        return mean, s**2, fix_signs(Vt.T)
    moments = Moments.from_batches(X[i : i + BATCH] for i in range(0, N, BATCH))
    power, U = symmetric_eigen(moments.covariance if center else moments.second_moment)
    mean = moments.mean if center else np.zeros(n)
    if len(power) == n and power[-1] > SAFE * power[0]:
        return mean, power, U
    # A covariance holds variances down to eps of the largest only; the signals hold standard deviations.
    triangle = np.zeros((0, n))
    for i in range(0, N, BATCH):
        rows = np.concatenate([triangle, (X[i : i + BATCH] - mean) / math.sqrt(N)])
        triangle = np.asarray(np.linalg.qr(rows, mode="r"))
    _, s, Vt = scipy.linalg.svd(triangle, full_matrices=False, check_finite=False)
    rounding = np.finfo(X.dtype).eps * (4 if X.dtype == np.float32 else max(N, n))
    q = numerical_rank(s, max(N, n), float(rounding))
    return mean, s[:q] ** 2, fix_signs(Vt[:q].T)
