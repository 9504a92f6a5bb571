"""Learned coding of stacked frames: neighbourhoods and a network predict pixels, mixed decisions write them.

Experts (`invae.codec.frames.experts`) are joined to a base (`invae.codec.frames.base`), and the distance of a
pixel to it is written by mixed decisions (`invae.codec.coding.decisions`): eight experts state odds under
their own errors as scales, eight tables know the phase, counts, errors, opposite pixels and place, and the
network (`invae.codec.coding.network`) looks at all of it (`invae.codec.frames.observe`).

All arithmetic is in whole numbers. Each frame starts at its own first pixel; what was learned goes on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.coding.arithmetic import clip, level
from invae.codec.coding.coder import Coder, finish, lacks_room, start_coder
from invae.codec.coding.compiled import step
from invae.codec.coding.decisions import Mixer, Statements, code_value, new_statements, offset_cell
from invae.codec.coding.network import Activations, Network, new_activations, respond
from invae.codec.coding.tables import MixingTables
from invae.codec.frames.base import SUM_STEP, Base, Corrections, join, learn
from invae.codec.frames.experts import (
    BASE,
    BOX,
    N_TAPS,
    SHOWN,
    SIDE,
    TOP,
    Frames,
    Near,
    Pixel,
    Place,
    begin_row,
    follow,
    new_frames,
    new_pixel,
    predict,
    store,
)
from invae.codec.frames.observe import N_SEEN, View, observe

__all__ = ["HIDDEN", "N_INPUTS", "N_TABLES", "Arrays", "Hints", "Watched", "code_frames"]

N_SPEAKING = 8  # of `SHOWN`, those that state odds
N_TABLES = 8
N_INPUTS = N_SPEAKING + N_TABLES + 2
HIDDEN = (96, 32)
LOWEST = 9  # smaller numbers are where they are
CLIP = 1 << 30
MOST_BYTES = 4096  # more than one pixel can take


class Arrays(NamedTuple):
    """Arrays of a model beside its mixer; corrections adapt in place."""

    taps: np.ndarray  # (N_CLASSES, N_TAPS), 2^-14
    network: Network
    corrections: Corrections


class Hints(NamedTuple):
    """What is known of a stack beside its pixels."""

    centres: np.ndarray  # (frames, 2): twice the centre of symmetry plus one, or 0 0
    offsets: np.ndarray  # how far from its number each pixel truly lies, 1/256, or empty


class Watched(NamedTuple):
    """For training, of each pixel (rows, columns, ..); each is empty otherwise."""

    seen: np.ndarray  # by the network; int8
    targets: np.ndarray  # mirrored distance and z
    near: np.ndarray  # N_TAPS + 2: differences for the taps, the difference to predict, the class


class Workspace(NamedTuple):
    """What is kept from pixel to pixel, and room for what is not."""

    frames: Frames
    pixel: Pixel
    statements: Statements
    activations: Activations
    seen: np.ndarray


@njit(cache=True, nogil=True)
def code_frames(
    stream: np.ndarray,
    decoding: bool,
    plane: np.ndarray,
    height: int,
    hints: Hints,
    arrays: Arrays,
    mixer: Mixer,
    functions: MixingTables,
    watched: Watched,
) -> int:
    """Code stacked frames of ``height`` rows into ``stream`` or, if ``decoding``, fill ``plane`` from there.

    Offsets, such as those of a known dither, count for pixels of at least `LOWEST`: predictions are of the
    true place. Arrays that adapt do so in place. Returns the number of bytes written, or -1 when ``stream``
    is too short.
    """
    n = plane.shape[1]
    n_frames = plane.shape[0] // height
    coder = start_coder(stream, decoding)
    work = Workspace(
        new_frames(n_frames, height, n),
        new_pixel(n),
        new_statements(SHOWN.size, N_SPEAKING, N_TABLES),
        new_activations(arrays.network),
        np.zeros(N_SEEN, dtype=np.int32),
    )
    first = 0
    for g in range(n_frames):
        h = work.frames.values[g]
        h[:TOP, :] = first
        for i in range(height):
            begin_row(work.frames, g, i, n)
            corner = Place(g, i, 0, height, n, hints.centres[g, 0], hints.centres[g, 1])
            if not _code_row(coder, plane, corner, hints.offsets, arrays, mixer, functions, watched, work):
                return -1
            h[i + TOP, n + SIDE :] = h[i + TOP, n + SIDE - 1]
            if i == 0:
                h[:TOP] = h[TOP]
        first = h[TOP, SIDE]
    return 0 if decoding else finish(coder.state, stream)


@step
def _code_row(
    coder: Coder,
    plane: np.ndarray,
    corner: Place,
    offsets: np.ndarray,
    arrays: Arrays,
    mixer: Mixer,
    functions: MixingTables,
    watched: Watched,
    work: Workspace,
) -> bool:
    """Code the row that begins at ``corner``; returns whether there was room."""
    g, i, n = corner.frame, corner.i, corner.n
    at = g * corner.height + i
    frames, pixel, statements, seen = work.frames, work.pixel, work.statements, work.seen
    logits = statements.inputs[N_INPUTS:]
    for j in range(n):
        if lacks_room(coder, MOST_BYTES):
            return False
        place = Place(g, i, j, corner.height, n, corner.row2, corner.column2)
        near = predict(frames, place, arrays.taps, pixel)
        base = join(frames, place, near.turned, functions.weight, arrays.corrections, pixel)
        offset = offsets[at, j] if offsets.size else 0
        view = _mirror(base, offset, functions.inverse, statements, pixel)
        _choose(place, near, base, view, statements, pixel)
        observe(seen, frames, place, near, view, statements, pixel)
        d = 0 if coder.decoding else (plane[at, j] - view.centre) * view.sign
        _watch(watched, at, j, plane[at, j], d, near, view, work)
        respond(seen, arrays.network, work.activations, logits)
        d = code_value(coder, d, view.z, statements, mixer, functions)
        number = view.centre + d * view.sign
        plane[at, j] = number
        value = clip(number, CLIP)
        frames.missed[i & 1, j + 1] = clip(value - view.centre, CLIP) >> view.z
        truth = (value << 8) + (offset if number >= LOWEST else 0)
        store(frames, place, truth)
        learn(frames, place, base, truth, mixer.rates[SUM_STEP], arrays.corrections, pixel)
        follow(place, near, truth, pixel)
    return True


@step
def _watch(watched, at, j, number, distance, near, view, work):
    if watched.targets.size:
        for k in range(N_SEEN):
            watched.seen[at, j, k] = work.seen[k]
        watched.targets[at, j, 0] = distance
        watched.targets[at, j, 1] = view.z
    if watched.near.size:
        for k in range(N_TAPS):
            watched.near[at, j, k] = work.pixel.differences[k] >> 8
        watched.near[at, j, N_TAPS] = number - (near.w >> 8)
        watched.near[at, j, N_TAPS + 1] = near.kind


@step
def _mirror(base: Base, offset: int, inverse: np.ndarray, statements: Statements, pixel: Pixel) -> View:
    """Look at the base from the nearest number: mirrored offsets and inverse errors of what is shown."""
    z, delta = base.z, offset if base.value >= LOWEST << 8 else 0
    centre = (base.value - delta + 128) >> 8
    middle = (centre << 8) + delta
    phase = base.value - middle
    sign = 1
    if phase < 0:
        sign, phase = -1, -phase
    for k in range(SHOWN.size):
        statements.offsets[k] = (pixel.predictions[SHOWN[k]] - middle) * sign
        statements.scales[k] = inverse[min(pixel.errors[SHOWN[k]] >> (z + 2), inverse.size - 1)]
    return View(centre, middle, min(phase, 128), sign, z, base.value)


@step
def _choose(place: Place, near: Near, base: Base, view: View, statements: Statements, pixel: Pixel) -> None:
    """Choose the cell of each table and the mixers."""
    contexts, sets, off = statements.contexts, statements.sets, statements.offsets
    z, sign, phase, size = base.z, view.sign, view.phase, max(base.value, 0)
    w, n = near.w, near.n
    upward = (sign + 1) >> 1
    scale = min(level(base.least >> (z + 4)), 15)
    error_scale = min(level(pixel.errors[BASE] >> (z + 4)), 15)
    fine = size >> 4
    fine = fine if fine < 512 else 512 + min(level(fine >> 5) * 8 + (phase >> 4), 500)
    left = clip((w - view.middle) * sign >> (z + 8), 4) + 4
    above = clip((n - view.middle) * sign >> (z + 8), 4) + 4
    contexts[0] = (phase >> 4) * 16 + scale
    contexts[1] = fine
    contexts[2] = (left * 9 + above) * 16 + error_scale
    contexts[3] = (offset_cell(off[5] >> z, 32, 9) * 19 + offset_cell(off[6] >> z, 32, 9)) * 2 + upward
    contexts[4] = min(max(pixel.predictions[BOX], 0) >> 4, 2047) * 2 + upward
    counts = min(level(max(w, 0) >> 8), 15) * 16 + min(level(max(n, 0) >> 8), 15)
    contexts[5] = counts * 16 + min(level(max(near.ne, 0) >> 8), 15)
    contexts[6] = min(place.j * 64 // place.n, 63) * 32 + min(place.i * 32 // place.height, 31)
    contexts[7] = min(max(near.around, 0) >> 8, 511) * 4 + (phase >> 5 if phase < 128 else 3)
    sets[1] = min(level(size >> 6), 31)
    sets[2] = error_scale + 16 * (1 if phase > 64 else 0)
    sets[3] = scale
