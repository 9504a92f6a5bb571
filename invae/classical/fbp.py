"""Filtered back-projection of parallel-beam tomography.

x = integral over [0, pi) of (ramp * p_theta)(x cos + y sin) d theta. The ramp filter is the band-limited
one, sampled in space so that its mean over the padded line is right (Kak, Slaney 1988, eq. 3.61), and
windowed in the detector's Fourier domain; back-projection is the operator's exact adjoint.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from invae.classical.base import ClassicalMethod, adjoint
from invae.errors import InputError

__all__ = ["WINDOWS", "FilteredBackprojection"]

WINDOWS = {
    "ramp": lambda f: np.ones_like(f),
    "shepp-logan": lambda f: np.sinc(f / 2),
    "cosine": lambda f: np.cos(np.pi * f / 2),
    "hamming": lambda f: 0.54 + 0.46 * np.cos(np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(np.pi * f),
}


class FilteredBackprojection(ClassicalMethod):
    """Filter every view, then smear it back; views may be at any set of angles.

    Parameters
    ----------
    operator : invae.Radon
        With parallel geometry; its ``angles`` [radians] and ``dimsd`` (views, detectors) are read.
    parameter : float or str, default 1.0
        Where the window ends, as a share of the Nyquist frequency in (0, 1], or a rule: "validation", "gcv",
        "discrepancy", "l_curve", "oracle".
    window : {"ramp", "shepp-logan", "cosine", "hamming", "hann"}, default "hann"
    noise : float, noise model or None
        For the discrepancy rule; None estimates it from each measurement.
    tau : float, default 1.0
        Safety factor of the discrepancy rule.
    nonnegative : bool, default False
        Whether negative values are cut off at the end.

    Attributes
    ----------
    parameters_ : ndarray of shape (N,)
        Cut-off of each row of the last `predict`.
    """

    _zooms = 1

    def __init__(
        self,
        operator: Any,
        parameter: float | str = 1.0,
        window: str = "hann",
        noise: Any = None,
        tau: float = 1.0,
        nonnegative: bool = False,
    ) -> None:
        self.operator = operator
        self.parameter = parameter
        self.window = window
        self.noise = noise
        self.tau = tau
        self.nonnegative = nonnegative

    def _prepare(self) -> None:
        F = self.operator
        if not hasattr(F, "angles") or getattr(F, "geometry", "parallel") != "parallel":
            raise InputError(
                f"{type(F).__name__} is no parallel-beam Radon operator; "
                "filtered back-projection needs one, use Cgls or TotalVariation here"
            )
        if self.window not in WINDOWS:
            raise InputError(f"window={self.window!r}; use one of {', '.join(WINDOWS)}")
        if not isinstance(self.parameter, str) and not 0 < self.parameter <= 1:
            raise InputError(f"parameter={self.parameter}; the cut-off is a share of Nyquist in (0, 1]")
        detectors = F.dimsd[1]
        self.length_ = scipy.fft.next_fast_len(2 * detectors, real=True)
        self.ramp_ = _ramp(self.length_)
        # The adjoint sums line integrals of unit pixels; each view stands for its share of the half turn.
        self.shares_ = _angular_shares(np.asarray(F.angles))

    def _path(self, Y: np.ndarray) -> np.ndarray:
        return np.geomspace(0.1, 1.0, 13)

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        views, detectors = self.operator.dimsd
        frequency = np.linspace(0, 1, self.length_ // 2 + 1)
        scaled = frequency / np.broadcast_to(values, len(Y))[:, None]
        response = self.ramp_ * np.where(
            scaled <= 1 + 1e-12, WINDOWS[self.window](np.minimum(scaled, 1)), 0.0
        )
        response = response.astype(Y.dtype)[:, None, :]
        lines = Y.reshape(len(Y), views, detectors) * self.shares_.astype(Y.dtype)[:, None]
        spectrum = scipy.fft.rfft(lines, self.length_, axis=-1) * response
        filtered = scipy.fft.irfft(spectrum, self.length_, axis=-1)[..., :detectors]
        X = adjoint(self.operator, np.ascontiguousarray(filtered).reshape(len(Y), -1))
        return np.maximum(X, 0) if self.nonnegative else X


def _ramp(length: int) -> np.ndarray:
    """Frequency response (length // 2 + 1,) of the band-limited ramp for unit spacing; 1/2 at Nyquist."""
    k = np.minimum(np.arange(length), length - np.arange(length))
    taps = np.zeros(length)
    taps[0] = 0.25
    odd = k % 2 == 1
    taps[odd] = -1.0 / (np.pi * k[odd]) ** 2
    return scipy.fft.rfft(taps).real


def _angular_shares(angles: np.ndarray) -> np.ndarray:
    """The part of the half turn [radians] for which each view stands: half way to its neighbours modulo pi.

    A gap of more than three times the median step is a missing wedge: the views at its rim keep half the
    median step on that side, and nothing is put into the gap. Views at the same angle modulo pi share their
    part.
    """
    turned, inverse, counts = np.unique(
        np.round(np.mod(angles, np.pi), 9) % np.round(np.pi, 9), return_inverse=True, return_counts=True
    )
    if len(turned) == 1:
        return np.full(len(angles), np.pi / len(angles))
    steps = np.diff(np.concatenate([turned, [turned[0] + np.pi]]))
    usual = np.median(steps)
    steps = np.where(steps > 3 * usual, usual, steps)
    shares = 0.5 * (steps + np.roll(steps, 1))
    return (shares / counts)[inverse]
