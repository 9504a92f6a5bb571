"""Which ReLU decoders of step functions are exact: the solution family, and when W3 can be solved for.

For given hidden weights w, b (n,) and codes z (n,) the output layer solves W3 A = X with A_ji = relu(w_j z_i
+ b_j): it exists for every X exactly when A is nonsingular. With the thresholds t = sort(-b / w) and
increasing codes,

    w > 0:  z_{i-2} < t_i < z_i          w < 0:  z_i < t_i < z_{i+2}          (t distinct)

decide it: the Schoenberg-Whitney condition of the linear spline space that the hidden units span. For weights
of both signs no such interlacing is enough (`CONJECTURE_COUNTEREXAMPLE`), and the exact rank over the
rationals decides.

References
----------
[1] Maxcici (2022), AutoEncoders for Step Functions. Deviations: of the full-rank condition conjectured there
    only the "only if" part holds; the solution set is `rescale`'s fibre, with invariants W3 W2 and W3 b2.
[2] Schoenberg and Whitney (1953), On Polya frequency functions III.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from invae.autoencoders.steps.decoders import ReluDecoder
from invae.errors import InputError

__all__ = [
    "CONJECTURE_COUNTEREXAMPLE",
    "activation_matrix",
    "exact_rank",
    "invariants",
    "is_unisolvent",
    "rescale",
    "unisolvence_probability",
]

# Codes, weights and biases. Every unit is active at some code and no two units are proportional functions,
# yet the first two are proportional *on the codes*, so A has rank 2.
CONJECTURE_COUNTEREXAMPLE = (
    (Fraction(1), Fraction(2), Fraction(3)),
    (Fraction(-1), Fraction(-1), Fraction(1)),
    (Fraction(3, 2), Fraction(7, 4), Fraction(1)),
)


def rescale(decoder: ReluDecoder, factors: np.ndarray) -> ReluDecoder:
    """The same function with weights (D w, D b, W3 D^-1), D = diag(factors) > 0.

    For fixed thresholds and W3 diag|w| these are all decoders there are.

    Raises
    ------
    InputError
        ``factors`` is not one positive number per hidden unit.
    """
    factors = np.asarray(factors, float)
    if factors.shape != decoder.weights.shape or not np.all(factors > 0):
        raise InputError(f"factors must be {decoder.weights.shape[0]} positive numbers, one per hidden unit")
    return ReluDecoder(
        factors * decoder.weights, factors * decoder.biases, decoder.output / factors, decoder.offset.copy()
    )


def invariants(decoder: ReluDecoder) -> tuple[np.ndarray, np.ndarray]:
    """W3 w and W3 b, each (n,): what all rescaled decoders share (slope, height where all are on)."""
    return decoder.output @ decoder.weights, decoder.output @ decoder.biases


def is_unisolvent(codes: Sequence, weights: Sequence, biases: Sequence) -> bool:
    """Can the output layer fit any n signals at these n codes, i.e. is A (n, n) nonsingular? No rounding.

    Floats are taken as the rationals that they are; `fractions.Fraction` and integers are welcome. Weights of
    one sign need only comparisons; mixed signs need the exact rank, whose cost grows as n^3 with long
    integers.

    Examples
    --------
    >>> is_unisolvent([1, 2, 3], [-1, -1, -1], [1.5, 2.5, 3.5])
    True
    >>> is_unisolvent(*CONJECTURE_COUNTEREXAMPLE)
    False
    """
    z, w, b = (_fractions(values) for values in (codes, weights, biases))
    if not len(z) == len(w) == len(b) > 0:
        raise InputError(
            f"got {len(z)} codes, {len(w)} weights and {len(b)} biases; pass the same number of each"
        )
    z = sorted(z)
    if any(w_j == 0 for w_j in w) or any(a == c for a, c in pairwise(z)):
        return exact_rank(activation_matrix(z, w, b)) == len(z)
    t = sorted(-b_j / w_j for w_j, b_j in zip(w, b))
    if all(w_j > 0 for w_j in w):
        return _interlaces(z, t)
    if all(w_j < 0 for w_j in w):
        # z -> -z turns relu(t - z) into relu(z' - t').
        return _interlaces([-v for v in reversed(z)], [-v for v in reversed(t)])
    return exact_rank(activation_matrix(z, w, b)) == len(z)


def activation_matrix(codes: Sequence, weights: Sequence, biases: Sequence) -> list[list[Fraction]]:
    """A_ji = relu(w_j z_i + b_j) in exact arithmetic, one row per hidden unit."""
    z, w, b = _fractions(codes), _fractions(weights), _fractions(biases)
    return [[max(w_j * z_i + b_j, Fraction(0)) for z_i in z] for w_j, b_j in zip(w, b)]


def exact_rank(matrix: Iterable[Sequence]) -> int:
    """Rank over the rationals by fraction-free (Bareiss) elimination of integer rows.

    Examples
    --------
    >>> exact_rank([[1, 2], [2, 4]]), exact_rank([[0.1, 0.2], [0.3, 0.4]])
    (1, 2)
    """
    rows = [_integers(row) for row in matrix]
    if len({len(row) for row in rows}) > 1:
        raise InputError("the rows of a matrix must have one length")
    rank, previous = 0, 1
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        top = rows[rank]
        for i in range(rank + 1, len(rows)):
            row = rows[i]
            rows[i] = [(top[column] * a - row[column] * c) // previous for a, c in zip(row, top)]
        rank, previous = rank + 1, top[column]
    return rank


def unisolvence_probability(n: int) -> float:
    """Chance that n thresholds drawn uniformly over the codes 1 .. n + 1 (w < 0) are unisolvent.

    Sorted thresholds interlace when cells 1 .. i hold i - 1 or i of them for every i; a two-state count of
    the multinomial gives n! / n^n ((1 + 1/sqrt 2)^n + (1 - 1/sqrt 2)^n) / 2, about 1.25 sqrt(n) 0.628^n. So
    training from random thresholds starts at a singular hidden layer almost surely, which is where it stalls.

    Examples
    --------
    >>> [round(unisolvence_probability(n), 5) for n in (1, 2, 10, 20)]
    [1.0, 0.75, 0.03814, 0.00051]
    """
    if n < 1:
        raise InputError(f"n={n} thresholds; use n >= 1")
    log_count = math.lgamma(n + 1) - n * math.log(n)
    large, small = 1 + math.sqrt(0.5), 1 - math.sqrt(0.5)
    return 0.5 * (math.exp(log_count + n * math.log(large)) + math.exp(log_count + n * math.log(small)))


def _interlaces(z: list[Fraction], t: list[Fraction]) -> bool:
    """z_{i-2} < t_i < z_i with distinct t, for functions relu(z - t); both sorted."""
    n = len(z)
    return (
        all(t[i] < z[i] for i in range(n))
        and all(z[i - 2] < t[i] for i in range(2, n))
        and all(t[i] < t[i + 1] for i in range(n - 1))
    )


def _fractions(values: Iterable) -> list[Fraction]:
    try:
        return [Fraction(v if isinstance(v, int | Fraction) else float(v)) for v in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"expected finite real numbers: {error}") from error


def _integers(row: Sequence) -> list[int]:
    """The row times the least common multiple of its denominators."""
    fractions = _fractions(row)
    multiple = math.lcm(*(f.denominator for f in fractions))
    return [f.numerator * (multiple // f.denominator) for f in fractions]
