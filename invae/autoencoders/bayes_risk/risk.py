"""Risk on signals that a fit has not seen: of draws from the prior, or of examples left out in turn."""

from __future__ import annotations

import numpy as np

from invae.autoencoders.bayes_risk.affine_posterior import AffinePosterior
from invae.autoencoders.bayes_risk.learning import MANY_PER_RANK
from invae.autoencoders.bayes_risk.validation import left_out_risk
from invae.linalg.augment import augment, order
from invae.operators.rows import forward

__all__ = ["iterated_risk", "unseen_risk"]

DRAWS = 8  # signals of thousands of entries each: their mean error is known to a few per cent
LARGEST = 2**24  # values of the examples that are left out in turn: 128 MiB


def iterated_risk(posterior: AffinePosterior) -> float:
    """Mean squared error of the iterated posterior mean, on draws from its own prior and noise."""
    rng = np.random.default_rng(0)
    X = posterior.draw_signals(DRAWS, rng).astype(np.float32)
    Y = posterior.measure(X, rng).astype(X.dtype)
    x_hat, _ = posterior.posterior(Y, np.full(DRAWS, posterior.model.noise_power))
    return float(np.mean(np.sum((x_hat - X) ** 2, axis=1)))


def unseen_risk(
    posterior: AffinePosterior, risk_curve: np.ndarray, shape: tuple[int, ...], group: str | None
) -> float | None:
    """Mean squared error on stored examples that the moments are rid of, else that of the held-out samples.

    Parameters
    ----------
    posterior : AffinePosterior
    risk_curve : ndarray of shape (q + 1,)
        Expected squared error at every rank.
    shape : tuple of int
        Of a signal.
    group : {None, "flips", "d4"}
        Symmetry by which the samples were multiplied.
    """
    model, rank = posterior.model, len(posterior.encoder)
    is_cut = bool(risk_curve[rank] > 1.01 * risk_curve[-1])  # it lacks directions of substance
    # Few samples without shrinkage decide which directions a low rank keeps: none of them can be left out.
    few = model.share == 1.0 and model.n_samples < MANY_PER_RANK * rank
    fixed = posterior.iterated or (is_cut and few)
    risk = None
    if model.examples is not None and model.share is not None and not fixed:
        risk = _left_out(posterior, model.examples, model.share, is_cut, shape, group)
    if risk is None and model.curve is not None and rank < len(model.curve):
        return float(model.curve[rank])
    return risk


def _left_out(
    posterior: AffinePosterior,
    examples: tuple[np.ndarray, np.ndarray],
    share: float,
    is_cut: bool,
    shape: tuple[int, ...],
    group: str | None,
) -> float | None:
    model, factors = posterior.model, posterior.model.factors
    mean_x, mean_y = factors.mean_x, factors.mean_y
    k = order(group, shape)
    most = max(8, LARGEST // (k * (mean_x.size + mean_y.size)))
    X, Y = (part[:most] for part in examples)
    N = len(X)
    D = augment(X, shape, group).reshape(k, N, -1) - mean_x
    G = (Y - mean_y)[None]
    if model.modelled:
        images = forward(posterior.operator, (D + mean_x).reshape(k * N, -1).astype(X.dtype))
        G = images.reshape(k, N, -1) - (mean_y - model.offset)
    rng = np.random.default_rng(0)
    if model.added is None:
        noisy = posterior.add_noise(Y, rng)
    else:
        noisy = Y + np.sqrt(model.added) * rng.standard_normal(Y.shape)
    return left_out_risk(
        factors.core,
        model.noise_power + factors.cut_off,
        posterior.encoder,
        posterior.decoder,
        (D, G),
        noisy - mean_y,
        model.n_samples,
        share,
        is_cut,
    )
