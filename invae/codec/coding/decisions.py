"""Integers as mixed binary decisions: the odds of each bit from statements, tables and a network.

A value is the mirrored distance to a centre cell, reached by the decisions of `invae.codec.coding.cells`; its
place inside a cell is raw bits. For every decision

* experts state the odds under a logistic distribution around their own prediction with their own scale;
* tables of adaptive probabilities state them by context;
* a network states them, too;
* logistic mixers with integer weights, one chosen by each of three contexts, join all statements; a last one
  joins the three.

All arithmetic is 64-bit integer with floor division and arithmetic shifts.

References
----------
[1] Mahoney (2005), Adaptive weighing of context models for lossless data compression, and later PAQ programs
(chosen mixers, two layers). Deviation: parametric experts give odds beside the tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip
from invae.codec.coding.cells import MOST_BITS, N_DECISIONS, cell_bits, cell_kind, centre_cell
from invae.codec.coding.coder import code_bit, code_raw
from invae.codec.coding.compiled import step
from invae.codec.coding.tables import S_MAX, SQUASH, STRETCH

__all__ = [
    "N_DECISIONS",
    "N_SETS",
    "SELECTORS",
    "TABLE",
    "Mixer",
    "Statements",
    "code_value",
    "new_statements",
    "offset_cell",
]

TABLE = 4096
N_SETS = 3
SELECTORS = 32
FAR = 1 << 40  # in 1/256: beyond it tails differ no more, and products with inverse scales stay in 64 bits
RATE, LAST_RATE, COUNT = 0, 1, 2
MOST_ODDS = 2047  # statements are within exp(+-8), as the network's are
CONSTANT = 256  # the input that is always there: odds of e


class Mixer(NamedTuple):
    """What learns from every decision."""

    weights: np.ndarray  # (N_SETS, N_DECISIONS, SELECTORS, inputs), 2^-16
    last: np.ndarray  # (N_DECISIONS, SELECTORS, N_SETS), 2^-16: of the mixer that joins the others
    tables: np.ndarray  # (tables, TABLE, N_DECISIONS): 22 bits of a probability, 10 of a count
    rates: np.ndarray  # of both mixers, the count's limit, and more that a kernel reads


class Statements(NamedTuple):
    """What is stated of the next value, and workspace (int64)."""

    offsets: np.ndarray  # of experts to the centre, mirrored, 1/256; the first are those that state odds
    scales: np.ndarray  # one over their errors, see `invae.codec.coding.tables`
    tails: np.ndarray  # one for each expert that states odds
    inputs: np.ndarray  # of the mixers: experts, tables, a constant, the network's; then its logits
    contexts: np.ndarray  # a cell of every table
    sets: np.ndarray  # which mixer of each set, and which last one
    mixed: np.ndarray


@njit(cache=True, nogil=True)
def new_statements(n_shown: int, n_experts: int, n_tables: int) -> Statements:
    """Room for ``n_shown`` offsets, of which ``n_experts`` state odds beside ``n_tables`` tables."""
    n_inputs = n_experts + n_tables + 2
    inputs = np.zeros(n_inputs + N_DECISIONS, dtype=np.int64)
    inputs[n_inputs - 2] = CONSTANT
    return Statements(
        np.zeros(n_shown, dtype=np.int64),
        np.zeros(n_shown, dtype=np.int64),
        np.zeros(n_experts, dtype=np.int64),
        inputs,
        np.zeros(n_tables, dtype=np.int64),
        np.zeros(N_SETS + 1, dtype=np.int64),
        np.zeros(N_SETS, dtype=np.int64),
    )


@step
def code_value(coder, r, z, statements, mixer, functions):
    """Code or decode the mirrored distance ``r`` to the centre, in cells of 2^``z``; return it.

    Offsets, scales, contexts, chosen mixers and the network's logits are given in ``statements``;
    ``functions`` are those of `invae.codec.coding.tables.mixing_tables`.
    """
    off, inv, tail, x = statements.offsets, statements.scales, statements.tails, statements.inputs
    softplus, odds = functions.softplus, functions.odds
    low, high = centre_cell(z)
    half = 128 << z
    for k in range(tail.size):
        upper = ((half - off[k]) * inv[k]) >> (12 + z)
        lower = ((-half - off[k]) * inv[k]) >> (12 + z)
        x[k] = STRETCH[(_squash(upper) - _squash(lower)) >> 4]
        tail[k] = _log_tail(upper, softplus)
    if _decide(coder, low <= r <= high, 0, statements, mixer):
        return low + code_raw(coder, r - low, z)
    for k in range(tail.size):
        lower = ((-half - off[k]) * inv[k]) >> (12 + z)
        x[k] = clip(tail[k] - _log_tail(-lower, softplus), MOST_ODDS)
    positive = _decide(coder, r > high, 1, statements, mixer)
    side = 1 if positive else -1
    edge = high + 1 if positive else 1 - low
    at = half
    if not positive:
        for k in range(tail.size):
            tail[k] = _log_tail(((half + off[k]) * inv[k]) >> (12 + z), softplus)
    size = r * side
    bits, cell = z, 1
    while bits < MOST_BITS:
        at = min(at + (256 << bits), FAR)
        for k in range(tail.size):
            far = _log_tail((clip(at - off[k] * side, FAR) * inv[k]) >> (12 + z), softplus)
            x[k] = odds[min(max(tail[k] - far, 0), odds.size - 1)]
            tail[k] = far
        if not _decide(coder, size >= edge + (1 << bits), cell_kind(cell, positive), statements, mixer):
            break
        edge += 1 << bits
        cell += 1
        bits = cell_bits(cell, z)
    return (edge + code_raw(coder, size - edge, bits)) * side


@njit(cache=True, nogil=True)
def offset_cell(offset, width, most):
    """Number 0 .. 2 most of the cell of ``width`` that holds ``offset``."""
    return min(max(offset + most * width + (width >> 1), 0) // width, 2 * most)


@njit(cache=True, nogil=True)
def _squash(s):
    return SQUASH[min(max(s, -S_MAX), S_MAX) + S_MAX]


@njit(cache=True, nogil=True)
def _log_tail(t, softplus):
    """256 ln(1 / (1 + exp(t / 256))): the upper tail of the logistic."""
    if t > S_MAX:
        return -t
    if t < -S_MAX:
        return 0
    return -softplus[t + S_MAX]


@step
def _decide(coder, bit, decision, statements, mixer):
    """Code one decision and let everything that had a say in it learn.

    The network's statement chooses the first mixer.
    """
    x, ctx, sel, outs = statements.inputs, statements.contexts, statements.sets, statements.mixed
    W, V, T, rates = mixer.weights, mixer.last, mixer.tables, mixer.rates
    n_inputs, n_tables = W.shape[3], T.shape[0]
    n_experts = n_inputs - n_tables - 2
    x[n_inputs - 1] = x[n_inputs + decision]
    sel[0] = (x[n_inputs - 1] + MOST_ODDS + 1) >> 7
    for k in range(n_tables):
        x[n_experts + k] = STRETCH[T[k, ctx[k], decision] >> 18]
    final = 0
    v = V[decision, sel[N_SETS]]
    for m in range(N_SETS):
        w = W[m, decision, sel[m]]
        total = 0
        for k in range(n_inputs):
            total += w[k] * x[k]
        outs[m] = clip(total >> 16, S_MAX)
        final += v[m] * outs[m]
    p = SQUASH[clip(final >> 16, S_MAX) + S_MAX]
    one = code_bit(coder, bit, p)
    error = ((one << 16) - p) * rates[LAST_RATE]
    for m in range(N_SETS):
        v[m] += (outs[m] * error + (1 << 19)) >> 20
        own = ((one << 16) - SQUASH[outs[m] + S_MAX]) * rates[RATE]
        w = W[m, decision, sel[m]]
        for k in range(n_inputs):
            w[k] += (x[k] * own + (1 << 19)) >> 20
    target = one * ((1 << 20) - 1)
    for k in range(n_tables):
        cell = np.int64(T[k, ctx[k], decision])
        count = cell & 1023
        chance = cell >> 10
        chance += ((target - chance) * 2) // (2 * count + 3)
        T[k, ctx[k], decision] = (chance << 10) | min(count + 1, rates[COUNT])
    return one
