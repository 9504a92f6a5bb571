"""Exact autoencoders for step functions: sigmoid and ReLU decoders of a scalar code, with nothing trained.

The n + 1 step signals of length n and height C are, in the order of their code z = 1 .. n + 1,

    x^(z)_j = C  if j >= z  else 0,        j = 1 .. n,

so that the linear encoder z = n + 1 - 1^T x / C is exact. A decoder of a scalar code with one hidden layer is

    x(z) = W3 relu(w z + b) + c,           w, b (h,), W3 (n, h), c (n,).

References
----------
[1] Maxcici (2022), AutoEncoders for Step Functions. Deviation: the width n that the source calls necessary
    *is* the minimal width, for any activation (`minimal_width`); every h >= n suffices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from invae.errors import InputError

__all__ = [
    "ReluDecoder",
    "SigmoidDecoder",
    "encode_steps",
    "exact_step_decoder",
    "interpolating_decoder",
    "minimal_width",
    "sigmoid_step_decoder",
    "step_signals",
]


@dataclass(frozen=True)
class ReluDecoder:
    """x(z) = W3 relu(w z + b) + c for a scalar code z.

    Attributes
    ----------
    weights, biases : ndarray of shape (h,)
        w and b of the hidden layer.
    output : ndarray of shape (n, h)
        W3.
    offset : ndarray of shape (n,)
        c; zero for step signals.
    """

    weights: np.ndarray
    biases: np.ndarray
    output: np.ndarray
    offset: np.ndarray

    @property
    def thresholds(self) -> np.ndarray:
        """Codes -b / w (h,) where each hidden unit switches."""
        return -self.biases / self.weights

    def activations(self, codes: np.ndarray) -> np.ndarray:
        """Hidden layer (N, h) at codes (N,)."""
        return np.maximum(np.multiply.outer(np.asarray(codes, float), self.weights) + self.biases, 0.0)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Signals (N, n) of codes (N,)."""
        return self.activations(codes) @ self.output.T + self.offset


@dataclass(frozen=True)
class SigmoidDecoder:
    """x_j(z) = C / (1 + exp(alpha (z - j - 1/2))), one layer and no hidden unit.

    Attributes
    ----------
    n, alpha, height
        Length of the signals, slope of the sigmoid, height C of the steps.
    """

    n: int
    alpha: float
    height: float = 1.0

    @property
    def error_bound(self) -> float:
        """The mean squared error over the n + 1 steps and n points lies below C^2 / ((n + 1) sinh alpha)."""
        return self.height**2 / ((self.n + 1) * np.sinh(self.alpha))

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Signals (N, n) of codes (N,)."""
        t = self.alpha * (np.arange(1, self.n + 1) + 0.5 - np.asarray(codes, float)[:, None])
        return 0.5 * self.height * (1.0 + np.tanh(0.5 * t))


def step_signals(n: int, height: float = 1.0) -> np.ndarray:
    """All n + 1 steps of length n as rows (n + 1, n), by code 1 .. n + 1; the last one is zero.

    Examples
    --------
    >>> step_signals(3)
    array([[1., 1., 1.],
           [0., 1., 1.],
           [0., 0., 1.],
           [0., 0., 0.]])
    """
    if n < 1:
        raise InputError(f"n={n} points make no step signal; use n >= 1")
    _check_height(height)
    return height * np.tri(n + 1, n, -1)[::-1, ::-1]


def encode_steps(signals: np.ndarray, height: float = 1.0) -> np.ndarray:
    """Linear encoder z = n + 1 - 1^T x / C: codes (N,) of steps (N, n)."""
    _check_height(height)
    signals = np.asarray(signals, float)
    return signals.shape[1] + 1 - signals.sum(axis=1) / height


def sigmoid_step_decoder(n: int, tolerance: float = 1e-5, height: float = 1.0) -> SigmoidDecoder:
    """Sigmoid decoder of the integer codes 1 .. n + 1 with a mean squared error below ``tolerance`` * C^2.

    alpha = asinh(1 / ((n + 1) tolerance)): at code z point j errs by less than exp(-alpha |z - j - 1/2|), and
    the squares of that over all z sum to less than 2 sum_k exp(-alpha (2 k + 1)) = 1 / sinh(alpha) for every
    j.
    """
    if n < 1:
        raise InputError(f"n={n} points make no step signal; use n >= 1")
    if not tolerance > 0:
        raise InputError(f"tolerance={tolerance} cannot be reached by a sigmoid; use a positive one")
    _check_height(height)
    return SigmoidDecoder(n, float(np.arcsinh(1.0 / ((n + 1) * tolerance))), height)


def exact_step_decoder(codes: np.ndarray, height: float = 1.0) -> ReluDecoder:
    """ReLU decoder of width n that maps n + 1 monotone codes, however spaced, to the n + 1 steps exactly.

    For increasing codes w = -1, b_j = z_{j+1} and x_j = C / (z_{j+1} - z_j) (h_j - h_{j-1}): at z_i the
    bracket is the full gap for i <= j and zero beyond. Decreasing codes are mirrored. Integer codes make no
    rounding at all.

    Parameters
    ----------
    codes : array of shape (n + 1,)
        Strictly monotone; ``codes[i]`` belongs to row i of `step_signals`.

    Raises
    ------
    InputError
        Fewer than two codes, or codes that are not strictly monotone.
    """
    codes = _check_codes(codes)
    _check_height(height)
    gaps = np.diff(codes)
    if not (np.all(gaps > 0) or np.all(gaps < 0)):
        raise InputError(
            "codes must be strictly increasing or decreasing, in the order of the steps; sort them first"
        )
    sign = np.sign(gaps[0])
    slopes = height / np.abs(gaps)
    output = np.diag(slopes) - np.diag(slopes[1:], -1)
    return ReluDecoder(np.full(len(gaps), -sign), sign * codes[1:], output, np.zeros(len(gaps)))


def interpolating_decoder(codes: np.ndarray, signals: np.ndarray) -> ReluDecoder:
    """ReLU decoder of N distinct scalar codes to any N signals, exactly: N - 1 hidden units and an offset.

    Between codes it is linear: x(z) = x_N + sum_j relu(z_{j+1} - z) (s_{j+1} - s_j) with the slopes s_j =
    (x_{j+1} - x_j) / (z_{j+1} - z_j) of sorted codes and s_N = 0, the second divided differences of the data.

    Parameters
    ----------
    codes : array of shape (N,)
        Distinct, in any order.
    signals : array of shape (N, n)
    """
    codes = _check_codes(codes)
    signals = np.asarray(signals, float)
    if signals.ndim != 2 or len(signals) != len(codes):
        raise InputError(
            f"signals have shape {signals.shape}, expected ({len(codes)}, n) for {len(codes)} codes"
        )
    order = np.argsort(codes)
    codes, signals = codes[order], signals[order]
    gaps = np.diff(codes)
    if not np.all(gaps > 0):
        raise InputError("two signals share a code; a decoder needs one code per signal")
    slopes = np.diff(signals, axis=0) / gaps[:, None]
    bends = np.diff(slopes, axis=0, append=0.0)
    return ReluDecoder(np.full(len(gaps), -1.0), codes[1:], bends.T, signals[-1])


def minimal_width(signals: np.ndarray, offset: bool = False) -> int:
    """Least number of hidden units of a decoder with a linear last layer, for any activation and any code.

    The signals lie in the span of the h columns of W3 (shifted by c with ``offset``), so h is at least the
    dimension of their linear (affine) hull; `interpolating_decoder` and `exact_step_decoder` show what is
    enough.

    Examples
    --------
    >>> minimal_width(step_signals(6)), minimal_width(step_signals(6), offset=True)
    (6, 6)
    """
    signals = np.asarray(signals, float)
    if offset:
        signals = signals[1:] - signals[0]
    return int(np.linalg.matrix_rank(signals)) if signals.size else 0


def _check_codes(codes: np.ndarray) -> np.ndarray:
    codes = np.asarray(codes, float)
    if codes.ndim != 1 or len(codes) < 2:
        raise InputError(f"codes have shape {codes.shape}, expected at least two scalars, one per signal")
    if not np.isfinite(codes).all():
        raise InputError("codes hold NaN or infinite values; pass finite scalars")
    return codes


def _check_height(height: float) -> None:
    if not (np.isfinite(height) and height != 0):
        raise InputError(f"height={height} makes no step; use a finite height other than zero")
