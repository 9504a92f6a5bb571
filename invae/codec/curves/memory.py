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

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.compiled import step
from invae.codec.coding.decisions import Statements
from invae.codec.coding.network import CONSTANT, MOST, layer
from invae.codec.coding.tables import S_MAX, SQUASH
from invae.codec.curves.experts import SHOWN, Row

__all__ = [
    "HIDDEN",
    "INWARD",
    "LOOKS",
    "MEMORY",
    "N_SCALED",
    "N_SEEN",
    "SIGNED",
    "Memory",
    "Place",
    "Recurrence",
    "View",
    "forget",
    "new_memory",
    "observe",
    "remember",
]

LAGS = np.array([1, 2, 3, 4, 6, 8, 11, 15, 20, 26, 32, 38], dtype=np.int64)
N_SCALED = SHOWN.size
# How many steps, bends, misses and lags a network sees: one without a memory, and one that has it.
LOOKS = ((23, 12, 8, 12), (6, 4, 4, 0))
N_SEEN = tuple(2 * N_SCALED + sum(look) + 9 for look in LOOKS)
MEMORY, INWARD = 64, 24
HIDDEN = ((96, 32), (64, 24))
# Of what is seen beside a memory, what changes sign with the value.
SIGNED = np.zeros(N_SEEN[1], dtype=np.bool_)
SIGNED[:N_SCALED] = SIGNED[2 * N_SCALED : -8] = SIGNED[-3] = True


class View(NamedTuple):
    """How a value is looked at: as the distance to a centre, mirrored so that the base lies beyond it."""

    centre: int  # in grid steps from the last value
    phase: int  # of the base in its step, 0 .. 128
    sign: int
    z: int  # log2 of the values in a cell


class Place(NamedTuple):
    """Where a value stands: number j of n, behind runs of equal values."""

    j: int
    n: int
    run: int  # equal values up to now
    run_before: int
    way: int  # sign of the last step that was none


class Recurrence(NamedTuple):
    """Weights of the memory (int16); both empty where there is none."""

    inward: np.ndarray
    gates: np.ndarray


class Memory(NamedTuple):
    """State of the memory and its workspace."""

    kept: np.ndarray  # h, int64, 2^-16
    now: np.ndarray  # i, 2 h and a constant, int32
    upright: np.ndarray
    gates: np.ndarray
    places: np.ndarray


@njit(cache=True, nogil=True)
def new_memory(weights: Recurrence) -> Memory:
    """Memory of nothing."""
    n_inputs, n_gates = weights.gates.shape
    memory = Memory(
        np.zeros(n_gates // 2, dtype=np.int64),
        np.zeros(n_inputs, dtype=np.int32),
        np.zeros(weights.inward.shape[0], dtype=np.int32),
        np.zeros(n_gates, dtype=np.int32),
        np.zeros(max(n_inputs, weights.inward.shape[0]), dtype=np.int64),
    )
    forget(memory)
    return memory


@step
def forget(memory: Memory) -> None:
    """Begin a row."""
    memory.kept[:] = 0
    memory.now[:] = 0
    if memory.now.size:
        memory.now[-1] = CONSTANT


@step
def observe(
    seen: np.ndarray, shown: tuple[int, ...], statements: Statements, row: Row, view: View, place: Place
) -> None:
    """Fill ``seen`` (int32) with what is known before a value: of ``shown``, see `LOOKS`."""
    n_steps, n_bends, n_misses, n_lags = shown
    off, inv, D = statements.offsets, statements.scales, row.differences
    sign, z = view.sign, view.z
    for k in range(N_SCALED):
        seen[k] = clip((off[k] * inv[k]) >> (16 + z), MOST)
        seen[k + N_SCALED] = clip(4 * level(row.errors[SHOWN[k]] >> (z + 2)) - 60, MOST)
    m = 2 * N_SCALED
    step = (D[0] - D[1]) >> z
    for k in range(n_steps):
        seen[m + k] = 32 * sign * clip(step, 3)
        further = (D[k + 1] - D[k + 2]) >> z
        if k < n_bends:
            seen[m + n_steps + k] = 32 * sign * clip(step - further, 3)
        step = further
    m += n_steps + n_bends
    for k in range(n_misses):
        seen[m + k] = 32 * sign * clip(row.missed[k], 3)
    m += n_misses
    for k in range(n_lags):
        seen[m + k] = _mirrored_level(D[LAGS[k]], sign, z, 4)
    m += n_lags
    seen[m] = _mirrored_level(view.centre, sign, z, 8)
    seen[m + 1] = view.phase >> 1
    seen[m + 2] = 127 * place.j // place.n - 64
    seen[m + 3] = 4 * min(place.j, 32) - 64
    seen[m + 4] = min(6 * level(place.run), MOST)
    seen[m + 5] = min(6 * level(place.run_before), MOST)
    seen[m + 6] = 64 * place.way * sign
    seen[m + 7] = min(8 * z, MOST)
    seen[m + 8] = CONSTANT


@njit(cache=True, nogil=True)
def _mirrored_level(value, sign, z, unit):
    size = level(abs(value) >> z)
    return clip(unit * (size if (value > 0) == (sign > 0) else -size), MOST)


@step
def remember(seen: np.ndarray, sign: int, weights: Recurrence, memory: Memory) -> None:
    """Move ``memory`` by what is seen; ``seen`` takes it behind that."""
    kept, now, upright, gates = memory.kept, memory.now, memory.upright, memory.gates
    n, inward, size = weights.inward.shape[0] - 1, weights.inward.shape[1], kept.size
    for k in range(n):
        upright[k] = seen[k] * sign if SIGNED[k] else seen[k]
    upright[n] = CONSTANT * sign
    layer(upright, weights.inward, now, memory.places)
    for k in range(inward):
        now[k] = min(max(now[k] >> 6, 0), MOST)
    layer(now, weights.gates, gates, memory.places)
    for k in range(size):
        keep = SQUASH[clip(gates[k] >> 4, S_MAX) + S_MAX]
        fresh = 2 * SQUASH[clip(gates[size + k] >> 3, S_MAX) + S_MAX] - 65536
        kept[k] = fresh + ((keep * (kept[k] - fresh)) >> 16)
        short = clip((kept[k] + 256) >> 9, MOST)
        now[inward + k] = short
        seen[n + k] = short if 2 * k < size else short * sign
