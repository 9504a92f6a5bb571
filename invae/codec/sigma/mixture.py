"""Codes the numbers n of values (n + u) t by a mixture of what a bank of filters predicts.

The decoder knows the step t and the dither u of every value. Each filter of `invae.codec.sigma.filters`
predicts a place mu and has a running mean square error v of its own; taken at several widths S, sqrt(v -
1/12) divided by each of ``INVERSE_WIDTHS`` (the grid itself adds 1/12 to v), its component is

    P(n) = F((n + 1/2 - mu) / S) - F((n - 1/2 - mu) / S),

F Student's distribution of 8 degrees of freedom, which is algebraic. A last component, about the place of the
best, has tails that fall like 1 / |n - mu|. Components are mixed with weights that learn by Bayes' rule and
then share a little with all others, so that the best may change; those of least weight are left out for a
while. A number is written as decisions (is it the centre; on which side is it; is it beyond the next, the one
after, ..) with the probabilities that the mixture gives them.

All arithmetic is IEEE double sums, products, quotients and square roots, each rounded once, in the order
written; numba fuses none.

References
----------
[1] Herbster, Warmuth (1998), Tracking the best expert (fixed share).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.coder import code_bit, code_raw, finish, lacks_room, start_coder
from invae.codec.coding.compiled import float_step
from invae.codec.coding.lengths import code_first
from invae.codec.sigma.filters import (
    N_ABOVE,
    N_LEFT,
    follow_above,
    follow_left,
    new_above,
    new_left,
    new_row,
    predict_above,
    predict_left,
    take_row,
)

__all__ = ["FARTHEST", "decode_numbers", "encode_numbers"]

FARTHEST = 1 << 44  # largest number
# About as wide as the errors so far, half and a quarter: few large errors must not widen all that is stated.
INVERSE_WIDTHS = np.array([4.0, 2.0, 1.1])
N_WIDTHS = INVERSE_WIDTHS.size
SHARE = 0.01  # of all weight, given to all others at every value: the best may change every hundred values
INACTIVE = 0.1  # of the weight that all have at first
LAST_WEIGHT, LAST_SHARE, LAST_NARROWEST = 0.02, 0.05, 0.3
SMALLEST = 0.01  # mean square error, beyond that of a grid
SETTLED = 1 << 20  # values after which the rate is DECAY for long
START, FIRST_SQUARE = 16.0, 5.0  # mean square errors before anything is known, and beside the first one
DECAY = 1.0 / 12.0  # of mean square errors: a memory of twelve values
LARGEST_MISS = 9.0  # squared, in units of the mean square: more is taken for that
LEAST_CHANCE, SMALLEST_REST = 1e-9, 1e-12
LEAST_ODDS = 16  # of 2^16: a surprise costs twelve bits
FAR = float(1 << 46)
UNIT_CELLS = 8  # of one number each; from there on every cell is twice as wide as the last
MOST_BITS = 50
MOST_BYTES = 512  # more than one value can take
EARLY = 8  # values behind which weights and errors are kept for the head of the next row


def encode_numbers(n: np.ndarray, u: np.ndarray, t: np.ndarray, skip: np.ndarray) -> bytes:
    """Code int64 numbers of shape (rows, columns), those not to ``skip``."""
    room, length = 8 * n.size + 2 * MOST_BYTES, -1
    while length < 0:
        buffer = np.empty(room, dtype=np.uint8)
        length = _code(buffer, n.copy(), u, t, skip, False)
        room *= 4
    return buffer[:length].tobytes()


def decode_numbers(data: bytes, u: np.ndarray, t: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """Inverse of `encode_numbers`; 0 where there was none."""
    n = np.zeros(u.shape, dtype=np.int64)
    _code(np.frombuffer(data, dtype=np.uint8).copy(), n, u, t, skip, True)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _code(stream, n, u, t, skip, decoding):
    n_rows, n_columns = n.shape
    coder = start_coder(stream, decoding)
    n_all = N_LEFT + (N_ABOVE if n_rows > 1 else 0)
    left, above = new_left(), new_above(n_columns if n_rows > 1 else 0)
    weight, early_weight = np.zeros((2, n_all * N_WIDTHS + 1))  # the last component's behind the others'
    square, early_square = np.zeros((2, n_all))
    early_weight[: N_LEFT * N_WIDTHS] = (1.0 - LAST_WEIGHT) / (N_LEFT * N_WIDTHS)
    early_weight[-1] = LAST_WEIGHT
    early_square[:] = START
    mu = np.zeros(n_all)
    active = np.zeros(n_all * N_WIDTHS, dtype=np.int64)
    components = np.zeros((5, n_all * N_WIDTHS + 1))  # place, 1 / width, weight, F below and above the number
    F = np.zeros((64, 2), dtype=np.int64)
    F[:, 0] = 32768
    numbers = np.zeros(n_columns)
    for i in range(n_rows):
        n_filters = n_all if i > 0 else N_LEFT
        if i == 1:  # rows above are used from now on
            early_weight[:-1] *= 0.5
            early_weight[N_LEFT * N_WIDTHS : -1] = 0.5 / (N_ABOVE * N_WIDTHS)
        weight[:], square[:] = early_weight, early_square
        k, x = 0, 0.0
        for j in range(n_columns):
            if lacks_room(coder, MOST_BYTES):
                return -1
            tj, uj = t[i, j], u[i, j]
            if skip[i, j]:
                numbers[j] = x / tj
                continue
            k += 1
            if k == 1:
                guess = above[0][1, 0, j] / tj - uj if i > 0 else 0.0
                n[i, j] = code_first(coder, n[i, j], np.int64(np.rint(_clip(guess))), F)
                number = n[i, j] + uj
                new_row(left, number, tj)
            else:
                predict_left(left, tj, uj, mu)
                if i > 0:
                    predict_above(above, j, tj, uj, mu)
                m = _activate(mu[:n_filters], square, weight, active, components)
                n[i, j] = _code_number(coder, n[i, j], m, components)
                _weigh(weight, n_filters, active[:m], components)
                _measure(n[i, j], mu[:N_LEFT], square[:N_LEFT], k if i == 0 else SETTLED)
                _measure(n[i, j], mu[N_LEFT:n_filters], square[N_LEFT:], k if i == 1 else SETTLED)
                number = n[i, j] + uj
                follow_left(left, k, number, tj)
            if i > 0:
                follow_above(above, k, j, number, tj)
            if k == EARLY:
                early_weight[:], early_square[:] = weight, square
            numbers[j] = number
            x = number * tj
        if n_rows > 1:
            take_row(above, i, numbers, t[i])
            if k < EARLY:
                early_weight[:], early_square[:] = weight, square
    return 0 if decoding else finish(coder.state, stream)


@njit(cache=True, nogil=True, error_model="numpy")
def _clip(place):
    return min(max(-FAR, place), FAR)  # -FAR for what is no number


@float_step
def _activate(mu, square, weight, active, components):
    """Set place, inverse width and weight of active components, the last one behind; return their number."""
    place, inverse, w = components[0], components[1], components[2]
    fewest = INACTIVE * (1.0 - LAST_WEIGHT) / (mu.size * N_WIDTHS)
    m, best, most = 0, 0, -1.0
    for e in range(mu.size):
        mu[e] = _clip(mu[e])
        narrow = 0.0
        for s in range(N_WIDTHS):
            c = e * N_WIDTHS + s
            if weight[c] < fewest:
                continue
            if narrow == 0.0:
                narrow = 1.0 / np.sqrt(max(square[e] - 1.0 / 12.0, SMALLEST))
            place[m] = mu[e]
            inverse[m] = narrow * INVERSE_WIDTHS[s]
            w[m] = weight[c]
            active[m] = c
            m += 1
            if weight[c] > most:
                best, most = e, weight[c]
    place[m] = mu[best]
    inverse[m] = 1.0 / np.sqrt(max(square[best], LAST_NARROWEST))
    w[m] = weight[-1]
    return m


@float_step
def _below(at, m, components, out):
    """Probability that a value lies below ``at``, times all weights; ``out`` takes each component's."""
    place, inverse, w = components[0], components[1], components[2]
    for k in range(m):
        z = (at - place[k]) * inverse[k]
        r = z / np.sqrt(8.0 + z * z)
        c = 1.0 - r * r
        out[k] = 0.5 + 0.5 * r * (1.0 + c * (0.5 + c * (0.375 + c * 0.3125)))
    z = (at - place[m]) * inverse[m]
    out[m] = 0.5 + 0.5 * z / (1.0 + abs(z))
    return _sum_product(w, out, m + 1)


@float_step
def _sum_product(a, b, m):
    """Sum of a b over the first m, in four sums of every fourth."""
    s0 = s1 = s2 = s3 = 0.0
    k = 0
    while k + 4 <= m:
        s0 += a[k] * b[k]
        s1 += a[k + 1] * b[k + 1]
        s2 += a[k + 2] * b[k + 2]
        s3 += a[k + 3] * b[k + 3]
        k += 4
    while k < m:
        s0 += a[k] * b[k]
        k += 1
    return (s0 + s1) + (s2 + s3)


@float_step
def _decide(coder, bit, chance):
    p = int(min(max(chance, 0.0), 1.0) * 65536.0)
    return code_bit(coder, bit, min(max(p, LEAST_ODDS), 65536 - LEAST_ODDS))


@float_step
def _code_number(coder, n, m, components):
    """Code or decode a number; ``components[3]`` and ``components[4]`` take F at its two sides."""
    low, high = components[3], components[4]
    everything = 0.0
    for k in range(m + 1):
        everything += components[2, k]
    centre = np.int64(np.rint(components[0, m]))
    below = _below(centre - 0.5, m, components, low)
    above = everything - _below(centre + 0.5, m, components, high)
    if _decide(coder, n == centre, 1.0 - (below + above) / everything):
        return centre
    up = _decide(coder, n > centre, above / (below + above))
    side = 1 if up else -1
    rest = above if up else below
    size = (n - centre) * side
    edge, bits, cells = 1, 0, 0
    while bits < MOST_BITS:
        at = centre + side * (edge - 0.5 + (1 << bits))
        beyond = _below(at, m, components, low if (up == 1) == (cells & 1 == 0) else high)
        beyond = everything - beyond if up else beyond
        chance = beyond / rest if rest > SMALLEST_REST else 0.5
        if not _decide(coder, size >= edge + (1 << bits), chance):
            break
        rest = beyond
        edge += 1 << bits
        cells += 1
        if cells >= UNIT_CELLS:
            bits += 1
    n = centre + side * (edge + code_raw(coder, size - edge, bits))
    if bits > 0:
        _below(n - 0.5, m, components, low)
        _below(n + 0.5, m, components, high)
    return n


@float_step
def _weigh(weight, n_filters, active, components):
    """Move weights by what each component had given to the number."""
    m, n_components = active.size, n_filters * N_WIDTHS
    w, low, high = components[2], components[3], components[4]
    total = 0.0
    for c in range(m + 1):
        low[c] = abs(high[c] - low[c])
        total += w[c]
    mixed = _sum_product(w, low, m + 1) / total + LEAST_CHANCE
    inverse = 1.0 / mixed
    for c in range(m):
        weight[active[c]] *= (low[c] + LEAST_CHANCE) * inverse
    weight[-1] *= (low[m] + LEAST_CHANCE) * inverse
    total = weight[-1]
    for c in range(n_components):
        total += weight[c]
    inverse = 1.0 / total
    keep, gift = (1.0 - SHARE) * inverse, SHARE * (1.0 - LAST_WEIGHT) / n_components
    for c in range(n_components):
        weight[c] = weight[c] * keep + gift
    weight[-1] = weight[-1] * (1.0 - LAST_SHARE) * inverse + LAST_SHARE * LAST_WEIGHT


@float_step
def _measure(n, mu, square, k):
    """Take the misses of filters into their running mean squares; k values have been seen, n among them."""
    rate = max(DECAY, 1.0 / (k - 1))
    for e in range(mu.size):
        miss = (n - mu[e]) * (n - mu[e])
        if k == 2:
            square[e] = miss + FIRST_SQUARE
        else:
            square[e] += rate * (min(miss, LARGEST_MISS * (square[e] + 1.0)) - square[e])
