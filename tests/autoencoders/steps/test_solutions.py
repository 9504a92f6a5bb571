"""The solution family of step decoders: unisolvence against exact rank, the refuted conjecture, the fibre."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from invae.autoencoders.steps.decoders import exact_step_decoder, step_signals
from invae.autoencoders.steps.solutions import (
    CONJECTURE_COUNTEREXAMPLE,
    activation_matrix,
    exact_rank,
    invariants,
    is_unisolvent,
    rescale,
    unisolvence_probability,
)
from invae.errors import InputError


def rational_case(rng):
    """Codes and one-signed units on a coarse grid, so that ties between codes and thresholds are common."""
    z = sorted({Fraction(int(v), 4) for v in rng.integers(0, 48, int(rng.integers(1, 7)))})
    n, sign = len(z), int(rng.choice([-1, 1]))
    if rng.random() < 0.3:
        t = [Fraction(int(v), 4) for v in rng.integers(-2, 50, n)]
    else:
        t = [code - sign * Fraction(int(v), 4) for code, v in zip(z, rng.integers(-1, 7, n))]
    w = [sign * Fraction(int(v), 3) for v in rng.integers(1, 9, n)]
    return z, w, [-w_j * t_j for w_j, t_j in zip(w, t)]


def test_interlacing_is_exact_rank_on_ten_thousand_rational_cases(rng):
    outcomes = np.zeros((2, 2), int)
    for _ in range(10_000):
        z, w, b = rational_case(rng)
        outcomes[int(is_unisolvent(z, w, b)), int(exact_rank(activation_matrix(z, w, b)) == len(z))] += 1
    assert outcomes[0, 1] == outcomes[1, 0] == 0
    assert min(outcomes[0, 0], outcomes[1, 1]) > 2000


def test_the_conjectured_condition_is_not_sufficient():
    z, w, b = CONJECTURE_COUNTEREXAMPLE
    A = activation_matrix(z, w, b)
    assert all(any(row) for row in A)
    assert len(set(zip(w, b))) == 3
    assert exact_rank(A) == 2
    assert not is_unisolvent(z, w, b)


def test_mixed_signs_can_be_unisolvent():
    assert is_unisolvent([1, 2, 3], [-1, -1, 1], [Fraction(3, 2), Fraction(5, 2), 1])


def test_exact_rank_agrees_with_floating_point_rank(rng):
    for _ in range(100):
        m, n, r = rng.integers(1, 6, 3)
        matrix = rng.integers(-3, 4, (m, r)) @ rng.integers(-3, 4, (r, n))
        assert exact_rank(matrix.tolist()) == np.linalg.matrix_rank(matrix)


def test_repeated_codes_or_thresholds_are_singular():
    assert not is_unisolvent([1, 1], [-1, -1], [2, 3])
    assert not is_unisolvent([1, 2], [-1, -2], [Fraction(3, 2), 3])
    assert not is_unisolvent([1, 2], [0, -1], [1, 1])


def test_rescaling_keeps_function_and_invariants(rng):
    codes = np.sort(rng.uniform(size=9))
    decoder = exact_step_decoder(codes)
    other = rescale(decoder, rng.uniform(0.1, 10.0, 8))
    assert not np.allclose(other.output, decoder.output)
    np.testing.assert_allclose(other(codes), step_signals(8), atol=1e-11)
    for a, b in zip(invariants(decoder), invariants(other)):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(other.thresholds, decoder.thresholds, rtol=1e-13)


@pytest.mark.parametrize("n", [3, 10])
def test_the_chance_of_unisolvence_is_the_closed_form(n, rng):
    draws = np.sort(rng.uniform(1, n + 1, (40_000, n)), axis=1)
    z = np.arange(1, n + 1)
    hits = np.all(draws > z, axis=1) & np.all(draws[:, :-2] < z[2:], axis=1)
    p = unisolvence_probability(n)
    assert abs(hits.mean() - p) < 4 * np.sqrt(p * (1 - p) / len(draws))
    for t, hit in zip(draws[:50], hits[:50]):
        assert is_unisolvent(z.tolist(), [-1] * n, t) == hit


def test_the_chance_of_unisolvence_falls_geometrically():
    p = [unisolvence_probability(n) for n in range(1, 60)]
    assert all(b < a for a, b in pairwise(p))
    assert p[58] / p[57] == pytest.approx((1 + np.sqrt(0.5)) / np.e, rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: is_unisolvent([1, 2], [-1], [1]), "same number"),
        (lambda: is_unisolvent([float("nan")], [-1], [1]), "finite"),
        (lambda: exact_rank([[1, 2], [1]]), "one length"),
        (lambda: rescale(exact_step_decoder([1.0, 2.0]), [-1.0]), "positive"),
        (lambda: unisolvence_probability(0), "n >= 1"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
