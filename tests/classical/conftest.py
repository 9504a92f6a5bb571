"""A small ill-posed problem that every classical method can solve."""

from __future__ import annotations

import numpy as np
import pylops
import pytest


@pytest.fixture(scope="session")
def problem():
    """Operator (40, 30) with singular values from 1 to 1e-4, smooth signals, measurements, noise std."""
    rng = np.random.default_rng(1)
    U, _ = np.linalg.qr(rng.standard_normal((40, 30)))
    V = np.linalg.qr(np.vander(np.linspace(-1, 1, 30), 30, increasing=True))[0]
    F = pylops.MatrixMult((U * np.geomspace(1, 1e-4, 30)) @ V.T)
    X = rng.standard_normal((8, 30)) * 0.75 ** np.arange(30) @ V.T
    std = 0.01
    Y = X @ F.A.T + std * rng.standard_normal((8, 40))
    return F, X, Y, std
