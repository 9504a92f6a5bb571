"""Probabilistic PCA: the Gaussian model whose posterior mean is the autoencoder with weight decay.

    x = W z + mu + e,    z ~ N(0, I_k),    e ~ N(0, tau^2 I_n);

for complete signals with covariance eigenpairs (u_i, sigma_i^2) the likelihood is largest at

    W = U_k diag(sigma_i^2 - tau^2)_+^{1/2},    tau^2 = mean of sigma_i^2 over i > k  (or given).

The reconstruction E[W z + mu | x] has the gains (1 - tau^2 / sigma_i^2)_+: it *is* W2 W1 of the linear
autoencoder with decay s = tau^2, and W = Gamma^{1/2} W2. Missing values are integrated out by expectation
maximisation.

References
----------
[1] Tipping and Bishop (1999), Probabilistic principal component analysis, eqs. (7), (8) and appendix B.
[2] Liu, Rubin, Wu (1998), Parameter expansion to accelerate EM: the PX-EM algorithm.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning

from invae.autoencoders.linear.autoencoder import principal_directions
from invae.errors import InputError
from invae.linalg.estimators import check_is_fitted, validate_data
from invae.linalg.factorise import thin_svd
from invae.linalg.samples import as_rows, is_number, shown
from invae.persistence import StoredEstimator

__all__ = ["ProbabilisticPCA"]

BATCH = 2048  # rows at a time, a (k, k) matrix for each
FLOOR = 1e-12  # of the largest standard deviation


class ProbabilisticPCA(StoredEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Probabilistic PCA by closed form, or by EM where values are missing (NaN).

    Parameters
    ----------
    n_components : int or None
        Length k of a code; None keeps min(N, n) - 1, at least one.
    noise_variance : float or None
        tau^2, in units of the signal squared; None estimates it.
    max_iter : int, default 1000
        Most EM iterations; of no meaning for complete signals.
    tol : float, default 1e-8
        EM stops when the mean log-likelihood per observed value gains less than this.

    Attributes
    ----------
    loadings_ : ndarray of shape (n, k)
        W with orthogonal columns, largest first.
    mean_ : ndarray of shape (n,)
    noise_variance_ : float
    log_likelihood_ : float
        Mean log-density of the training signals (of their observed values).
    n_iter_ : int
        EM iterations; 1 for complete signals.
    n_components_ : int

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((500, 2)) @ rng.standard_normal((2, 6)) + 0.1 * rng.standard_normal((500, 6))
    >>> X[rng.random(X.shape) < 0.1] = np.nan
    >>> model = ProbabilisticPCA(2).fit(X)
    >>> round(model.noise_variance_, 3), bool(np.isfinite(model.impute(X)).all())
    (0.01, True)
    """

    def __init__(
        self,
        n_components: int | None = None,
        noise_variance: float | None = None,
        max_iter: int = 1000,
        tol: float = 1e-8,
    ) -> None:
        self.n_components = n_components
        self.noise_variance = noise_variance
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: np.ndarray, y: None = None) -> ProbabilisticPCA:
        """Fit to signals X (N, n), NaN where a value is missing; ``y`` is ignored.

        Raises
        ------
        InputError
            ``n_components`` out of range, a noise variance <= 0, or a feature that is never seen.
        """
        X = validate_data(self, X, dtype=(np.float64, np.float32), ensure_all_finite="allow-nan")
        N, n = X.shape
        k = max(1, min(N, n) - 1) if self.n_components is None else self.n_components
        if not (is_number(k, 1) and k <= n and int(k) == k):
            raise InputError(
                f"n_components={shown(k)} is not a whole number in 1..n={n}; use 1<=n_components<={n} or None"
            )
        if self.noise_variance is not None and not (
            is_number(self.noise_variance) and self.noise_variance > 0
        ):
            raise InputError(
                f"noise_variance={shown(self.noise_variance)} is not positive; use None to estimate it"
            )
        self.n_components_ = k = int(k)
        seen = ~np.isnan(X)
        if not seen.any(axis=0).all():
            raise InputError(
                f"feature {int(np.argmin(seen.any(axis=0)))} has no value in any sample; drop it"
            )
        self.n_iter_ = 1
        self._fit_complete(X if seen.all() else np.where(seen, X, np.nanmean(X, axis=0)))
        if not seen.all():
            self._fit_missing(X.astype(np.float64), seen)
        self.log_likelihood_ = self.score(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Posterior mean of the codes (N, k), given the observed values of X (N, n)."""
        X = self._checked(X)
        parts = [self._posterior(*batch).codes for batch in _batches(X, ~np.isnan(X))]
        return np.concatenate(parts).astype(X.dtype, copy=False)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Signals W z + mean (N, n) of codes (N, k)."""
        check_is_fitted(self)
        Z, _ = as_rows(Z, (self.n_components_,), "codes")
        return Z @ self.loadings_.T.astype(Z.dtype) + self.mean_.astype(Z.dtype)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Posterior mean of the noise-free signals (N, n)."""
        return self.inverse_transform(self.transform(X))

    def impute(self, X: np.ndarray) -> np.ndarray:
        """X (N, n) with missing values replaced by their conditional means."""
        X = self._checked(X)
        return np.where(np.isnan(X), self.predict(X), X)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density (N,) of the observed values of each sample."""
        X = self._checked(X)
        return np.concatenate([self._posterior(*batch).log_density for batch in _batches(X, ~np.isnan(X))])

    def score(self, X: np.ndarray, y: None = None) -> float:
        """Mean log-density; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, rng: int | np.random.Generator | None = None) -> np.ndarray:
        """Draw signals (n_samples, n) from the model, noise included."""
        check_is_fitted(self)
        rng = np.random.default_rng(rng)
        z = rng.standard_normal((n_samples, self.n_components_))
        e = rng.standard_normal((n_samples, len(self.mean_)))
        return z @ self.loadings_.T + self.mean_ + math.sqrt(self.noise_variance_) * e

    def get_covariance(self) -> np.ndarray:
        """W W^T + tau^2 I, shape (n, n)."""
        check_is_fitted(self)
        return self.loadings_ @ self.loadings_.T + self.noise_variance_ * np.eye(len(self.mean_))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _checked(self, X: np.ndarray) -> np.ndarray:
        check_is_fitted(self)
        dtypes = (np.float64, np.float32)
        return validate_data(self, X, dtype=dtypes, ensure_all_finite="allow-nan", reset=False)

    def _fit_complete(self, X: np.ndarray) -> None:
        n, k = X.shape[1], self.n_components_
        self.mean_, power, U = principal_directions(X)
        tau2 = self.noise_variance
        if tau2 is None:
            # With no discarded direction the likelihood has no maximum in tau^2: keep it at the level of
            # the signals' own rounding, whose std is eps times the largest.
            floor = max(float(np.finfo(X.dtype).eps), FLOOR) ** 2 * (power.max(initial=0.0) or 1.0)
            tau2 = max(float(power[k:].sum()) / (n - k) if n > k else 0.0, floor)
        self.noise_variance_ = float(tau2)
        self.loadings_ = np.zeros((n, k))
        kept = min(k, len(power))
        self.loadings_[:, :kept] = U[:, :kept] * np.sqrt(np.maximum(power[:kept] - tau2, 0.0))

    def _fit_missing(self, X: np.ndarray, seen: np.ndarray) -> None:
        """EM on the observed values. The mean joins W as the loading of a code that is always 1."""
        n, k = X.shape[1], self.n_components_
        n_seen = int(seen.sum())
        # About the observed means, so that a large offset costs no digits.
        offset, self.mean_ = self.mean_, np.zeros(n)
        X = X - offset
        floor = np.finfo(np.float64).eps * float(np.nanvar(X, axis=0).max() or 1.0)
        square, previous, converged, self.n_iter_ = float(np.nansum(X**2)), -math.inf, False, 0
        while self.n_iter_ < self.max_iter and not converged:
            cross, gram = np.zeros((n, k + 1)), np.zeros((n, (k + 1) ** 2))
            total, log_density = np.zeros((k + 1, k + 1)), 0.0
            for batch, known in _batches(X, seen):
                state = self._posterior(batch, known)
                z = np.column_stack([state.codes, np.ones(len(batch))])
                second = z[:, :, None] * z[:, None, :]
                second[:, :k, :k] += self.noise_variance_ * np.linalg.inv(state.M)
                cross += np.where(known, batch, 0.0).T @ z
                gram += known.T.astype(float) @ second.reshape(len(batch), -1)
                total += second.sum(axis=0)
                log_density += float(state.log_density.sum())
            loadings = np.linalg.solve(gram.reshape(n, k + 1, k + 1), cross[:, :, None])[:, :, 0]
            # Parameter expansion: let the codes have any mean and covariance, then fold both into W and mu.
            first, spread = total[:k, k] / len(X), total[:k, :k] / len(X)
            self.mean_ = loadings[:, k] + loadings[:, :k] @ first
            self.loadings_ = loadings[:, :k] @ np.linalg.cholesky(spread - np.outer(first, first))
            if self.noise_variance is None:
                # E sum (x - w z)^2 over the observed values, at the new loadings.
                self.noise_variance_ = max((square - float(np.sum(loadings * cross))) / n_seen, floor)
            converged = (log_density - previous) / n_seen < self.tol
            previous, self.n_iter_ = log_density, self.n_iter_ + 1
        if not converged:
            warnings.warn(
                f"EM did not converge in {self.max_iter} iterations; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.mean_ = self.mean_ + offset
        # The likelihood sees W W^T only: turn the codes so that the columns of W are orthogonal.
        U, s, _ = thin_svd(self.loadings_)
        self.loadings_ = np.zeros((n, k))
        self.loadings_[:, : len(s)] = U * s

    def _posterior(self, X: np.ndarray, seen: np.ndarray) -> _Posterior:
        """Codes and densities of rows (N, n) given their ``seen`` entries, by M = W^T W + tau^2 I (k, k).

        log det C = log det M + (o - k) log tau^2 for o observed values, and with z the posterior mean
        c^T C^-1 c = ||c - W z||^2 / tau^2 + ||z||^2, which no small tau^2 cancels. Complete rows share one M.
        """
        W, tau2, (n, k) = self.loadings_, self.noise_variance_, self.loadings_.shape
        shared = bool(seen.all())
        outer = (W[:, :, None] * W[:, None, :]).reshape(n, k * k)
        M = (seen[: 1 if shared else None].astype(float) @ outer).reshape(-1, k, k) + tau2 * np.eye(k)
        centred = np.where(seen, X - self.mean_, 0.0)
        projected = centred @ W
        if shared:
            codes = np.linalg.solve(M[0], projected.T).T
        else:
            codes = np.linalg.solve(M, projected[:, :, None])[:, :, 0]
        n_seen = seen.sum(axis=1)
        residual = np.where(seen, centred - codes @ W.T, 0.0)
        distance = np.sum(residual**2, axis=1) / tau2 + np.sum(codes**2, axis=1)
        log_det = np.linalg.slogdet(M)[1] + (n_seen - k) * math.log(tau2)
        return _Posterior(codes, M, -0.5 * (n_seen * math.log(2 * math.pi) + log_det + distance))


class _Posterior(NamedTuple):
    """Means of the codes (N, k), M (N or 1, k, k) of covariances tau^2 M^-1, log-densities (N,)."""

    codes: np.ndarray
    M: np.ndarray
    log_density: np.ndarray


def _batches(X: np.ndarray, seen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of rows in float64 with their masks, so that the (N, k, k) arrays stay small."""
    for start in range(0, len(X), BATCH):
        yield X[start : start + BATCH].astype(np.float64, copy=False), seen[start : start + BATCH]
