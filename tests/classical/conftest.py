"""A small ill-posed problem that every classical method can solve."""

from __future__ import annotations

import numpy as np
import pylops
import pytest


@pytest.fixture(scope="session")
def problem():
    """A blur (40, 32) with entries >= 0, positive signals with an edge, measurements, noise std."""
    rng = np.random.default_rng(1)
    place, grid = np.linspace(-1, 32, 40), np.arange(32)
    A = np.exp(-0.5 * (np.subtract.outer(place, grid) / 1.5) ** 2)
    F = pylops.MatrixMult(A / A.sum(axis=1, keepdims=True))
    centre, width = rng.uniform(8, 24, (8, 1)), rng.uniform(3, 6, (8, 1))
    X = 0.5 + rng.uniform(1, 2, (8, 1)) * np.exp(-0.5 * ((grid - centre) / width) ** 2) + (grid > centre)
    std = 0.02
    Y = X @ F.A.T + std * rng.standard_normal((8, 40))
    return F, X, Y, std
