"""What the network of curves sees of a value to come, and the memory that it keeps of its row.

It sees, in [-127, 127]: offsets of experts in units of their scales, the sizes of their running errors, the
last differences, steps and bends of the row, the last errors, place, runs and phase (`observe`), mirrored as
the value will be. What it sees, upright again, moves a memory h (`remember`),

    i = max(0, s M1),    (a, b) = (i, h, 1) M2,    h <- tanh b + sigmoid(a) (h - tanh b),

a gated recurrent unit without reset gate [1, 2]. The network then sees h, too, its second half mirrored.

All of it is in whole numbers: what is seen, i and 2 h in 1/64, h itself in 2^-16, weights in 1/64.

References
----------
[1] Cho et al. (2014), Learning phrase representations using RNN encoder-decoder (gated recurrent unit).
[2] Ravanelli et al. (2018), Light gated recurrent units for speech recognition. Deviation: tanh is kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.network import CONSTANT, MOST, layer
from invae.codec.coding.tables import S_MAX, SQUASH

__all__ = ["HIDDEN", "INWARD", "LOOKS", "MEMORY", "MOST_MISSES", "N_SEEN", "SIGNED", "observe", "remember"]

LAGS = np.array([1, 2, 3, 4, 6, 8, 11, 15, 20, 26, 32, 38], dtype=np.int64)
N_SCALED = 14
# How many steps, bends, misses and lags a network sees: one without a memory, and one that has it.
LOOKS = ((23, 12, 8, 12), (6, 4, 4, 0))
MOST_MISSES = 8
N_SEEN = tuple(2 * N_SCALED + sum(look) + 9 for look in LOOKS)
MEMORY, INWARD = 64, 24
HIDDEN = ((96, 32), (64, 24))
# Of what is seen beside a memory, what changes sign with the value.
SIGNED = np.zeros(N_SEEN[1], dtype=np.bool_)
SIGNED[:N_SCALED] = SIGNED[2 * N_SCALED : -8] = SIGNED[-3] = True


@njit(cache=True, nogil=True)
def observe(seen, shown, off, inv, R, who, D, E, z, sign, c, f, j, n, run1, run2, way):
    """Fill ``seen`` (int32) with what is known before value j of n: of ``shown``, see `LOOKS`."""
    n_steps, n_bends, n_misses, n_lags = shown
    m = 0
    for k in range(N_SCALED):
        seen[m] = clip((off[k] * inv[k]) >> (16 + z), MOST)
        seen[m + N_SCALED] = clip(4 * level(R[who[k]] >> (z + 2)) - 60, MOST)
        m += 1
    m += N_SCALED
    step = (D[0] - D[1]) >> z
    for k in range(n_steps):
        seen[m + k] = 32 * sign * clip(step, 3)
        further = (D[k + 1] - D[k + 2]) >> z
        if k < n_bends:
            seen[m + n_steps + k] = 32 * sign * clip(step - further, 3)
        step = further
    m += n_steps + n_bends
    for k in range(n_misses):
        seen[m + k] = 32 * sign * clip(E[k], 3)
    m += n_misses
    for k in range(n_lags):
        size = level(abs(D[LAGS[k]]) >> z)
        seen[m + k] = clip(4 * (size if (D[LAGS[k]] > 0) == (sign > 0) else -size), MOST)
    m += n_lags
    side = level(abs(c) >> z)
    seen[m] = clip(8 * (side if (c > 0) == (sign > 0) else -side), MOST)
    seen[m + 1] = f >> 1
    seen[m + 2] = 127 * j // n - 64
    seen[m + 3] = 4 * min(j, 32) - 64
    seen[m + 4] = min(6 * level(run1), MOST)
    seen[m + 5] = min(6 * level(run2), MOST)
    seen[m + 6] = 64 * way * sign
    seen[m + 7] = min(8 * z, MOST)
    seen[m + 8] = CONSTANT


@njit(cache=True, nogil=True)
def remember(seen, sign, M1, M2, memory, now, upright, gates, places):
    """Move ``memory`` (int64, in 2^-16) by what is seen; ``seen`` takes it behind that.

    ``now`` (int32) keeps i, 2 h and a constant from value to value; ``upright`` and ``gates`` (int32) and
    ``places`` are workspace.
    """
    n, inward, kept = M1.shape[0] - 1, M1.shape[1], memory.size
    for k in range(n):
        upright[k] = seen[k] * sign if SIGNED[k] else seen[k]
    upright[n] = CONSTANT * sign
    layer(upright, M1, now, places)
    for k in range(inward):
        now[k] = min(max(now[k] >> 6, 0), MOST)
    layer(now, M2, gates, places)
    for k in range(kept):
        keep = SQUASH[clip(gates[k] >> 4, S_MAX) + S_MAX]
        fresh = 2 * SQUASH[clip(gates[kept + k] >> 3, S_MAX) + S_MAX] - 65536
        memory[k] = fresh + ((keep * (memory[k] - fresh)) >> 16)
        short = clip((memory[k] + 256) >> 9, MOST)
        now[inward + k] = short
        seen[n + k] = short if 2 * k < kept else short * sign
