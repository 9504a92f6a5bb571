"""A bank of causal filters that predict the next value of a noisy row, in exact sequences of IEEE operations.

Values x are looked at in three domains, x / t^p for p = 0, 1, 2, with t the known step of each value (a
multiple of its standard deviation): a curve is smooth in the first, one of constant relative error in the
second, counts with sigma^2 = x in the third. In every domain stand filters that discount the past by theta,

    level_j = predicted_j + a r_j,    r_j = x_j - predicted_j,

and slope and bend likewise with gains b and c: polynomials of degree 0, 1, 2 fitted by discounted least
squares; while the row is young, by plain least squares over all of it. Filters of the last kind have a ratio
in place of a slope: straight lines of the logarithm. They start afresh where r is large.

With a row above, references are that row, a running mean of all rows, and the same smoothed along the row.
Filters follow the distance to each of them (or repeat them), and a discounted least-squares factor.

Sums, products, quotients and square roots are rounded once each and done in the order written.

References
----------
[1] Morrison (1969), Introduction to sequential smoothing and prediction, tables 13.1 and 13.3: gains of
expanding and fading memory. Deviation: ratios.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.compiled import float_step

__all__ = [
    "N_ABOVE",
    "N_DOMAINS",
    "N_LEFT",
    "follow_above",
    "follow_left",
    "predict_above",
    "predict_left",
    "new_above",
    "new_left",
    "new_row",
    "take_row",
]

N_DOMAINS = 3
RATIO = 3
# degree (3: ratio) and theta
SHAPES = (
    *((0, theta) for theta in (0.0, 0.7, 0.85, 0.93, 0.97)),
    *((1, theta) for theta in (0.0, 0.4, 0.6, 0.72, 0.8, 0.87, 0.92, 0.96)),
    *((2, theta) for theta in (0.6, 0.8, 0.92)),
    *((RATIO, theta) for theta in (0.4, 0.6, 0.75, 0.85, 0.92)),
)
N_FILTERS = len(SHAPES)
N_POLYNOMIALS = sum(degree != RATIO for degree, _ in SHAPES)
N_LEFT = N_DOMAINS * N_FILTERS
LONGEST = 64  # values after which the gains stay as they are
NARROWEST, WIDEST = 0.25, 4.0  # of a ratio
DOWN, UP = -0.6, 0.8  # relative miss at which a ratio starts afresh

FOLLOWED = np.array([1.0, 0.0, 0.7, 0.93])  # theta of distances to a reference; the first stays 0
N_REFERENCES, N_DISTANCES = 3, FOLLOWED.size
FADING = np.array([0.9, 0.98])  # memory of the factors
N_FACTORS = FADING.size * (N_REFERENCES - 1)
N_ABOVE = N_DOMAINS * N_REFERENCES * N_DISTANCES + N_FACTORS
ROW_GAIN = 0.25  # of the running mean of rows


def _gains() -> np.ndarray:
    """Gains a, b, c of every filter behind k values, shape (3, LONGEST, N_FILTERS); k = 0 is not used."""
    out = np.zeros((3, LONGEST, N_FILTERS))
    for k in range(1, LONGEST):
        for f, (degree, theta) in enumerate(SHAPES):
            rest = 1.0 - theta
            if degree == 0:
                gains = [max(rest, 1.0 / k)]
            elif degree in (1, RATIO):
                both = float(k * (k + 1))
                gains = [max(1.0 - theta * theta, (4 * k - 2) / both), max(rest * rest, 6.0 / both)]
                if k == 1:
                    gains[1] = 0.0
            else:
                all3 = float(k * (k + 1) * (k + 2))
                gains = [
                    max(1.0 - theta * theta * theta, (9 * k * k - 9 * k + 6) / all3),
                    max(1.5 * rest * rest * (1.0 + theta), (36 * k - 18) / all3),
                    max(rest * rest * rest, 60.0 / all3),
                ]
                if k <= 2:
                    gains[1:] = [float(k == 2), 0.0]
            out[: len(gains), k, f] = gains
    out[0] = np.minimum(out[0], 1.0)
    return out


GAINS = _gains()


@njit(cache=True, nogil=True)
def new_left() -> np.ndarray:
    """State of the filters along a row: levels, slopes or ratios, bends, and what they predict."""
    return np.zeros((4, N_LEFT))


@float_step
def predict_left(left: np.ndarray, t: float, u: float, mu: np.ndarray) -> None:
    """Fill ``mu[:N_LEFT]`` with what is predicted for the number n of a value (n + u) t."""
    predicted = left[3]
    for p in range(N_DOMAINS):
        scale = _to_numbers(t, p)
        for f in range(p * N_FILTERS, (p + 1) * N_FILTERS):
            mu[f] = predicted[f] * scale - u


@float_step
def new_row(left: np.ndarray, number: float, t: float) -> None:
    """Start all filters at the first value ``number`` t of a row."""
    level, slope, bend, predicted = left[0], left[1], left[2], left[3]
    for p in range(N_DOMAINS):
        x = number * _to_domain(t, p)
        for f in range(N_FILTERS):
            m = p * N_FILTERS + f
            level[m] = predicted[m] = x
            slope[m] = 1.0 if f >= N_POLYNOMIALS else 0.0
            bend[m] = 0.0


@float_step
def follow_left(left: np.ndarray, k: int, number: float, t: float) -> None:
    """Take in the k-th value ``number`` t of a row, k = 2, 3, .."""
    a, b, c = GAINS[0, min(k, LONGEST - 1)], GAINS[1, min(k, LONGEST - 1)], GAINS[2, min(k, LONGEST - 1)]
    for p in range(N_DOMAINS):
        x = number * _to_domain(t, p)
        own = left[:, p * N_FILTERS : (p + 1) * N_FILTERS]
        level, slope, bend, predicted = own[0], own[1], own[2], own[3]
        for f in range(N_POLYNOMIALS):
            r = x - predicted[f]
            level[f] = predicted[f] + a[f] * r
            slope[f] = slope[f] + bend[f] + b[f] * r
            bend[f] = bend[f] + c[f] * r
            predicted[f] = level[f] + slope[f] + 0.5 * bend[f]
        for f in range(N_POLYNOMIALS, N_FILTERS):
            miss = (x - predicted[f]) / predicted[f]
            if DOWN <= miss <= UP:
                level[f] = predicted[f] * (1.0 + a[f] * miss)
                slope[f] = min(max(slope[f] * (1.0 + b[f] * miss), NARROWEST), WIDEST)
            else:  # also where miss is no number
                level[f] = x
                slope[f] = 1.0
            predicted[f] = level[f] * slope[f]


@njit(cache=True, nogil=True)
def new_above(n_columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """References by row, distances to them, and sums of the factors."""
    return (
        np.zeros((N_REFERENCES, N_DOMAINS, n_columns)),
        np.zeros((N_DOMAINS, N_REFERENCES, N_DISTANCES)),
        np.zeros((2, N_FACTORS)),
    )


@float_step
def predict_above(
    above: tuple[np.ndarray, np.ndarray, np.ndarray], j: int, t: float, u: float, mu: np.ndarray
) -> None:
    """Fill ``mu[N_LEFT:]`` with what the rows above say of column j."""
    references, distances, sums = above
    m = N_LEFT
    for p in range(N_DOMAINS):
        scale = _to_numbers(t, p)
        for r in range(N_REFERENCES):
            for f in range(N_DISTANCES):
                mu[m] = (references[r, p, j] + distances[p, r, f]) * scale - u
                m += 1
    for f in range(N_FACTORS):
        factor = (sums[0, f] + 1.0) / (sums[1, f] + 1.0)
        mu[m] = factor * references[f // FADING.size, 1, j] - u
        m += 1


@float_step
def follow_above(
    above: tuple[np.ndarray, np.ndarray, np.ndarray], k: int, j: int, number: float, t: float
) -> None:
    """Take in the k-th value ``number`` t of a row, at column j."""
    references, distances, sums = above
    for p in range(N_DOMAINS):
        x = number * _to_domain(t, p)
        for r in range(N_REFERENCES):
            distance = x - references[r, p, j]
            for f in range(1, N_DISTANCES):  # the first only repeats
                gain = max(1.0 - FOLLOWED[f], 1.0 / k)
                distances[p, r, f] += gain * (distance - distances[p, r, f])
    for f in range(N_FACTORS):
        y = references[f // FADING.size, 1, j]
        fading = FADING[f % FADING.size]
        sums[0, f] = fading * sums[0, f] + number * y
        sums[1, f] = fading * sums[1, f] + y * y


@float_step
def take_row(
    above: tuple[np.ndarray, np.ndarray, np.ndarray], i: int, numbers: np.ndarray, t: np.ndarray
) -> None:
    """Make row i, values ``numbers`` t, a reference of the next one."""
    references, distances, sums = above
    n_columns = numbers.size
    gain = max(ROW_GAIN, 1.0 / (i + 1))
    for p in range(N_DOMAINS):
        row, mean, smooth = references[0, p], references[1, p], references[2, p]
        for j in range(n_columns):
            row[j] = numbers[j] * _to_domain(t[j], p)
            mean[j] += gain * (row[j] - mean[j])
        for j in range(n_columns):
            total = 0.0
            first, last = max(j - 2, 0), min(j + 2, n_columns - 1)
            for k in range(first, last + 1):
                total += mean[k]
            smooth[j] = total / (last - first + 1)
    distances[:] = 0.0
    sums[:] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _to_domain(t, p):
    """x / t^p for x = t."""
    return t if p == 0 else 1.0 if p == 1 else 1.0 / t


@njit(cache=True, nogil=True, error_model="numpy")
def _to_numbers(t, p):
    """x / t for x / t^p = 1."""
    return 1.0 / t if p == 0 else 1.0 if p == 1 else t
