"""Codes the numbers n of values (n + u) t by a mixture of what a bank of filters foresees.

The decoder knows the step t and the dither u of every value. Each filter of `invae.codec.sigma.filters`
foresees a place mu and has a running mean square error v of its own; taken at several widths S, sqrt(v -
1/12) divided by each of ``INVERSE_WIDTHS`` (the grid itself adds 1/12 to v), its claim is

    P(n) = F((n + 1/2 - mu) / S) - F((n - 1/2 - mu) / S),

F Student's distribution of 8 degrees of freedom, which is algebraic. A last claim, about the place of the
best, has tails that fall like 1 / |n - mu|. Claims are mixed with weights that learn by Bayes' rule and then
share a little with all others, so that the best may change; those of least weight wait for a while unheard.
A number is written as decisions (is it the centre; on which side is it; is it beyond the next, the one after,
..) with the probabilities that the mixture gives them.

All arithmetic is IEEE double sums, products, quotients and square roots, each rounded once, in the order
written; numba fuses none.

References
----------
[1] Herbster, Warmuth (1998), Tracking the best expert (fixed share).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.coder import (
    POSITION,
    STATE,
    decode_bit,
    decode_raw,
    encode_bit,
    encode_raw,
    finish,
    start_decoder,
    start_encoder,
)
from invae.codec.coding.lengths import code_first
from invae.codec.sigma.filters import (
    N_ABOVE,
    N_LEFT,
    follow_above,
    follow_left,
    foresee_above,
    foresee_left,
    new_above,
    new_left,
    new_row,
    take_row,
)

__all__ = ["FARTHEST", "decode_numbers", "encode_numbers"]

FARTHEST = 1 << 44  # largest number
INVERSE_WIDTHS = np.array([4.0, 2.0, 1.1])
N_WIDTHS = INVERSE_WIDTHS.size
SHARE = 0.01
UNHEARD = 0.1  # of the weight that all have at first
LAST_WEIGHT, LAST_SHARE, LAST_NARROWEST = 0.02, 0.05, 0.3
SMALLEST = 0.01  # mean square error, beyond that of a grid
SETTLED = 1 << 20  # values after which the rate is DECAY for long
START, FIRST_SQUARE = 16.0, 5.0
DECAY = 1.0 / 12.0
LARGEST_MISS = 9.0  # squared, in units of the mean square: more is taken for that
LEAST_CHANCE, SMALLEST_REST = 1e-9, 1e-12
FAR = float(1 << 46)
UNIT_CELLS = 8
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
    state = np.zeros(STATE, dtype=np.int64)
    if decoding:
        start_decoder(state, stream)
    else:
        start_encoder(state)
    n_all = N_LEFT + (N_ABOVE if n_rows > 1 else 0)
    left, above = new_left(), new_above(n_columns if n_rows > 1 else 0)
    weight, early_weight = np.zeros((2, n_all * N_WIDTHS + 1))  # the last claim's behind the others'
    square, early_square = np.zeros((2, n_all))
    early_weight[: N_LEFT * N_WIDTHS] = (1.0 - LAST_WEIGHT) / (N_LEFT * N_WIDTHS)
    early_weight[-1] = LAST_WEIGHT
    early_square[:] = START
    mu = np.zeros(n_all)
    heard = np.zeros(n_all * N_WIDTHS, dtype=np.int64)
    claims = np.zeros((5, n_all * N_WIDTHS + 1))  # place, 1 / width, weight, F below and above the number
    F = np.zeros((64, 2), dtype=np.int64)
    F[:, 0] = 32768
    numbers = np.zeros(n_columns)
    for i in range(n_rows):
        n_filters = n_all if i > 0 else N_LEFT
        if i == 1:  # rows above are heard from now on
            early_weight[:-1] *= 0.5
            early_weight[N_LEFT * N_WIDTHS : -1] = 0.5 / (N_ABOVE * N_WIDTHS)
        weight[:], square[:] = early_weight, early_square
        k, x = 0, 0.0
        for j in range(n_columns):
            if not decoding and state[POSITION] + MOST_BYTES > stream.size:
                return -1
            tj, uj = t[i, j], u[i, j]
            if skip[i, j]:
                numbers[j] = x / tj
                continue
            k += 1
            if k == 1:
                guess = above[0][1, 0, j] / tj - uj if i > 0 else 0.0
                n[i, j] = code_first(state, stream, decoding, n[i, j], np.int64(np.rint(_clip(guess))), F)
                number = n[i, j] + uj
                new_row(left, number, tj)
            else:
                foresee_left(left, tj, uj, mu)
                if i > 0:
                    foresee_above(above, j, tj, uj, mu)
                m = _listen(mu[:n_filters], square, weight, heard, claims)
                n[i, j] = _code_number(state, stream, decoding, n[i, j], m, claims)
                _weigh(weight, n_filters, heard[:m], claims)
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
    return 0 if decoding else finish(state, stream)


@njit(cache=True, nogil=True, error_model="numpy")
def _clip(place):
    return min(max(-FAR, place), FAR)  # -FAR for what is no number


@njit(cache=True, nogil=True, error_model="numpy")
def _listen(mu, square, weight, heard, claims):
    """Set place, inverse width and weight of the claims to hear, the last one behind them; their number."""
    place, inverse, w = claims[0], claims[1], claims[2]
    fewest = UNHEARD * (1.0 - LAST_WEIGHT) / (mu.size * N_WIDTHS)
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
            heard[m] = c
            m += 1
            if weight[c] > most:
                best, most = e, weight[c]
    place[m] = mu[best]
    inverse[m] = 1.0 / np.sqrt(max(square[best], LAST_NARROWEST))
    w[m] = weight[-1]
    return m


@njit(cache=True, nogil=True, error_model="numpy")
def _below(at, m, claims, out):
    """Probability that a value lies below ``at``, times all weights; ``out`` takes each claim's."""
    place, inverse, w = claims[0], claims[1], claims[2]
    for k in range(m):
        z = (at - place[k]) * inverse[k]
        r = z / np.sqrt(8.0 + z * z)
        c = 1.0 - r * r
        out[k] = 0.5 + 0.5 * r * (1.0 + c * (0.5 + c * (0.375 + c * 0.3125)))
    z = (at - place[m]) * inverse[m]
    out[m] = 0.5 + 0.5 * z / (1.0 + abs(z))
    return _sum_product(w, out, m + 1)


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _decide(state, stream, decoding, bit, chance):
    p = int(min(max(chance, 0.0), 1.0) * 65536.0)
    p = min(max(p, 16), 65520)
    if decoding:
        return decode_bit(state, stream, p)
    encode_bit(state, stream, bit, p)
    return bit


@njit(cache=True, nogil=True, error_model="numpy")
def _code_number(state, stream, decoding, n, m, claims):
    """Code or decode a number; ``claims[3]`` and ``claims[4]`` take F at its two sides."""
    low, high = claims[3], claims[4]
    everything = 0.0
    for k in range(m + 1):
        everything += claims[2, k]
    centre = np.int64(np.rint(claims[0, m]))
    below = _below(centre - 0.5, m, claims, low)
    above = everything - _below(centre + 0.5, m, claims, high)
    if _decide(state, stream, decoding, int(n == centre), 1.0 - (below + above) / everything):
        return centre
    up = _decide(state, stream, decoding, int(n > centre), above / (below + above))
    side = 1 if up else -1
    rest = above if up else below
    size = (n - centre) * side
    edge, bits, cells = 1, 0, 0
    while bits < MOST_BITS:
        at = centre + side * (edge - 0.5 + (1 << bits))
        beyond = _below(at, m, claims, low if (up == 1) == (cells & 1 == 0) else high)
        beyond = everything - beyond if up else beyond
        chance = beyond / rest if rest > SMALLEST_REST else 0.5
        if not _decide(state, stream, decoding, int(size >= edge + (1 << bits)), chance):
            break
        rest = beyond
        edge += 1 << bits
        cells += 1
        if cells >= UNIT_CELLS:
            bits += 1
    if decoding:
        size = edge + decode_raw(state, stream, bits)
    else:
        encode_raw(state, stream, size - edge, bits)
    n = centre + side * size
    if bits > 0:
        _below(n - 0.5, m, claims, low)
        _below(n + 0.5, m, claims, high)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(weight, n_filters, heard, claims):
    """Move weights by what each claim had given to the number."""
    m, n_claims = heard.size, n_filters * N_WIDTHS
    w, low, high = claims[2], claims[3], claims[4]
    total = 0.0
    for c in range(m + 1):
        low[c] = abs(high[c] - low[c])
        total += w[c]
    mixed = _sum_product(w, low, m + 1) / total + LEAST_CHANCE
    inverse = 1.0 / mixed
    for c in range(m):
        weight[heard[c]] *= (low[c] + LEAST_CHANCE) * inverse
    weight[-1] *= (low[m] + LEAST_CHANCE) * inverse
    total = weight[-1]
    for c in range(n_claims):
        total += weight[c]
    inverse = 1.0 / total
    keep, gift = (1.0 - SHARE) * inverse, SHARE * (1.0 - LAST_WEIGHT) / n_claims
    for c in range(n_claims):
        weight[c] = weight[c] * keep + gift
    weight[-1] = weight[-1] * (1.0 - LAST_SHARE) * inverse + LAST_SHARE * LAST_WEIGHT


@njit(cache=True, nogil=True, error_model="numpy")
def _measure(n, mu, square, k):
    """Take the misses of filters into their running mean squares; k values have been seen, n among them."""
    rate = max(DECAY, 1.0 / (k - 1))
    for e in range(mu.size):
        miss = (n - mu[e]) * (n - mu[e])
        if k == 2:
            square[e] = miss + FIRST_SQUARE
        else:
            square[e] += rate * (min(miss, LARGEST_MISS * (square[e] + 1.0)) - square[e])
