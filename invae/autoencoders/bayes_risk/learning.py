"""From examples, pairs or a prior to the factors of a reconstructor: which moments, which door, which
rank."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from invae.autoencoders.bayes_risk.checkpoint import Checkpoint
from invae.autoencoders.bayes_risk.noise import noise_variance
from invae.autoencoders.bayes_risk.spaces import Fit, apply_rows, from_moments, from_pairs, from_prior
from invae.autoencoders.bayes_risk.validation import smallest_rank, split, validated_risk_curve
from invae.errors import InputError
from invae.linalg.augment import augment, order
from invae.linalg.factorise import thin_svd
from invae.linalg.moments import PairMoments
from invae.linalg.priors import GaussianPrior
from invae.linalg.shrinkage import probabilistic_pca
from invae.linalg.whitening import Whitening

__all__ = [
    "ENOUGH_PAIRS",
    "MANY_PER_RANK",
    "Learnt",
    "Settings",
    "learn_pairs",
    "learn_prior",
    "learn_signals",
    "learn_stream",
]

logger = logging.getLogger(__name__)

ENOUGH_PAIRS = 5  # times the measurements
LARGEST_PRIOR = 2**26  # entries of samples that a shrunk prior carries along although they outnumber n
FEWEST = 8  # samples for kernel shrinkage
MOST_HELD = 1000
MANY_PER_RANK = (
    20  # samples for each direction of a map, to leave one out without finding the directions anew
)
RESERVOIR = 256
CHEAP = 1200  # side of a factorisation that may be done twice, to validate the rank under a shrunk prior


@dataclass(frozen=True)
class Settings:
    """What the user asked for."""

    operator: Any
    noise: Any
    door: str
    shrinkage: str | None
    augment: str | None
    validation: float
    tolerance: float
    rank: int | str
    rng: np.random.Generator
    checkpoint: Checkpoint | None = None

    @property
    def validate_rank(self) -> bool:
        """Whether the rank is to be chosen on held-out samples."""
        return self.rank == "auto"

    def holds_out(self, n_samples: int) -> bool:
        """Whether a part of the samples is held out first: to choose the rank, or to know the risk of a given
        one, whose directions follow the samples themselves where these are few."""
        return self.validate_rank or (self.rank != "full" and n_samples < MANY_PER_RANK * int(self.rank))


@dataclass(frozen=True)
class Learnt:
    """What `BayesRiskReconstructor` keeps of a fit.

    Attributes
    ----------
    fit : Fit
    whitening : Whitening
    mean_clean, rms_clean : ndarray of shape (m,)
        Of the measurements before noise is added.
    examples : pair of ndarray or None
        A few signals and measurements, rows.
    rank : int or None
        Chosen rank.
    curve : ndarray or None
        Validated risk at each rank.
    prior : GaussianPrior or None
    offset : ndarray of shape (m,) or 0.0
        Mean model error: measurements are on average this much above what the operator says.
    n_samples : int
        Samples in the moments, images under a symmetry counted.
    share : float or None
        Weight of their covariance in Gamma; None where a sample cannot be taken out of it again.
    modelled : bool
        Whether the moments hold images of the signals under the operator, not measurements as they came.
    added : float, ndarray of shape (m,) or None
        Variance of the noise that the examples' measurements do not hold yet; None: all of the whitening.
    """

    fit: Fit
    whitening: Whitening
    mean_clean: np.ndarray
    rms_clean: np.ndarray
    examples: tuple[np.ndarray, np.ndarray] | None = None
    rank: int | None = None
    curve: np.ndarray | None = None
    prior: GaussianPrior | None = None
    offset: np.ndarray | float = 0.0
    n_samples: int = 0
    share: float | None = None
    modelled: bool = True
    added: np.ndarray | float | None = None


def learn_prior(prior: GaussianPrior, settings: Settings) -> Learnt:
    """From a known prior."""
    mean = np.asarray(apply_rows(settings.operator, prior.mean[None])[0], np.float64)
    if (
        prior.structured
    ):  # the scale of relative noise: 256 draws know the rms to a few per cent of its spread
        draws = prior.sample(RESERVOIR, np.random.default_rng(0)).reshape(RESERVOIR, -1)
        rms = _rms(apply_rows(settings.operator, draws))
    else:
        G = apply_rows(settings.operator, np.ascontiguousarray(prior.factor().T))
        rms = np.sqrt(mean**2 + np.einsum("ij,ij->j", G, G))
    whitening = _whitening(settings.noise, mean, rms)
    fit = from_prior(prior, settings.operator, whitening, settings.door)
    return Learnt(fit, whitening, mean, rms, prior=prior)


def learn_signals(X: np.ndarray, shape: tuple[int, ...], settings: Settings) -> Learnt:
    """From signals (N, n) that the operator measures."""
    shrinkage = _automatic(X, shape, settings) if settings.shrinkage == "auto" else settings.shrinkage
    some = X[np.sort(settings.rng.permutation(len(X))[:RESERVOIR])]
    examples = some, apply_rows(settings.operator, some)
    if shrinkage is not None:
        mean = np.asarray(apply_rows(settings.operator, X.mean(axis=0)[None])[0], np.float64)
        rms = _rms(examples[1])
        whitening = _whitening(settings.noise, mean, rms)
        learnt = _learn_shrunk(X, shape, shrinkage, whitening, settings)
        return replace(learnt, mean_clean=mean, rms_clean=rms, examples=examples)
    Y = apply_rows(settings.operator, X)
    mean, rms = Y.mean(axis=0, dtype=np.float64), _rms(Y)
    whitening = _whitening(settings.noise, mean, rms)

    def fit_to(X: np.ndarray, Y: np.ndarray) -> Fit:
        if settings.augment is not None:
            X = augment(X, shape, settings.augment)
            Y = apply_rows(settings.operator, X)
        return from_pairs(X, Y, whitening, settings.operator, settings.door)

    rank, curve = _validated(X, Y, fit_to, whitening, settings)
    learnt = Learnt(fit_to(X, Y), whitening, mean, rms, examples, rank, curve)
    return replace(learnt, n_samples=len(X) * order(settings.augment, shape), share=1.0)


def learn_pairs(X: np.ndarray, Y: np.ndarray, shape: tuple[int, ...], settings: Settings) -> Learnt:
    """From measured pairs. A given operator then carries the prior, and its residuals on the pairs the
    model error.

    With at least 5 m pairs, or without an operator, the paired moments C_xy, C_yy speak for themselves. With
    fewer, y = F x + d is modelled: Gamma from the signals (shrunk), and the residuals d = y - F x give
    their mean and, as probabilistic PCA, their covariance, which joins that of the noise in the whitening.
    """
    mean, rms = Y.mean(axis=0, dtype=np.float64), _rms(Y)
    noise = noise_variance(settings.noise, mean, rms)
    if settings.operator is None or len(Y) >= ENOUGH_PAIRS * Y.shape[1]:
        if settings.augment is not None:
            raise InputError(
                "augment needs measurements that an operator makes; measured pairs have no mirror"
            )
        whitening = Whitening(noise)

        def fit_to(X: np.ndarray, Y: np.ndarray) -> Fit:
            return from_pairs(X, Y, whitening, None, settings.door)

        rank, curve = _validated(X, Y, fit_to, whitening, settings)
        learnt = Learnt(fit_to(X, Y), whitening, mean, rms, _examples(X, Y, settings.rng), rank, curve)
        return replace(learnt, n_samples=len(X), share=1.0, modelled=False)
    residual = Y - apply_rows(settings.operator, X)
    offset = residual.mean(axis=0, dtype=np.float64)
    whitening = _residual_whitening(residual - offset, noise, settings.rng)
    logger.info(
        "model error: residual std %.4g of measurements of rms %.4g", np.sqrt(whitening.scale), _rms(rms)
    )
    learnt = learn_signals(X, shape, replace(settings, noise=whitening))
    shifted = replace(learnt.fit, mean_y=learnt.fit.mean_y + offset)
    examples = _examples(X, Y, settings.rng)
    learnt = replace(learnt, fit=shifted, examples=examples, offset=offset, added=noise)
    return replace(learnt, mean_clean=mean, rms_clean=rms)


def learn_stream(batches: Iterable[tuple[np.ndarray, np.ndarray]], settings: Settings) -> Learnt:
    """From batches of pairs of rows, read once: moments, and up to 1000 held-out pairs that choose the
    rank."""
    if settings.door not in ("auto", "measurements"):
        raise InputError(
            f"door={settings.door!r} needs all samples at once; batches go through the measurements"
        )
    moments, held_x, held_y, n_rows = PairMoments(), [], [], 0
    if settings.checkpoint is not None:
        moments, held_x, held_y = settings.checkpoint.restore(settings.rng)
        n_rows = settings.checkpoint.n_rows
    n_held = sum(map(len, held_x))
    for X, Y in batches:
        if settings.checkpoint is not None:
            settings.checkpoint.keep(n_rows, moments, held_x, held_y, settings.rng)
        n_rows += len(X)
        n_out = round(settings.validation * len(X)) if len(X) > 2 else 0
        n_out = min(n_out, MOST_HELD - n_held)
        order = settings.rng.permutation(len(X))
        moments.update(X[order[n_out:]], Y[order[n_out:]])
        held_x.append(X[order[:n_out]])
        held_y.append(Y[order[:n_out]])
        n_held += n_out
    if moments.n_samples == 0:
        raise InputError("no batch held a sample; pass at least one row")
    X, Y = np.concatenate(held_x), np.concatenate(held_y)
    mean = moments.mean_y
    rms = np.sqrt(mean**2 + moments.covariance_yy.diagonal())
    whitening = _whitening(settings.noise, mean, rms)
    rank = curve = examples = None
    if n_held:
        if settings.validate_rank:
            fit = from_moments(moments, whitening)
            curve = validated_risk_curve(fit, fit.core.solve(whitening.scale), X, Y, whitening.scale)
            rank = smallest_rank(curve, settings.tolerance)
        examples = _examples(X, Y, settings.rng)
        moments.update(X, Y)
    learnt = Learnt(from_moments(moments, whitening), whitening, mean, rms, examples, rank, curve)
    return replace(learnt, n_samples=moments.n_samples, share=1.0, modelled=False)


def _automatic(X: np.ndarray, shape: tuple[int, ...], settings: Settings) -> str | None:
    """The kernel where samples are fewer than unknowns, and for images up to four times as many: it
    still gains."""
    N, n = X.shape
    few = N < n or (len(shape) > 1 and N < 4 * n and N * n <= LARGEST_PRIOR)
    return "kernel" if few and N >= FEWEST and settings.door != "samples" else None


def _learn_shrunk(
    X: np.ndarray,
    shape: tuple[int, ...],
    shrinkage: str,
    whitening: Whitening,
    settings: Settings,
) -> Learnt:
    def measure(rows: np.ndarray) -> np.ndarray:
        return whitening.apply(apply_rows(settings.operator, rows))

    options = {"shape": shape, "shrinkage": shrinkage, "augment": settings.augment}
    fraction = max(settings.validation, min(0.25, 25 / len(X)))
    prior = GaussianPrior.from_samples(
        X, **options, measure=measure, noise=whitening.scale, validation=fraction, rng=settings.rng
    )
    fit = from_prior(prior, settings.operator, whitening, settings.door)
    rank = curve = None
    if settings.validate_rank and min(fit.mean_y.size, X.shape[1]) <= CHEAP:

        def fit_to(X: np.ndarray, Y: np.ndarray) -> Fit:
            part = GaussianPrior.from_samples(X, **options, choice=prior.choice, rng=settings.rng)
            return from_prior(part, settings.operator, whitening, settings.door)

        rank, curve = _validated(X, apply_rows(settings.operator, X), fit_to, whitening, settings)
    share = None if prior.choice is None else 1.0 - prior.choice.rho
    learnt = Learnt(fit, whitening, fit.mean_y, fit.mean_y, None, rank, curve, prior)
    return replace(learnt, n_samples=len(X) * order(settings.augment, shape), share=share)


def _validated(
    X: np.ndarray, Y: np.ndarray, fit_to: Any, whitening: Whitening, settings: Settings
) -> tuple[int | None, np.ndarray | None]:
    if not settings.holds_out(len(X)):
        return None, None
    train, held = split(len(X), settings.validation, settings.rng)
    if not len(held):
        return None, None
    fit = fit_to(X[train], Y[train])
    found = fit.core.solve(whitening.scale)
    curve = validated_risk_curve(fit, found, X[held], Y[held], whitening.scale)
    rank = smallest_rank(curve, settings.tolerance)
    logger.info("rank %d of %d by validated risk, %.4g", rank, len(curve) - 1, curve[rank])
    return rank, curve


def _whitening(noise: Any, mean: np.ndarray, rms: np.ndarray) -> Whitening:
    return noise if isinstance(noise, Whitening) else Whitening(noise_variance(noise, mean, rms))


def _residual_whitening(
    residual: np.ndarray, noise: float | np.ndarray, rng: np.random.Generator
) -> Whitening:
    train, held = split(len(residual), 0.2, rng)
    if not len(held):
        raise InputError(f"{len(residual)} pairs are too few to learn the model error from; pass at least 4")
    k = probabilistic_pca(residual[train], residual[held])
    _, s, Vt = thin_svd(residual / np.sqrt(len(residual)))
    rest = float(np.sum(s[k:] ** 2)) / (residual.shape[1] - k)
    return Whitening.low_rank(Vt[:k].T, np.maximum(s[:k] ** 2, rest), rest, noise)


def _examples(X: np.ndarray, Y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    index = np.sort(rng.permutation(len(X))[:RESERVOIR])
    return X[index], Y[index]


def _rms(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=0))
