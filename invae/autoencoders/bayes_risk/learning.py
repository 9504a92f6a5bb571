"""From examples, pairs or a prior to the factors of a reconstructor: which moments, which space, which
rank."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from invae.autoencoders.bayes_risk.checkpoint import Checkpoint
from invae.autoencoders.bayes_risk.noise import noise_variance
from invae.autoencoders.bayes_risk.spaces import CentredFactors, from_moments, from_pairs, from_prior
from invae.autoencoders.bayes_risk.validation import smallest_rank, split, validated_risk_curve
from invae.errors import InputError
from invae.linalg.augment import augment, order
from invae.linalg.factorise import thin_svd
from invae.linalg.moments import PairMoments
from invae.linalg.priors import GaussianPrior
from invae.linalg.reduced_rank import ReducedRank
from invae.linalg.shrinkage import probabilistic_pca
from invae.linalg.whitening import Whitening
from invae.operators.rows import forward

__all__ = [
    "ENOUGH_PAIRS",
    "MANY_PER_RANK",
    "JointModel",
    "Settings",
    "learn_pairs",
    "learn_prior",
    "learn_signals",
    "learn_stream",
]

logger = logging.getLogger(__name__)

ENOUGH_PAIRS = 5  # times the measurements: C_yy of fewer pairs is too noisy to be inverted as it is
LARGEST_PRIOR = 2**26  # entries of samples (512 MiB) that a shrunk prior carries along although N > n
FEWEST = 8  # samples for kernel shrinkage: 6 to learn from and 2 to choose by
FEW_HELD = 25  # samples that choose the shrinkage: their mean error is known to some 20 %, enough to rank by
MOST_HELD = 1000  # samples that choose the rank: their mean error is known to a few per cent
MANY_PER_RANK = 20  # samples for each direction of a map: fewer, and one sample moves the directions
RESERVOIR = 256  # examples that are kept: a root mean square over them is known to some 5 %
CHEAP = 1200  # side of a factorisation that may be done twice, to validate the rank under a shrunk prior


@dataclass(frozen=True)
class Settings:
    """What the user asked for."""

    operator: Any
    noise: Any
    space: str
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
class JointModel:
    """Second-order model of a signal and its measurement, and what was learnt beside it.

    Attributes
    ----------
    factors : CentredFactors
        Of the signal's covariance and of its image under the operator.
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
    noise : float or None
        Strength of the noise in units of the whitening; None: as it was when this was learnt.
    """

    factors: CentredFactors
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
    noise: float | None = None

    @property
    def noise_power(self) -> float:
        """tau, with Cov(e) = tau R."""
        return self.whitening.scale if self.noise is None else self.noise

    def at_noise(self, variance: float) -> JointModel:
        """The same for added noise of another variance, beside the model error that was learnt from pairs."""
        if self.added is None:
            return replace(self, noise=variance, curve=None)  # the curve is of the noise of the fit
        model_error = max(0.0, self.noise_power - float(np.mean(self.added)))
        return replace(self, noise=variance + model_error, added=variance, curve=None)

    def to_state(self) -> dict[str, Any]:
        """Numbers, arrays and the prior, for storing."""
        state = {**vars(self), "whitening": self.whitening.to_state()}
        kept = self.factors.kept
        state["factors"] = {**vars(self.factors), "kept": None if kept is None else kept.to_state()}
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> JointModel:
        """Rebuild what `to_state` described."""
        factors = dict(state["factors"])
        kept = None if factors["kept"] is None else ReducedRank.from_state(factors["kept"])
        parts = {
            "factors": CentredFactors(**{**factors, "kept": kept}),
            "whitening": Whitening.from_state(state["whitening"]),
            "examples": None if state["examples"] is None else tuple(state["examples"]),
        }
        return cls(**{**state, **parts})


def learn_prior(prior: GaussianPrior, settings: Settings) -> JointModel:
    """From a known prior."""
    mean = np.asarray(forward(settings.operator, prior.mean[None])[0], np.float64)
    if (
        prior.structured
    ):  # the scale of relative noise: 256 draws know the rms to a few per cent of its spread
        draws = prior.sample(RESERVOIR, np.random.default_rng(0)).reshape(RESERVOIR, -1)
        rms = _rms(forward(settings.operator, draws))
    else:
        G = forward(settings.operator, np.ascontiguousarray(prior.factor().T))
        rms = np.sqrt(mean**2 + np.einsum("ij,ij->j", G, G))
    whitening = _whitening(settings.noise, mean, rms)
    factors = from_prior(prior, settings.operator, whitening, settings.space)
    return JointModel(factors, whitening, mean, rms, prior=prior)


def learn_signals(X: np.ndarray, shape: tuple[int, ...], settings: Settings) -> JointModel:
    """From signals (N, n) that the operator measures."""
    shrinkage = _automatic(X, shape, settings) if settings.shrinkage == "auto" else settings.shrinkage
    some = X[np.sort(settings.rng.permutation(len(X))[:RESERVOIR])]
    examples = some, forward(settings.operator, some)
    if shrinkage is not None:
        mean = np.asarray(forward(settings.operator, X.mean(axis=0)[None])[0], np.float64)
        rms = _rms(examples[1])
        whitening = _whitening(settings.noise, mean, rms)
        model = _learn_shrunk(X, shape, shrinkage, whitening, settings)
        return replace(model, mean_clean=mean, rms_clean=rms, examples=examples)
    Y = forward(settings.operator, X)
    mean, rms = Y.mean(axis=0, dtype=np.float64), _rms(Y)
    whitening = _whitening(settings.noise, mean, rms)

    def fit_to(X: np.ndarray, Y: np.ndarray) -> CentredFactors:
        if settings.augment is not None:
            X = augment(X, shape, settings.augment)
            Y = forward(settings.operator, X)
        return from_pairs(X, Y, whitening, settings.operator, settings.space)

    rank, curve = _validated(X, Y, fit_to, whitening, settings)
    model = JointModel(fit_to(X, Y), whitening, mean, rms, examples, rank, curve)
    return replace(model, n_samples=len(X) * order(settings.augment, shape), share=1.0)


def learn_pairs(X: np.ndarray, Y: np.ndarray, shape: tuple[int, ...], settings: Settings) -> JointModel:
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

        def fit_to(X: np.ndarray, Y: np.ndarray) -> CentredFactors:
            return from_pairs(X, Y, whitening, None, settings.space)

        rank, curve = _validated(X, Y, fit_to, whitening, settings)
        model = JointModel(fit_to(X, Y), whitening, mean, rms, _examples(X, Y, settings.rng), rank, curve)
        return replace(model, n_samples=len(X), share=1.0, modelled=False)
    residual = Y - forward(settings.operator, X)
    offset = residual.mean(axis=0, dtype=np.float64)
    whitening = _residual_whitening(residual - offset, noise, settings.rng)
    logger.info(
        "model error: residual std %.4g of measurements of rms %.4g", np.sqrt(whitening.scale), _rms(rms)
    )
    model = learn_signals(X, shape, replace(settings, noise=whitening))
    shifted = replace(model.factors, mean_y=model.factors.mean_y + offset)
    examples = _examples(X, Y, settings.rng)
    model = replace(model, factors=shifted, examples=examples, offset=offset, added=noise)
    return replace(model, mean_clean=mean, rms_clean=rms)


def learn_stream(batches: Iterable[tuple[np.ndarray, np.ndarray]], settings: Settings) -> JointModel:
    """From batches of pairs of rows, read once: moments, and up to 1000 held-out pairs that choose the
    rank."""
    if settings.space not in ("auto", "measurements"):
        raise InputError(
            f"space={settings.space!r} needs all samples at once; batches go through the measurements"
        )
    moments, n_rows = PairMoments(), 0
    held_x: list[np.ndarray] = []
    held_y: list[np.ndarray] = []
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
            factors = from_moments(moments, whitening)
            maps = factors.core.solve(whitening.scale)
            curve = validated_risk_curve(factors, maps, X, Y, whitening.scale)
            rank = smallest_rank(curve, settings.tolerance)
        examples = _examples(X, Y, settings.rng)
        moments.update(X, Y)
    model = JointModel(from_moments(moments, whitening), whitening, mean, rms, examples, rank, curve)
    return replace(model, n_samples=moments.n_samples, share=1.0, modelled=False)


def _automatic(X: np.ndarray, shape: tuple[int, ...], settings: Settings) -> str | None:
    """The kernel where samples are fewer than unknowns, and for images up to four times as many: it
    still gains."""
    N, n = X.shape
    few = N < n or (len(shape) > 1 and N < 4 * n and N * n <= LARGEST_PRIOR)
    return "kernel" if few and N >= FEWEST and settings.space != "samples" else None


def _learn_shrunk(
    X: np.ndarray,
    shape: tuple[int, ...],
    shrinkage: str,
    whitening: Whitening,
    settings: Settings,
) -> JointModel:
    def measure(rows: np.ndarray) -> np.ndarray:
        return whitening.apply(forward(settings.operator, rows))

    shrunk = partial(
        GaussianPrior.from_samples,
        shape=shape,
        shrinkage=shrinkage,
        augment=settings.augment,
        rng=settings.rng,
    )
    fraction = max(settings.validation, min(0.25, FEW_HELD / len(X)))
    prior = shrunk(X, measure=measure, noise=whitening.scale, validation=fraction)
    factors = from_prior(prior, settings.operator, whitening, settings.space)
    rank = curve = None
    if settings.validate_rank and min(factors.mean_y.size, X.shape[1]) <= CHEAP:

        def fit_to(X: np.ndarray, Y: np.ndarray) -> CentredFactors:
            return from_prior(shrunk(X, choice=prior.choice), settings.operator, whitening, settings.space)

        rank, curve = _validated(X, forward(settings.operator, X), fit_to, whitening, settings)
    share = None if prior.choice is None else 1.0 - prior.choice.rho
    model = JointModel(factors, whitening, factors.mean_y, factors.mean_y, None, rank, curve, prior)
    return replace(model, n_samples=len(X) * order(settings.augment, shape), share=share)


def _validated(
    X: np.ndarray,
    Y: np.ndarray,
    fit_to: Callable[[np.ndarray, np.ndarray], CentredFactors],
    whitening: Whitening,
    settings: Settings,
) -> tuple[int | None, np.ndarray | None]:
    if not settings.holds_out(len(X)):
        return None, None
    train, held = split(len(X), settings.validation, settings.rng)
    if not len(held):
        return None, None
    factors = fit_to(X[train], Y[train])
    maps = factors.core.solve(whitening.scale)
    curve = validated_risk_curve(factors, maps, X[held], Y[held], whitening.scale)
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
