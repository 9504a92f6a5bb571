"""Learned coding of planes of curves: experts and a network predict each value, mixed decisions write it.

Experts (`invae.codec.curves.experts`) are joined to a base (`invae.codec.curves.base`). The base is rounded
to the centre c, and signs are mirrored so that it lies on the positive side of c. The distance to c is then
written as `invae.codec.coding.decisions` does it. Four experts state odds under their own running error as
scale, three tables know the last errors, the lengths of constant runs and the signs of the last differences,
and a small network (`invae.codec.coding.network`) looks at everything at once and at its memory of the row
(`invae.codec.curves.memory`), where a model has one: its statement is by far the best one.

Training is coding: what tables and mixers hold after a pass over training planes, with the learned taps and
the network, is the model. All arithmetic is in whole numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.coder import Coder, finish, lacks_room, start_coder
from invae.codec.coding.compiled import step
from invae.codec.coding.decisions import Mixer, Statements, code_value, new_statements
from invae.codec.coding.lengths import code_first
from invae.codec.coding.network import CONSTANT, Activations, Network, new_activations, respond
from invae.codec.coding.tables import MixingTables
from invae.codec.curves.base import LMS_STEP, Base, Corrections, join, learn, miss_class, start_row
from invae.codec.curves.experts import BASE, PAD, SHOWN, Row, Taps, new_row, predict
from invae.codec.curves.memory import (
    LOOKS,
    N_SEEN,
    Memory,
    Place,
    Recurrence,
    View,
    forget,
    new_memory,
    observe,
    remember,
)

__all__ = ["N_INPUTS", "N_TABLES", "Arrays", "Watched", "code_plane"]

N_SPEAKING = 4  # of `SHOWN`, those that state odds
N_TABLES = 3
N_INPUTS = N_SPEAKING + N_TABLES + 2  # and a constant, and the network
MOST_BYTES = 4096  # more than one value can take


class Arrays(NamedTuple):
    """Arrays of a model beside its mixer; corrections and first odds adapt in place."""

    taps: Taps
    recurrence: Recurrence
    network: Network
    corrections: Corrections
    first: np.ndarray  # odds of the length of a row's first difference, see `invae.codec.coding.lengths`


class Watched(NamedTuple):
    """For training, of each value; either is empty otherwise."""

    seen: np.ndarray  # by the network; behind that the sign in 1/64; int8
    targets: np.ndarray  # mirrored distance and z


class Workspace(NamedTuple):
    """What is kept from value to value, and room for what is not."""

    row: Row
    memory: Memory
    statements: Statements
    activations: Activations
    seen: np.ndarray


@njit(cache=True, nogil=True)
def code_plane(
    stream: np.ndarray,
    decoding: bool,
    plane: np.ndarray,
    start: int,
    arrays: Arrays,
    mixer: Mixer,
    functions: MixingTables,
    watched: Watched,
) -> int:
    """Code ``plane`` into ``stream`` or, if ``decoding``, fill it from there.

    ``start`` is the error (1/256) to expect at the head of a row. Arrays that adapt do so in place. Returns
    the number of bytes written, or -1 when ``stream`` is too short.
    """
    n_rows, n = plane.shape
    coder = start_coder(stream, decoding)
    work = Workspace(
        new_row(n),
        new_memory(arrays.recurrence),
        new_statements(SHOWN.size, N_SPEAKING, N_TABLES),
        new_activations(arrays.network),
        np.zeros(arrays.network.first.shape[0], dtype=np.int32),
    )
    first = 0
    for i in range(n_rows if n else 0):
        if lacks_room(coder, MOST_BYTES):
            return -1
        first = code_first(coder, plane[i, 0], first, arrays.first)
        plane[i, 0] = first
        start_row(work.row, i, n, first, start)
        forget(work.memory)
        if not _code_row(coder, plane, i, arrays, mixer, functions, watched, work):
            return -1
        work.row.above[:] = plane[i]
    return 0 if decoding else finish(coder.state, stream)


@step
def _code_row(
    coder: Coder,
    plane: np.ndarray,
    i: int,
    arrays: Arrays,
    mixer: Mixer,
    functions: MixingTables,
    watched: Watched,
    work: Workspace,
) -> bool:
    """Code row i behind its first value; returns whether there was room."""
    n = plane.shape[1]
    row, memory, statements, seen = work.row, work.memory, work.statements, work.seen
    logits = statements.inputs[N_INPUTS:]
    remembers = memory.kept.size > 0
    shown, n_seen = (LOOKS[1], N_SEEN[1]) if remembers else (LOOKS[0], N_SEEN[0])
    run = run_before = way = miss = 0
    for j in range(1, n):
        if lacks_room(coder, MOST_BYTES):
            return False
        last = row.values[PAD + j - 1]
        predict(row, arrays.taps, j, n)
        base = join(row, j, miss, functions.weight, arrays.corrections)
        view = _mirror(row, base, functions.inverse, statements)
        place = Place(j, n, run, run_before, way)
        _choose(row, base, view, place, statements)
        observe(seen, shown, statements, row, view, place)
        r = 0 if coder.decoding else (plane[i, j] - last - view.centre) * view.sign
        if watched.targets.size:
            for k in range(n_seen):
                watched.seen[i, j, k] = seen[k]
            watched.seen[i, j, n_seen] = CONSTANT * view.sign
            watched.targets[i, j, 0] = r
            watched.targets[i, j, 1] = view.z
        if remembers:
            remember(seen, view.sign, arrays.recurrence, memory)
        respond(seen, arrays.network, work.activations, logits)
        r = code_value(coder, r, view.z, statements, mixer, functions)
        move = view.centre + r * view.sign
        plane[i, j] = row.values[PAD + j] = last + move
        learn(row, j, move, view.centre, base, arrays.corrections, mixer.rates[LMS_STEP])
        miss = miss_class(row)
        if move != 0:
            run_before, run = run, 0
            way = 1 if move > 0 else -1
        else:
            run += 1
    return True


@step
def _mirror(row: Row, base: Base, inverse: np.ndarray, statements: Statements) -> View:
    """Look at the base from the nearest grid value: mirrored offsets and inverse errors of what is shown."""
    z, centre = base.z, (base.value + 128) >> 8
    phase = base.value - (centre << 8)
    sign = 1
    if phase < 0:
        sign, phase = -1, -phase
    for k in range(SHOWN.size):
        statements.offsets[k] = (row.predictions[SHOWN[k]] - (centre << 8)) * sign
        statements.scales[k] = inverse[min(row.errors[SHOWN[k]] >> (z + 2), inverse.size - 1)]
    return View(centre, phase, sign, z)


@step
def _choose(row: Row, base: Base, view: View, place: Place, statements: Statements) -> None:
    """Choose the cell of each table and the mixers: last errors, runs and phase, signs of differences."""
    contexts, sets = statements.contexts, statements.sets
    z, sign, D = view.z, view.sign, row.differences
    error_scale = min(level(row.errors[BASE] >> (z + 4)), 15)
    e1, e2, e3 = row.missed[0] * sign, row.missed[1] * sign, row.missed[2] * sign
    phase = min(view.phase >> 5, 3)
    errors = ((clip(e1, 3) + 3) * 5 + clip(e2, 2) + 2) * 3 + clip(e3, 1) + 1
    contexts[0] = errors * 8 + (error_scale >> 1)
    runs = min(level(place.run), 11) * 12 + min(level(place.run_before), 11)
    contexts[1] = (runs * 3 + place.way * sign + 1) * 4 + phase
    signs = 0
    for k in range(5):
        signs = signs * 3 + clip((D[k] - D[k + 1]) * sign, 1) + 1
    contexts[2] = (signs * 3 + clip(view.centre * sign, 1) + 1) * 4 + phase
    sets[1] = min(place.j, 8) + 16 * place.j // place.n
    sets[2] = clip(e1, 2) * 5 + clip(e2, 2) + 12
    sets[3] = min(level(base.least >> (z + 4)), 15)
