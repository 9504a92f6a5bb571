"""How a block is predicted: chosen from samples by the encoder, told to the decoder.

Numbers, by kind: PLAN: layout, direct (in 1/16), shift, sets less 1, lanes less 1, and with more than one
frame gain; with more than one set TILES: the set of each tile less that of the tile on its left (0 at the
edge), modulo the number of sets, row by row; then for each frame but the first FRESH, 1 if weights follow;
then for set 0 (first rows) the weights of taps 1 and 2, for each further set those of taps 1 to 10, and
behind each, but in the first frame, those of taps 11 to 19: kind WEIGHT, folded differences to those of the
last frame that had any (0 at first). Tap 0 has what is missing to a sum of 0: it stands for its weight less
2^shift.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from invae.codec.stream.contexts import ALONG_ROWS, BY_ERROR, BY_FRACTION, BY_VALUE, N_CONTEXTS
from invae.codec.stream.fit import (
    FRAME_TAPS,
    NEAR_TAPS,
    REFERENCE_TAPS,
    ROW_TAPS,
    Sample,
    cost,
    fit_classes,
    fit_weights,
    preset_weights,
    sample_pixels,
)
from invae.codec.stream.gaps import Gaps
from invae.codec.stream.lanes import N_TOKENS, Model, new_work, tokens_of_frame
from invae.codec.stream.neighbours import N_TAPS, PAD, TILE, follow
from invae.codec.stream.numbers import NumberReader, NumberWriter
from invae.codec.stream.tables import estimated_bits
from invae.errors import FormatError

__all__ = ["Plan", "Predictor", "choose_plan", "read_plan", "write_plan"]

PLAN, TILES, FRESH, WEIGHT = 14, 15, 9, 16
EMPTY = np.zeros((0, 0), dtype=np.int64)
MOST_SETS, MOST_LANES = 16, 16
MOST_DIRECT, MOST_SHIFT = 4096, 24
SHIFT = 8
DIRECT = 128
SAMPLE, SERIES_SAMPLE, CLASS_SAMPLE, TRIAL = 6144, 6144, 24576, 12288
SMALL = 1 << 15
CLASSES = 4
SERIES_HANDICAP = 32
LAYOUTS = ((BY_ERROR, 0), (BY_ERROR, DIRECT), (BY_FRACTION, 0), (ALONG_ROWS, 0))
CHECK_SAMPLE, WORSE = 1024, 0.1
FRESH_FRAMES = frozenset([0, 1, 2, 3, 5, 8, 12, 18, 26, 40, 60])
GAINS = (0, 4096, 8192, 16384, 32768, 65536)


class Plan(NamedTuple):
    """Choices for a block: see `Model`; ``gain`` is the least with which the mean follows, in 2^-16."""

    layout: int
    direct: int
    shift: int
    n_lanes: int
    gain: int
    tiles: np.ndarray
    first: np.ndarray  # weights of the first frame (1 + sets, N_TAPS)
    robust: bool = False  # how later weights are fitted; of no concern to the decoder


class Predictor:
    """The frame at hand, the mean of those before it, and the weights in use."""

    def __init__(self, plan: Plan, shape: tuple[int, int, int], top: int, sets: list | None = None) -> None:
        n_frames, h, w = shape
        self.plan, self.top = plan, top
        self.frame = np.zeros((h, w + 2 * PAD), dtype=np.int64)
        self.sets: list[np.ndarray | None] = [] if sets is None else sets
        self._weights = plan.first
        self._cost = 0.0
        self._series = n_frames > 1
        self._mean = np.zeros((h, w), dtype=np.int64) if self._series else EMPTY
        self._reference = np.zeros((h + 2, w + 2), dtype=np.int64) if self._series else EMPTY

    def fitted(self, t: int, mask: np.ndarray) -> Model:
        """Model of frame ``t``, which stands in ``frame``; weights are fitted to it now and then."""
        fresh = None
        if t == 0:
            fresh = self.plan.first
        else:
            fresh = self._fit(t, mask)
        self.sets.append(fresh)
        return self._model(t, fresh, mask)

    def told(self, t: int, mask: np.ndarray) -> Model:
        """Model of frame ``t`` as the encoder had it."""
        return self._model(t, self.sets[t], mask)

    def follow(self, t: int) -> None:
        """Take the decoded frame ``t`` into the mean."""
        if self._series:
            follow(self._mean, self._reference, self.frame, max(self.plan.gain, 65536 // (t + 1)))

    def _fit(self, t: int, mask: np.ndarray) -> np.ndarray | None:
        """New weights now and then, and where those in use foretell worse than when they were new."""
        close(self.frame)
        scale = 1 << self.plan.shift
        if t not in FRESH_FRAMES:
            now = cost(
                sample_pixels(self.frame, self._reference, mask, CHECK_SAMPLE), self._weights[1] / scale
            )
            if now < self._cost + WORSE:
                return None
        sample = sample_pixels(self.frame, self._reference, mask, SERIES_SAMPLE)
        part = Sample(*(field[::4] for field in sample))
        row = fit_weights(part, ROW_TAPS + REFERENCE_TAPS, self.plan.robust)
        rest = fit_weights(sample, FRAME_TAPS + REFERENCE_TAPS, self.plan.robust)
        self._cost = cost(sample, rest)
        return quantised(np.stack([row] + [rest] * (len(self._weights) - 1)), self.plan.shift)

    def _model(self, t: int, fresh: np.ndarray | None, mask: np.ndarray) -> Model:
        if fresh is not None:
            self._weights = fresh
        plan = self.plan
        reference = self._reference if t > 0 else EMPTY
        return Model(
            plan.layout, plan.direct, plan.shift, self.top, self._weights, plan.tiles, reference, mask
        )


def close(frame: np.ndarray) -> None:
    """Set what stands beside all rows, for a sample."""
    frame[:, :PAD] = frame[:, PAD : PAD + 1]
    frame[:, -PAD:] = frame[:, -PAD - 1 : -PAD]


def quantised(sets: np.ndarray, shift: int) -> np.ndarray:
    """Whole weights in 2^-shift, the first less 2^shift, so that each set's sum is 0."""
    weights = np.rint(sets * (1 << shift)).astype(np.int64)
    weights[:, 0] = -weights[:, 1:].sum(axis=1)
    return weights


def choose_plan(shifted: np.ndarray, gaps: Gaps, top: int) -> Plan:
    """Choose by samples of the block, whose smallest value is 0 and whose largest is ``top``."""
    n_frames, h, w = shifted.shape
    middle = n_frames // 2
    mask = gaps.mask(middle)
    frame = np.zeros((h, w + 2 * PAD), dtype=np.int64)
    frame[:, PAD:-PAD] = shifted[middle]
    _fill_for_sample(frame, mask)
    close(frame)
    small = shifted.size < SMALL
    sample = sample_pixels(frame, EMPTY, mask, SAMPLE)
    n_lanes = 4 if shifted.size >= SMALL and h >= 16 else 1
    gain = _gain(shifted) if n_frames > 1 else 0
    tiles = np.zeros((-(-h // TILE), -(-w // TILE)), dtype=np.uint8)
    trial = _Trial(frame, mask, top, shifted.size)
    plans = []
    for robust in (False, True):
        row, best = _whole_sets(sample, small, robust)
        first = quantised(np.stack([row, best]), _shift(sample, best))
        plan = Plan(BY_VALUE, DIRECT, _shift(sample, best), n_lanes, gain, tiles, first, robust)
        plans.append((trial.bits(plan), robust, plan, row, best))
    _, robust, plan, row, best = min(plans, key=lambda p: p[:2])
    if n_frames == 1 and not small and tiles.size > CLASSES:
        sample = sample_pixels(frame, EMPTY, mask, min(CLASS_SAMPLE, shifted.size // 12))
        sets, chosen, better = fit_classes(sample, best, tiles.size, CLASSES, robust)
        if better * shifted.size > 100 * CLASSES + 2 * tiles.size:
            first = quantised(np.concatenate([row[None], sets]), plan.shift)
            plan = plan._replace(tiles=chosen.reshape(tiles.shape).astype(np.uint8), first=first)
    return _best_layout(plan, trial, n_frames)


def _whole_sets(sample: Sample, small: bool, robust: bool) -> tuple[np.ndarray, np.ndarray]:
    """Best weights for first rows, and for all other ones."""
    presets = preset_weights()
    rows = [*presets[:3], fit_weights(sample, ROW_TAPS, robust)]
    row = rows[int(np.argmin([cost(sample, c) for c in rows]))]
    fits = [fit_weights(sample, NEAR_TAPS if small else FRAME_TAPS, robust), *presets, row]
    share = 10.0 / max(sample.values.size, 1) if small else 0.0
    return row, fits[int(np.argmin([cost(sample, c) + share * np.count_nonzero(c) for c in fits]))]


@njit(cache=True, nogil=True)
def _fill_for_sample(frame, mask):
    """Put the last value before it into each gap."""
    last = frame[0, PAD]
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if mask[i, j]:
                frame[i, j + PAD] = last
            last = frame[i, j + PAD]


def _shift(sample, weights) -> int:
    """Bits of the weights: more where neighbours differ by far more than the errors that remain."""
    errors = cost(sample, weights)
    steps = float(np.log2(sample.sizes + 1).mean()) if sample.sizes.size else 0.0
    return int(min(max(SHIFT, SHIFT + round(steps - max(errors, -2)) - 3), 16))


def _gain(shifted: np.ndarray) -> int:
    """Least gain of the mean that foretells best, by a sample of pixels."""
    n, h, w = shifted.shape
    step = 1 + h * w // 2048
    series = shifted.reshape(n, -1)[:, ::step].astype(np.float64)
    errors = []
    for gain in GAINS:
        mean, total = series[0], 0.0
        for t in range(1, n):
            total += float(np.abs(series[t] - mean).sum())
            mean = mean + (series[t] - mean) * max(gain / 65536, 1 / (t + 1))
        errors.append(total)
    return GAINS[int(np.argmin(errors))]


class _Trial:
    """Rows in the middle of the first frame, coded as if all ``size`` pixels were like these."""

    def __init__(self, frame: np.ndarray, mask: np.ndarray, top: int, size: int) -> None:
        h, w = frame.shape[0], frame.shape[1] - 2 * PAD
        self._rows = min(h, max(TILE, TRIAL // w))
        self._start = ((h - self._rows) // 2) // TILE * TILE
        part = slice(self._start, self._start + self._rows)
        self._frame, self._mask = frame[part].copy(), mask[part] if mask.size else mask
        self._top, self._times = top, max(1, size // (self._rows * w))
        self._work = new_work(self._rows, w, 1)

    def bits(self, plan: Plan) -> int:
        """Estimated length under a plan."""
        counts = np.zeros((2 * N_CONTEXTS, N_TOKENS), dtype=np.int64)
        records = np.empty((self._rows, self._frame.shape[1] - 2 * PAD), dtype=np.int64)
        wide = np.zeros(16, dtype=np.int64)
        tiles = plan.tiles[self._start // TILE :]
        model = Model(plan.layout, plan.direct, plan.shift, self._top, plan.first, tiles, EMPTY, self._mask)
        tokens_of_frame(self._frame, model, self._work, records, wide, counts)
        raw = int(((records[records >= 0] >> 18) & 63).sum()) + 40 * int(wide[0])
        return estimated_bits(counts * self._times) + self._times * raw


def _best_layout(plan: Plan, trial: _Trial, n_frames: int) -> Plan:
    """Layout with the shortest trial; expected values are better in later frames than in the first."""
    least = trial.bits(plan)
    for layout, direct in LAYOUTS:
        if direct == 0 and layout != BY_ERROR and plan.layout == BY_VALUE:
            continue  # counts: the expected value says more than errors do
        other = plan._replace(layout=layout, direct=direct)
        bits = trial.bits(other)
        if n_frames > 1:
            bits += bits // SERIES_HANDICAP
        if bits < least:
            plan, least = other, bits
    return plan


def write_plan(plan: Plan, sets: list, numbers: NumberWriter) -> None:
    """Describe the plan and the weights of all frames."""
    n_sets = len(plan.first) - 1
    numbers.put(PLAN, plan.layout, plan.direct, plan.shift, n_sets - 1, plan.n_lanes - 1)
    if len(sets) > 1:
        numbers.put(PLAN, plan.gain)
    if n_sets > 1:
        steps = plan.tiles.astype(np.int64)
        steps[:, 1:] -= plan.tiles[:, :-1]
        numbers.put_all(TILES, steps % n_sets)
    last = np.zeros((1 + n_sets, N_TAPS), dtype=np.int64)
    for t, weights in enumerate(sets):
        if t:
            numbers.put(FRESH, int(weights is not None))
        if weights is None:
            continue
        for k in range(1 + n_sets):
            taps = _told_taps(k, t)
            numbers.put_signed(WEIGHT, (weights - last)[k, taps])
        last = weights


def read_plan(shape: tuple[int, int, int], numbers: NumberReader) -> tuple[Plan, list]:
    """Inverse of `write_plan`: the plan, and weights for every frame that has new ones."""
    n_frames, h, w = shape
    layout, direct = numbers.take(PLAN, 4), numbers.take(PLAN, MOST_DIRECT + 1)
    shift, n_sets = numbers.take(PLAN, MOST_SHIFT + 1), 1 + numbers.take(PLAN, MOST_SETS)
    n_lanes = 1 + numbers.take(PLAN, MOST_LANES)
    if shift < 4 or n_lanes > h:
        raise FormatError(f"a block of frames with shift {shift} and {n_lanes} lanes: it is damaged")
    gain = numbers.take(PLAN, 65537) if n_frames > 1 else 0
    tiles = np.zeros((-(-h // TILE), -(-w // TILE)), dtype=np.uint8)
    if n_sets > 1:
        steps = numbers.take_all(TILES, tiles.size, n_sets).reshape(tiles.shape)
        tiles = (np.cumsum(steps, axis=1) % n_sets).astype(np.uint8)
    last = np.zeros((1 + n_sets, N_TAPS), dtype=np.int64)
    first = last
    sets: list[np.ndarray | None] = []
    for t in range(n_frames):
        if t and not numbers.take(FRESH, 2):
            sets.append(None)
            continue
        last = last.copy()
        for k in range(1 + n_sets):
            taps = _told_taps(k, t)
            last[k, taps] += numbers.take_signed(WEIGHT, len(taps))
        last[:, 0] = -last[:, 1:].sum(axis=1)
        sets.append(last)
        first = last if t == 0 else first
    return Plan(layout, direct, shift, n_lanes, gain, tiles, first), sets


def _told_taps(k: int, t: int) -> list[int]:
    return [*(ROW_TAPS if k == 0 else FRAME_TAPS), *(REFERENCE_TAPS if t else ())]
