"""A small integer network that states the odds of every decision of a value to come.

Two hidden layers of int8 weights and activations in 0 .. 127 over what it sees, in [-127, 127], then one
logit in 1/256 for each kind of decision.

All of it is integer arithmetic: products at most 2^17, sums far below 2^31, so every machine finds the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip
from invae.codec.coding.cells import N_DECISIONS
from invae.codec.coding.compiled import step

__all__ = [
    "CONSTANT",
    "MOST",
    "MOST_WEIGHTS",
    "N_LOGITS",
    "OUT_SHIFT",
    "SHIFTS",
    "Activations",
    "Network",
    "layer",
    "new_activations",
    "respond",
]

N_LOGITS = N_DECISIONS
SHIFTS = (7, 6)  # weights are in 1/64, what is seen in 1/64, activations in 1/32
OUT_SHIFT = 3  # from 1/2048 to 1/256
MOST = 127
MOST_WEIGHTS = (127, 127, 1023)  # the last layer's are few: finer odds cost next to nothing
CONSTANT = 64
FARTHEST = 2047


class Network(NamedTuple):
    """Weights of the three layers (int16), a row for each input and a column for each output."""

    first: np.ndarray
    second: np.ndarray
    last: np.ndarray


class Activations(NamedTuple):
    """Workspace of a network.

    Hidden layers (int32) have one entry more, the constant that meets the last row of the next weights;
    ``places`` (int64) are as many as the longest input has entries.
    """

    first: np.ndarray
    second: np.ndarray
    places: np.ndarray


@njit(cache=True, nogil=True)
def new_activations(network: Network) -> Activations:
    """Room for the activations of ``network``."""
    n, m = network.second.shape[0], network.last.shape[0]
    longest = max(network.first.shape[0], n, m)
    return Activations(
        np.zeros(n, dtype=np.int32), np.zeros(m, dtype=np.int32), np.zeros(longest, dtype=np.int64)
    )


@step
def respond(seen, network, activations, logits):
    """Fill ``logits`` (int64) from ``seen`` (int32), whose last entry is a constant, and overwrite it."""
    first, second, last = network.first, network.second, network.last
    a, b, places = activations.first, activations.second, activations.places
    n, m = first.shape[1], second.shape[1]
    layer(seen, first, a, places)
    for h in range(n):
        a[h] = min(max(a[h] >> SHIFTS[0], 0), MOST)
    a[n] = CONSTANT
    layer(a, second, b, places)
    for h in range(m):
        b[h] = min(max(b[h] >> SHIFTS[1], 0), MOST)
    b[m] = CONSTANT
    layer(b, last, seen, places)
    for d in range(logits.size):
        logits[d] = clip(seen[d] >> OUT_SHIFT, FARTHEST)


@step
def layer(inputs, weights, out, places):
    """out = inputs @ weights over inputs that are not zero, four at a time; ``places`` takes where they are.

    They are listed without a branch, for which of them are zero cannot be foreseen.
    """
    n_rows, n_columns = weights.shape
    m = 0
    for k in range(n_rows):
        places[m] = k
        m += 1 if inputs[k] != 0 else 0
    for h in range(n_columns):
        out[h] = 0
    k = 0
    while k + 4 <= m:
        k0, k1, k2, k3 = places[k], places[k + 1], places[k + 2], places[k + 3]
        s0, s1, s2, s3 = inputs[k0], inputs[k1], inputs[k2], inputs[k3]
        w0, w1, w2, w3 = weights[k0], weights[k1], weights[k2], weights[k3]
        for h in range(n_columns):
            out[h] += (
                s0 * np.int32(w0[h]) + s1 * np.int32(w1[h]) + s2 * np.int32(w2[h]) + s3 * np.int32(w3[h])
            )
        k += 4
    while k < m:
        s0, w0 = inputs[places[k]], weights[places[k]]
        for h in range(n_columns):
            out[h] += s0 * np.int32(w0[h])
        k += 1
