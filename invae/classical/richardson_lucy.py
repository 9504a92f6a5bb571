"""Richardson-Lucy: maximum likelihood of non-negative signals under Poisson noise, stopped in time.

x <- x / (F^T 1) * F^T (y / (F x + b)),  b a known background (Richardson 1972; Lucy 1974). Every iterate is
non-negative and, without background, keeps the measurement's total.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from invae.classical.iterative import IterativeMethod
from invae.errors import InputError
from invae.linalg.samples import is_number, shown
from invae.operators.rows import adjoint, forward, has_negative_entries

__all__ = ["RichardsonLucy"]


NEGLIGIBLE = 0.01  # of the largest entry: time stepping makes entries that small below zero


class RichardsonLucy(IterativeMethod):
    """Multiplicative deconvolution; also known as MLEM in emission tomography.

    Parameters
    ----------
    operator : pylops.LinearOperator
        With entries >= 0.
    parameter : int or str, default "discrepancy"
        Number of iterations, or a rule of `parameters.RULES`.
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.
    background : float, default 0.0
        Known constant part of every measured value, >= 0.
    max_iter : int, default 200

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        Iterations spent on each row of the last `predict`.

    Notes
    -----
    Measured values below zero, which Gaussian noise makes, count as zero.
    """

    def __init__(
        self,
        operator: Any,
        parameter: int | str = "discrepancy",
        noise: Any = None,
        tau: float = 1.0,
        background: float = 0.0,
        max_iter: int = 200,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.noise = noise
        self.tau = tau
        self.background = background
        self.max_iter = max_iter

    def _prepare(self) -> None:
        if not is_number(self.background, 0.0):
            raise InputError(f"background={shown(self.background)}; it must be a number >= 0")
        m, n = self.operator.shape
        self.sums_ = adjoint(self.operator, np.ones((1, m)))[0]
        lowest = min(self.sums_.min(), forward(self.operator, np.ones((1, n))).min())
        if lowest < -1e-9 * np.abs(self.sums_).max() or has_negative_entries(self.operator, NEGLIGIBLE):
            raise InputError("the operator has negative entries; use Landweber or Cgls instead")

    def _start(self, Y: np.ndarray) -> np.ndarray:
        """A constant with the measurement's total."""
        total = np.maximum(Y - Y.dtype.type(self.background), 0).sum(axis=1)
        level = np.maximum(total / max(float(self.sums_.sum()), 1e-300), 1e-12)
        return np.repeat(level[:, None], self.operator.shape[1], axis=1).astype(Y.dtype)

    def _iterate(self, Y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        X = self._start(Y)
        b = Y.dtype.type(self.background)
        counts = np.maximum(Y, 0)
        seen = self.sums_ > 1e-9 * self.sums_.max()
        scale = np.divide(1.0, self.sums_, out=np.zeros_like(self.sums_), where=seen).astype(Y.dtype)
        model = forward(self.operator, X) + b
        while True:
            ratio = np.divide(counts, model, out=np.zeros_like(counts), where=model > 0)
            # A transform that works by FFT leaves rounding errors below zero.
            X *= scale * np.maximum(adjoint(self.operator, ratio), 0)
            model = forward(self.operator, X) + b
            yield X, Y - model
