from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.bayes_risk.spaces import from_pairs
from invae.autoencoders.bayes_risk.validation import (
    left_out_risk,
    smallest_rank,
    split,
    validated_risk_curve,
)
from invae.linalg.augment import augment
from invae.linalg.whitening import Whitening

TAU = 0.4


def best_map(X, Y, n):
    """Means and matrix of the best affine map for pairs of weight 1 / n each and noise of power TAU."""
    dx, dy = X - X.mean(axis=0), Y - Y.mean(axis=0)
    C_yy = dy.T @ dy / n + TAU * np.eye(Y.shape[1])
    return X.mean(axis=0), Y.mean(axis=0), dx.T @ dy / n @ np.linalg.inv(C_yy)


@pytest.mark.parametrize("group", [None, "flips"])
def test_leaving_one_out_by_formula_equals_fitting_without_it(rng, group):
    n, m, N = 5, 4, 15
    X, F = rng.standard_normal((N, n)) @ rng.standard_normal((n, n)), rng.standard_normal((m, n))
    orbits = augment(X, (n,), group).reshape(-1, N, n)
    k = len(orbits)
    every = orbits.reshape(k * N, n)
    whitening = Whitening(TAU)
    factors = from_pairs(every, every @ F.T, whitening, F, "samples")
    best = factors.core.solve(TAU)
    noisy = X @ F.T + np.sqrt(TAU) * rng.standard_normal((N, m))
    D = orbits - factors.mean_x
    risk = left_out_risk(
        factors.core,
        TAU,
        best.encoder,
        best.decoder,
        (D, D @ F.T),
        noisy - factors.mean_y,
        k * N,
    )
    errors = []
    for i in range(N):
        others = np.delete(orbits, i, axis=1).reshape(-1, n)
        mean_x, mean_y, A = best_map(others, others @ F.T, k * N)
        errors.append(np.sum((mean_x + A @ (noisy[i] - mean_y) - X[i]) ** 2))
    assert risk == pytest.approx(np.mean(errors), rel=1e-9)


def test_a_map_that_interpolates_cannot_leave_a_sample_out(rng):
    X = rng.standard_normal((3, 8))
    factors = from_pairs(X, X, Whitening(1e-12), None, "samples")
    best = factors.core.solve(1e-12)
    D = (X - factors.mean_x)[None]
    assert left_out_risk(factors.core, 1e-12, best.encoder, best.decoder, (D, D), D[0], 3) is None


def test_the_curve_is_the_error_of_every_rank_and_the_expectation_over_noise(rng):
    X, F = rng.standard_normal((60, 6)), rng.standard_normal((5, 6))
    Y = X @ F.T
    factors = from_pairs(X[:40], Y[:40], Whitening(TAU), F, "samples")
    maps = factors.core.solve(TAU)
    clean = validated_risk_curve(factors, maps, X[40:], Y[40:])
    curve = validated_risk_curve(factors, maps, X[40:], Y[40:], TAU)
    for r in range(len(clean)):
        A = maps.decoder[:, :r] @ maps.encoder[:r]
        errors = factors.mean_x + (Y[40:] - factors.mean_y) @ A.T - X[40:]
        assert clean[r] == pytest.approx(np.mean(np.sum(errors**2, axis=1)), rel=1e-10)
        assert curve[r] == pytest.approx(clean[r] + TAU * np.sum(A**2), rel=1e-10)


def test_split_and_smallest_rank():
    train, held = split(20, 0.25, 0)
    assert len(held) == 5 and sorted([*train, *held]) == list(range(20))
    assert len(split(3, 0.5, 0)[1]) == 0
    curve = np.array([5.0, 2.1, 2.0, 2.2])
    assert smallest_rank(curve) == 2 and smallest_rank(curve, 0.05) == 1
    assert smallest_rank(np.array([1.0, 2.0])) == 1 and smallest_rank(np.array([1.0])) == 0
