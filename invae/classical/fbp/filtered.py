"""Filtered back-projection of parallel and fan-beam tomography.

Parallel: x = integral over [0, pi) of (ramp * p_theta)(x cos + y sin) d theta. The ramp filter is the
band-limited one, sampled in space so that its mean over the padded line is right (Kak, Slaney 1988, eq.
3.61), and windowed in the detector's Fourier domain. Fan (ibid., sec. 3.4.2): lines are weighted by R /
sqrt(R^2 + s^2) on the detector scaled to the centre, filtered, and each view is weighted by (R / (R -
y'))^2 in the back-projection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from invae.classical.base import ClassicalMethod
from invae.classical.fbp.backproject import back_project
from invae.classical.fbp.borders import Border
from invae.classical.fbp.gaps import GapFiller
from invae.classical.fbp.views import angular_shares, covers, redundancy
from invae.errors import InputError
from invae.linalg.samples import shown

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
        Parallel beams at any angles, or fan beams over a full turn; also a `Masked` one, whose dead bins are
        filled by interpolation and whose lost views by their neighbours' larger share.
    parameter : float or str, default 1.0
        Where the window ends, in units of the Nyquist frequency; beyond 1 the window is cut there, so that a
        large value is the bare ramp. Or a rule of `parameters.RULES`.
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
        masked = hasattr(self.operator, "keep")
        F = self.operator.operator if masked else self.operator
        if not hasattr(F, "angles"):
            raise InputError(
                f"{type(F).__name__} is no Radon operator; filtered back-projection needs one, "
                "use Cgls or TotalVariation here"
            )
        if not isinstance(self.window, str) or self.window not in WINDOWS:
            raise InputError(f"window={shown(self.window)}; use one of {', '.join(WINDOWS)}")
        if not isinstance(self.parameter, str) and not self.parameter > 0:
            raise InputError(f"parameter={self.parameter}; the cut-off, in units of Nyquist, must be > 0")
        self.scan_ = F
        self.gaps_ = GapFiller(self.operator.keep) if masked else None
        seen = np.ones(len(F.angles), bool) if self.gaps_ is None else self.gaps_.seen
        redundant = redundancy(F)
        self.weights_ = np.zeros(F.dimsd)
        self.weights_[seen] = _line_weights(F, F.angles[seen], redundant)
        self.border_ = Border(F, redundant)
        self.length_ = scipy.fft.next_fast_len(2 * self.border_.size, real=True)
        self.ramp_ = _ramp(self.length_)

    def _path(self, Y: np.ndarray) -> np.ndarray:
        return np.geomspace(0.1, 4.0, 17)

    def _solve(self, Y: np.ndarray, values: np.ndarray) -> np.ndarray:
        views, detectors = self.scan_.dimsd
        frequency = np.linspace(0, 1, self.length_ // 2 + 1)
        scaled = frequency / np.broadcast_to(values, len(Y))[:, None]
        response = self.ramp_ * np.where(
            scaled <= 1 + 1e-12, WINDOWS[self.window](np.minimum(scaled, 1)), 0.0
        )
        response = response.astype(Y.dtype)[:, None, :]
        lines = Y.reshape(len(Y), views, detectors) if self.gaps_ is None else self.gaps_.fill(Y)
        lines = self.border_.extend(lines * self.weights_.astype(Y.dtype))
        spectrum = scipy.fft.rfft(lines, self.length_, axis=-1) * response
        filtered = scipy.fft.irfft(spectrum, self.length_, axis=-1)[..., : self.border_.size]
        X = back_project(filtered, self.scan_, self.border_.left)
        return np.maximum(X, 0) if self.nonnegative else X


def _ramp(length: int) -> np.ndarray:
    """Frequency response (length // 2 + 1,) of the band-limited ramp for unit spacing; 1/2 at Nyquist."""
    k = np.minimum(np.arange(length), length - np.arange(length))
    taps = np.zeros(length)
    taps[0] = 0.25
    odd = k % 2 == 1
    taps[odd] = -1.0 / (np.pi * k[odd]) ** 2
    return scipy.fft.rfft(taps).real


def _line_weights(F: Any, angles: np.ndarray, redundant: np.ndarray | None) -> np.ndarray:
    """Weights (views, detectors): share of the turn, obliqueness, bins as they lie on the central line."""
    fan = F.geometry == "fan"
    period = 2 * np.pi if fan or redundant is not None else np.pi
    if fan and (gap := covers(angles, period)) > 0:
        raise InputError(
            f"the fan's views leave a gap of {np.degrees(gap):.3g} degrees; filtered back-projection "
            "needs a full turn, use Cgls, Sirt or TotalVariation here"
        )
    shares = angular_shares(angles, period)[:, None]
    if redundant is not None:
        shares = shares * redundant
    elif fan:
        shares = 0.5 * shares  # every line is seen twice in a full turn
    if not fan:
        return np.broadcast_to(shares, (len(angles), F.n_detectors)) / F.detector_spacing
    R = F.source_distance
    scale = R / (R + F.detector_distance)
    s = scale * F.detector_positions
    return shares * R / np.sqrt(R**2 + s**2) / (scale * F.detector_spacing)
