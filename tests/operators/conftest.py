"""Operators of every geometry, boundary and equation, small enough to write out as matrices."""

from __future__ import annotations

import numpy as np
import pytest

from invae.operators import Blur, Heat, Masked, Radon, gaussian_kernel, motion_kernel

_rng = np.random.default_rng(7)
_lopsided = _rng.random((5, 4))
_rough = _rng.uniform(0.01, 1.0, (9, 8))

OPERATORS = {
    "radon": Radon(17, 9),
    "radon-rectangle-odd-angles": Radon((12, 19), angles=[2.0, 0.1, -0.7, np.pi / 4, np.pi / 2]),
    "radon-few-bins": Radon(16, 7, n_detectors=9, detector_spacing=2.5, detector_offset=0.7),
    "radon-limited": Radon(16, angles=np.linspace(0, np.pi / 2, 6)),
    "radon-matrix-free": Radon((11, 16), 7, matrix_free=True),
    "radon-fan": Radon(16, 7, geometry="fan", source_distance=30, detector_distance=20, detector_offset=1.3),
    "radon-fan-matrix-free": Radon(
        (9, 14), 7, geometry="fan", source_distance=15, detector_distance=4, matrix_free=True
    ),
    **{f"blur-gauss-{b}": Blur((12, 9), 1.5, boundary=b) for b in ("reflective", "periodic", "zero")},
    **{
        f"blur-lopsided-{b}": Blur((12, 9), kernel=_lopsided, boundary=b)
        for b in ("reflective", "periodic", "zero")
    },
    **{
        f"blur-motion-{b}": Blur((12, 9), kernel=motion_kernel(5, 0.4), boundary=b)
        for b in ("reflective", "periodic", "zero")
    },
    "blur-anisotropic-turned": Blur((12, 9), kernel=gaussian_kernel((0.7, 2.0), angle=0.6)),
    "blur-wider-than-signal": Blur((5, 4), kernel=_rng.random((13, 14))),
    "blur-wide-zero": Blur((5, 4), kernel=_rng.random((13, 14)), boundary="zero"),
    "blur-wide-periodic": Blur((5, 4), kernel=_rng.random((13, 14)), boundary="periodic"),
    "blur-1d": Blur(13, 2.0),
    "blur-1d-lopsided": Blur(13, kernel=_rng.random(4)),
    "radon-dead-bins": Masked(Radon(16, 7), np.arange(23) % 5 > 0),
    "radon-lost-views": Masked(Radon(16, 7), np.arange(7)[:, None] % 3 > 0),
    "blur-inpainted": Masked(Blur((12, 9), 1.5), _rng.random((12, 9)) > 0.3),
    "heat-1d": Heat(20, 5.0),
    "heat-2d": Heat((9, 8), 3.0, 0.5, spacing=0.7),
    "heat-1d-varying": Heat(20, 5.0, _rng.uniform(0.01, 1, 20)),
    "heat-2d-varying": Heat((9, 8), 3.0, _rough, n_steps=7),
    "heat-long-varying": Heat((9, 8), 1e4, _rough),
    "heat-source": Heat((9, 8), 3.0, unknown="source"),
    "heat-source-varying": Heat((9, 8), 3.0, _rough, unknown="source"),
}


@pytest.fixture(params=OPERATORS.values(), ids=OPERATORS.keys())
def operator(request):
    return request.param
