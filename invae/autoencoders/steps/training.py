"""Training the ReLU decoder of a scalar code: as the source did, with W3 eliminated, or not at all.

All start from the thresholds t of hidden units relu(t - z) and minimise the mean squared error over codes z_i
and signals x_i, i = 1 .. N:

* `train_rmsprop`: gradient steps on (w, b, W3, c) by RMSProp, as the source. It crawls wherever the hidden
  layer is close to singular: random thresholds almost always start there (`unisolvence_probability`), and
  even runs from good thresholds end there.
* `variable_projection`: (W3, c) solved for at every step, quasi-Newton on t alone.
* `interlaced_decoder`: thresholds between the codes and *one* linear solve. Exact, in well under a
  millisecond.

References
----------
[1] Maxcici (2022), AutoEncoders for Step Functions.
[2] Golub and Pereyra (2003), Separable nonlinear least squares: the variable projection method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from invae.autoencoders.steps.decoders import ReluDecoder
from invae.errors import InputError

__all__ = ["StepTraining", "interlaced_decoder", "random_thresholds", "train_rmsprop", "variable_projection"]


@dataclass(frozen=True)
class StepTraining:
    """A trained decoder and the mean squared errors (n_records,) after the epochs ``epochs`` (n_records,)."""

    decoder: ReluDecoder
    epochs: np.ndarray
    losses: np.ndarray


def random_thresholds(codes: np.ndarray, n: int, rng: int | np.random.Generator | None = None) -> np.ndarray:
    """``n`` thresholds (n,) drawn uniformly between the least and the largest code."""
    codes = np.asarray(codes, float)
    return np.random.default_rng(rng).uniform(codes.min(), codes.max(), n)


def interlaced_decoder(codes: np.ndarray, signals: np.ndarray, fraction: float = 0.5) -> ReluDecoder:
    """Exact decoder with thresholds t_i = z_i + fraction (z_{i+1} - z_i) and one triangular solve for W3.

    Parameters
    ----------
    codes : array of shape (N,)
        Strictly increasing.
    signals : array of shape (N, n)
    fraction : float
        1/2 <= fraction <= 1; at 1 the last layer is that of `interpolating_decoder`. For equal gaps the
        inverse of A grows as ((1 - fraction) / fraction)^N, so smaller fractions are exact on paper only.
    """
    codes, signals = _check(codes, signals)
    if not 0.5 <= fraction <= 1:
        raise InputError(f"fraction={fraction} is unstable or outside the gap; use 0.5 <= fraction <= 1")
    if not np.all(np.diff(codes) > 0):
        raise InputError(
            "codes must increase strictly for the thresholds to interlace with them; sort them first"
        )
    thresholds = codes[:-1] + fraction * np.diff(codes)
    hidden = np.maximum(thresholds - codes[:-1, None], 0.0)
    output = np.linalg.solve(hidden, signals[:-1] - signals[-1]).T
    return ReluDecoder(np.full(len(thresholds), -1.0), thresholds, output, signals[-1].copy())


def variable_projection(
    codes: np.ndarray, signals: np.ndarray, thresholds: np.ndarray, max_iter: int = 200
) -> StepTraining:
    """Minimise over the thresholds, with (W3, c) the least-squares solution for each.

    The gradient needs no derivative of that solution: d/dt_j = 2 / (N n) sum_i [t_j > z_i] (r_i . W3_j) with
    residuals r_i, since the loss is stationary in (W3, c).
    """
    from scipy.optimize import minimize

    codes, signals = _check(codes, signals)
    losses = []

    def solve(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hidden = np.column_stack([np.maximum(t - codes[:, None], 0.0), np.ones(len(codes))])
        solution = np.linalg.lstsq(hidden, signals, rcond=None)[0]
        return solution, hidden @ solution - signals

    def objective(t: np.ndarray) -> tuple[float, np.ndarray]:
        solution, residual = solve(t)
        slope = (residual @ solution[:-1].T) * (t > codes[:, None])
        return float(np.mean(residual**2)), 2.0 * slope.sum(axis=0) / signals.size

    thresholds = np.asarray(thresholds, float)
    losses.append(objective(thresholds)[0])
    best = minimize(
        objective,
        thresholds,
        jac=True,
        method="L-BFGS-B",
        bounds=[(codes.min(), codes.max())] * len(thresholds),
        options={"maxiter": max_iter, "ftol": 0.0, "gtol": 0.0},
        callback=lambda t: losses.append(objective(t)[0]),
    )
    solution, _ = solve(best.x)
    decoder = ReluDecoder(np.full(len(thresholds), -1.0), best.x, solution[:-1].T, solution[-1])
    return StepTraining(decoder, np.arange(len(losses)), np.array(losses))


def train_rmsprop(
    codes: np.ndarray,
    signals: np.ndarray,
    decoder: ReluDecoder | Sequence[float],
    n_epochs: int = 10_000,
    *,
    learning_rate: float = 1e-3,
    decay: float = 0.9,
    record_every: int = 100,
    rng: int | np.random.Generator | None = None,
) -> StepTraining:
    """Full-batch RMSProp on all weights, from ``decoder`` or from thresholds (h,) with w = -1, random W3.

    v <- decay v + (1 - decay) g^2 and theta <- theta - learning_rate g / (sqrt(v) + 1e-7), as in Keras.
    """
    codes, signals = _check(codes, signals)
    if not isinstance(decoder, ReluDecoder):
        thresholds = np.asarray(decoder, float)
        spread = 1.0 / np.sqrt(len(thresholds))
        output = spread * np.random.default_rng(rng).standard_normal((signals.shape[1], len(thresholds)))
        decoder = ReluDecoder(np.full(len(thresholds), -1.0), thresholds, output, np.zeros(signals.shape[1]))
    theta = [
        np.array(part, float) for part in (decoder.weights, decoder.biases, decoder.output, decoder.offset)
    ]
    mean_squares = [np.zeros_like(part) for part in theta]
    epochs, losses = [], []
    for epoch in range(n_epochs + 1):
        w, b, W3, c = theta
        hidden = np.maximum(np.multiply.outer(codes, w) + b, 0.0)
        residual = hidden @ W3.T + c - signals
        if epoch % record_every == 0 or epoch == n_epochs:
            epochs.append(epoch)
            losses.append(float(np.mean(residual**2)))
        if epoch == n_epochs:
            break
        residual *= 2.0 / signals.size
        back = (residual @ W3) * (hidden > 0)
        gradients = (codes @ back, back.sum(axis=0), residual.T @ hidden, residual.sum(axis=0))
        for part, v, g in zip(theta, mean_squares, gradients):
            v *= decay
            v += (1.0 - decay) * g**2
            part -= learning_rate * g / (np.sqrt(v) + 1e-7)
    return StepTraining(ReluDecoder(*theta), np.array(epochs), np.array(losses))


def _check(codes: np.ndarray, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, signals = np.asarray(codes, float), np.asarray(signals, float)
    if codes.ndim != 1 or signals.ndim != 2 or len(codes) != len(signals) or len(codes) < 2:
        raise InputError(
            f"codes {codes.shape} and signals {signals.shape} do not pair; pass (N,) and (N, n) with N >= 2"
        )
    return codes, signals
