"""Linear reconstruction of least Bayes risk: an autoencoder through a forward operator, in closed form.

With y = F x + e and Gamma = Cov(x), the affine map of rank r that minimises E || x_hat(y) - x ||^2 is

    x_hat = mean_x + U_r U_r^T C_xy C_yy^+ (y - mean_y),   C_xy = Gamma F^T,   C_yy = F Gamma F^T + Gamma_e,

U_r the leading eigenvectors of C_xy C_yy^+ C_yx. F = I without noise is PCA. The moments come from signals
sent through the operator, from pairs, or from a known Gaussian prior.
"""

from __future__ import annotations

import copy
import logging
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from invae.autoencoders.doors import DOORS, Fit, apply_rows, from_factors, from_pairs, operator_dims
from invae.autoencoders.noise import noise_variance
from invae.autoencoders.validation import split, validated_risk_curve
from invae.errors import InputError, ModelError
from invae.linalg.priors import GaussianPrior
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.samples import as_rows, from_rows
from invae.linalg.whitening import Whitening
from invae.persistence import save as save_model

__all__ = ["BayesRiskReconstructor"]

logger = logging.getLogger(__name__)

PARAMETERS = ("operator", "noise", "rank", "prior", "door", "validation", "rng")
FITTED = (
    "shape_x_",
    "shape_y_",
    "rank_",
    "encoder_",
    "decoder_",
    "mean_x_",
    "mean_y_",
    "risk_",
    "risk_curve_",
    "validated_risk_curve_",
    "noise_std_",
    "std_",
    "door_",
    "_mean_clean",
    "_rms_clean",
    "_tau",
)


class BayesRiskReconstructor(TransformerMixin, BaseEstimator):
    """Best affine map of rank r from measurements to signals, with its exact risk and posterior deviation.

    Parameters
    ----------
    operator : LinearOperator, ndarray or sparse matrix of shape (m, n), optional
        Forward operator F. None with measurements: only the pairs speak. None without: F = I.
    noise : noise model, float or ndarray of shape (m,), optional
        Noise that is *added* to the measurements of the fit, in their units; a number is a standard
        deviation, a relative one is resolved against the clean measurements. Leave None when measured pairs
        hold it already.
    rank : int or {"auto", "full"}, default "auto"
        Largest rank of the map. "auto" takes the rank of least risk on held-out signals; for a known prior
        the risk falls with every rank, so that it is the numerical rank, as is "full".
    prior : GaussianPrior, optional
        Known distribution of the signals; then ``fit()`` needs no data.
    door : {"auto", "samples", "measurements", "unknowns"}, default "auto"
        Which space the factorisation is done in; "auto" takes the smallest.
    validation : float, default 0.1
        Fraction of the samples that chooses the rank, before all samples are used.
    rng : int, Generator or None, default 0
        Draws the validation samples.

    Attributes
    ----------
    rank_ : int
    encoder_ : ndarray of shape (rank_, m)
    decoder_ : ndarray of shape (n, rank_)
    mean_x_, mean_y_ : ndarray of shape (n,) and (m,)
    risk_ : float
        Expected squared error of a whole signal, under the fitted moments.
    risk_curve_ : ndarray of shape (q + 1,)
        The same at rank 0, 1, ..., q.
    validated_risk_curve_ : ndarray of shape (q' + 1,) or None
        Mean squared error on the held-out signals at each rank; None where none were held out.
    noise_std_ : float
        Root mean square standard deviation of the added noise.
    std_ : ndarray of shape (n,)
        Posterior standard deviation of each entry of the signal.
    door_ : str

    Raises
    ------
    InputError
        Shapes that do not fit the operator or each other, too large a rank, or nothing to fit to.

    References
    ----------
    [1] Chung, Chung, O'Leary (2015), Optimal regularized low rank inverse approximation. Deviation: affine
    map,
        singular moments by pseudo-inverse.

    Examples
    --------
    >>> import numpy as np
    >>> F = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    >>> prior = GaussianPrior(np.zeros(3), np.eye(3))
    >>> rec = BayesRiskReconstructor(F, noise=0.1, prior=prior).fit()
    >>> rec.predict(np.array([[2.0, 1.0]])).shape, round(rec.risk_, 4)
    ((1, 3), 1.0132)
    """

    def __init__(
        self,
        operator: Any = None,
        *,
        noise: Any = None,
        rank: int | str = "auto",
        prior: GaussianPrior | None = None,
        door: str = "auto",
        validation: float = 0.1,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.operator = operator
        self.noise = noise
        self.rank = rank
        self.prior = prior
        self.door = door
        self.validation = validation
        self.rng = rng

    def fit(
        self, signals: np.ndarray | None = None, measurements: np.ndarray | None = None
    ) -> BayesRiskReconstructor:
        """Find the map.

        Parameters
        ----------
        signals : ndarray of shape (N, n) or (N, *shape), optional
            Examples; none when the prior is known.
        measurements : ndarray of shape (N, m) or (N, *shape), optional
            Their measurements; none when the operator makes them.
        """
        if self.door != "auto" and self.door not in DOORS:
            raise InputError(f"door={self.door!r} is unknown; choose auto, {', '.join(DOORS)}")
        self.validated_risk_curve_ = None
        if signals is None:
            if self.prior is None:
                raise InputError("nothing to fit to: pass signals, or give the reconstructor a prior")
            self._fit_prior()
        elif self.prior is not None:
            raise InputError(
                "both a prior and signals were given; fit() without signals, or leave the prior out"
            )
        else:
            self._fit_samples(signals, measurements)
        return self

    def _fit_prior(self) -> None:
        prior = self.prior
        dims, dimsd = (prior.shape_, prior.shape_) if self.operator is None else operator_dims(self.operator)
        if math.prod(dims) != prior.size:
            raise InputError(f"the prior is for signals of shape {prior.shape_}, the operator wants {dims}")
        self.shape_x_, self.shape_y_ = prior.shape_, dimsd
        mean_y = apply_rows(self.operator, prior.mean[None])[0]
        B = np.ascontiguousarray(prior.factor().T)
        G = apply_rows(self.operator, B)
        whitening = self._whitening(mean_y, np.sqrt(mean_y**2 + np.einsum("ij,ij->j", G, G)))
        self._finish(from_factors(B, G, prior.mean, mean_y, whitening), whitening, None)

    def _fit_samples(self, signals: np.ndarray, measurements: np.ndarray | None) -> None:
        X, Y = self._pairs(signals, measurements)
        operator = self.operator if measurements is None else None
        whitening = self._whitening(Y.mean(axis=0, dtype=np.float64), _rms(Y))
        rank = None
        if self.rank == "auto":
            train, held = split(len(X), self.validation, self.rng)
            if len(held):
                fit = from_pairs(X[train], Y[train], whitening, operator, self.door)
                found = fit.core.solve(whitening.scale)
                curve = validated_risk_curve(fit, found, X[held], Y[held], whitening.variances)
                rank = min(max(1, int(curve.argmin())), len(curve) - 1)
                self.validated_risk_curve_ = curve
                logger.info(
                    "rank %d of %d has the least validated risk, %.4g", rank, len(curve) - 1, curve[rank]
                )
        self._finish(from_pairs(X, Y, whitening, operator, self.door), whitening, rank)

    def _pairs(self, signals: np.ndarray, measurements: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        dims, dimsd = (None, None) if self.operator is None else operator_dims(self.operator)
        self.shape_x_ = tuple(np.shape(signals)[1:]) if dims is None else dims
        X, _ = as_rows(signals, self.shape_x_, "signals")
        if measurements is None:
            self.shape_y_ = self.shape_x_ if dimsd is None else dimsd
            return X, apply_rows(self.operator, X)
        self.shape_y_ = tuple(np.shape(measurements)[1:]) if dimsd is None else dimsd
        Y, _ = as_rows(measurements, self.shape_y_, "measurements")
        if len(X) != len(Y):
            raise InputError(f"{len(X)} signals and {len(Y)} measurements are no pairs; pass as many of each")
        return X, Y

    def _whitening(self, mean_y: np.ndarray, rms_y: np.ndarray) -> Whitening:
        self._mean_clean, self._rms_clean = mean_y, rms_y
        return Whitening(noise_variance(self.noise, mean_y, rms_y))

    def _finish(self, fit: Fit, whitening: Whitening, rank: int | None) -> None:
        self.mean_x_, self.mean_y_, self.door_ = fit.mean_x, fit.mean_y, fit.door
        self._core, self._tau = fit.core, whitening.scale
        if not isinstance(self.rank, str):
            rank = self._checked_rank(self.rank)
        elif self.rank not in ("auto", "full"):
            raise InputError(f'rank={self.rank!r} is neither a number nor "auto" or "full"')
        self._set_map(rank)

    def _checked_rank(self, rank: int) -> int:
        n, m = self._core.shape
        if not 1 <= rank <= min(m, n):
            way = f"use rank<={min(m, n)} or add measurements" if rank > 0 else "use rank>=1"
            raise InputError(f"rank={rank} is not in 1..min(m={m}, n={n})={min(m, n)}; {way}")
        return int(rank)

    def _set_map(self, rank: int | None) -> None:
        found = self._core.solve(self._tau, rank)
        self.decoder_, self.encoder_ = found.decoder, found.encoder
        self.rank_ = len(found.encoder)
        if rank is not None and rank > self.rank_:
            logger.info(
                "rank %d is more than the numerical rank of the moments; the map has rank %d",
                rank,
                self.rank_,
            )
        self.risk_curve_ = found.risk_curve
        self.risk_ = float(self.risk_curve_[self.rank_])
        self.noise_std_ = math.sqrt(self._tau)
        removed = (self.decoder_**2) @ found.explained[: self.rank_]
        self.std_ = np.sqrt(np.maximum(self._core.variance - removed, 0.0))
        self._single: tuple[np.ndarray, ...] | None = None

    def at(self, *, rank: int | str | None = None, noise: Any = None) -> BayesRiskReconstructor:
        """Same moments, another rank or noise level: a new reconstructor from the factors already found.

        Parameters
        ----------
        rank : int or "full", optional
            Default: the rank of this one.
        noise : GaussianNoise or float, optional
            White noise (or a multiple of the fitted noise covariance) of another strength; default: as it is.
        """
        check_is_fitted(self)
        if self._core is None:
            raise ModelError("this model was saved without its family; fit again, or save with family=True")
        other = copy.copy(self)
        if noise is not None:
            variance = noise_variance(noise, self._mean_clean, self._rms_clean)
            if np.ndim(variance):
                raise InputError(
                    "at() takes one noise level; fit again for noise that differs between measurements"
                )
            other._tau, other.noise = float(variance), noise
        rank = self.rank_ if rank is None else rank
        other._set_map(None if rank == "full" else other._checked_rank(rank))
        if not isinstance(rank, str):
            other.rank = rank
        return other

    def predict(
        self, measurements: np.ndarray, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Reconstruct signals.

        Parameters
        ----------
        measurements : ndarray of shape (N, m) or (N, *measurement shape)
            float32 or float64, which the result keeps.
        return_std : bool
            Also return the posterior standard deviation of every entry, of the result's shape. For a linear
            map it is the same for every measurement.

        Returns
        -------
        ndarray of shape (N, n) or (N, *signal shape), or two of them
        """
        rows, shaped = self._rows(measurements)
        encoder, decoder, mean_x, mean_y, std = self._arrays(rows.dtype)
        x_hat = ((rows - mean_y) @ encoder.T) @ decoder.T
        x_hat += mean_x
        x_hat = from_rows(x_hat, self.shape_x_, shaped)
        if not return_std:
            return x_hat
        return x_hat, from_rows(np.broadcast_to(std, (len(rows), std.size)), self.shape_x_, shaped)

    def transform(self, measurements: np.ndarray) -> np.ndarray:
        """Codes z = E (y - mean_y) of shape (N, rank_)."""
        rows, _ = self._rows(measurements)
        encoder, _, _, mean_y, _ = self._arrays(rows.dtype)
        return (rows - mean_y) @ encoder.T

    def inverse_transform(self, codes: np.ndarray) -> np.ndarray:
        """Signals D z + mean_x of shape (N, n)."""
        check_is_fitted(self)
        codes, _ = as_rows(codes, (self.rank_,), "codes")
        _, decoder, mean_x, _, _ = self._arrays(codes.dtype)
        return codes @ decoder.T + mean_x

    def save(self, path: str | os.PathLike[str], *, family: bool = True, overwrite: bool = False) -> Path:
        """Write the model to an HDF5 file; `invae.load` reads it back.

        ``family=False`` leaves out the factors that `at` needs and keeps the file small.
        """
        check_is_fitted(self)
        if family:
            return save_model(self, path, overwrite=overwrite)
        slim = copy.copy(self)
        slim._core = None
        return save_model(slim, path, overwrite=overwrite)

    def to_state(self) -> dict[str, Any]:
        """Parameters and fitted arrays, for `invae.save`."""
        state: dict[str, Any] = {"parameters": {name: getattr(self, name) for name in PARAMETERS}}
        if not hasattr(self, "encoder_"):
            return state
        state["fitted"] = {name: getattr(self, name) for name in FITTED}
        if self._core is not None:
            state["core"] = [self._core.cross, self._core.power, self._core.whitener, self._core.variance]
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> BayesRiskReconstructor:
        model = cls(**state["parameters"])
        if "fitted" in state:
            for name, value in state["fitted"].items():
                setattr(model, name, tuple(value) if name.startswith("shape_") else value)
            model._core = ReducedRank(*state["core"]) if "core" in state else None
            model._single = None
        return model

    def _rows(self, measurements: np.ndarray) -> tuple[np.ndarray, bool]:
        check_is_fitted(self)
        return as_rows(measurements, self.shape_y_, "measurements")

    def _arrays(self, dtype: np.dtype) -> tuple[np.ndarray, ...]:
        arrays = (self.encoder_, self.decoder_, self.mean_x_, self.mean_y_, self.std_)
        if dtype != np.float32:
            return arrays
        if self._single is None:
            self._single = tuple(array.astype(np.float32) for array in arrays)
        return self._single


def _rms(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=0))
