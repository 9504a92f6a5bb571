"""How much each measured line of a scan counts: shares of the turn, and lines that are measured twice.

Filtered back-projection is an integral over the half turn. A view stands for the angles nearer to it than to
any other; a line that is seen from both sides is shared between its two views with weights w(s) + w(-s) = 1.

References
----------
G. Wang (2002), X-ray micro-CT with a displaced detector array, Med. Phys. 29: smooth weights of a detector
that is longer on one side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["angular_shares", "covers", "redundancy"]

LEAST_WEDGE = np.radians(10.0)
LARGER = 3.0  # times nine tenths of the others: a gap beyond is a missing wedge
MOST_WEDGES = 2
TOGETHER = 0.05  # of the usual step: views nearer than that are repetitions
SAME = 1e-4  # radians; a fifth of a pixel at the rim of an image of 4000
BLEND = 0.25  # of the part that is seen from both sides, over which its weight falls off


def angular_shares(angles: np.ndarray, period: float) -> np.ndarray:
    """The part of the period [radians] for which each view stands: half way to its neighbours on either side.

    Shares of a scan that covers the period add up to it, however unevenly. One or two gaps that are both
    wider than 10 degrees and more than three times as wide as nine tenths of the scan's other steps (by
    length) are missing wedges: the views at their rims keep half the usual step on that side, and nothing is
    put into the gap. Views within a twentieth of the usual step are repetitions and share their part alike.
    """
    group, steps = _groups(angles, period)
    if len(steps) == 1:
        return np.full(len(angles), period / len(angles))
    missing = _wedges(steps)
    steps = np.where(missing, _usual(steps[~missing]), steps)
    shares = 0.5 * (steps + np.roll(steps, 1))
    return (shares / np.bincount(group))[group]


def covers(angles: np.ndarray, period: float) -> float:
    """The widest missing wedge [radians] of the period; 0 where the views cover it."""
    _, steps = _groups(angles, period)
    missing = _wedges(steps)
    return float(steps[missing].max(initial=0.0))


def redundancy(F: Any) -> np.ndarray | None:
    """Weights w(s) (n_detectors,) of a detector longer on one side, for a scan over the full turn.

    Lines |s| < c, with c the end of the shorter side, are seen twice and get 1/2 + 1/2, blended smoothly into
    1 where only one view sees them and 0 where that view's twin does. None where nothing is to be blended:
    both sides equal, the shorter one beyond the image's shadow, or not seen from all sides.
    """
    half = F.detector_spacing / 2
    left, right = half - F.detector_positions[0], half + F.detector_positions[-1]
    short = min(left, right)
    if abs(left - right) <= 2 * half or short >= shadow(F):
        return None
    if covers(F.angles, 2 * np.pi) > 0:
        return None
    s = F.detector_positions * (1 if right > left else -1)
    if short <= half:
        return np.where(np.abs(s) < short, 0.5, (s > 0).astype(float))
    width = min(short, max(BLEND * short, 8 * half))
    # Odd about the centre: -1/2 at -short, 0 in the middle part, 1/2 at short.
    ramp = np.clip((np.abs(s) - (short - width)) / width, 0, 1)
    return 0.5 + 0.5 * np.sign(s) * np.sin(np.pi / 2 * ramp) ** 2


def shadow(F: Any) -> float:
    """Half the width of the image's shadow on the detector."""
    radius = np.hypot(*F.dims) / 2
    if F.geometry == "parallel":
        return float(radius)
    return float(
        radius / np.sqrt(F.source_distance**2 - radius**2) * (F.source_distance + F.detector_distance)
    )


def _groups(angles: np.ndarray, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Number of each view's group of repetitions, in the order of their angles, and the steps to the next."""
    turned = np.mod(angles, period)
    order = np.argsort(turned, kind="stable")
    steps = np.diff(turned[order], append=turned[order[0]] + period)
    # From behind the widest gap on, so that no group lies across the period's end.
    start = int(np.argmax(steps)) + 1
    order = np.roll(order, -start)
    place = np.mod(turned[order] - turned[order[0]], period)
    place[0] = 0.0
    near = max(TOGETHER * _usual(np.roll(steps, -start)[:-1]), SAME)
    number, first = np.zeros(len(place), int), 0.0
    for i in range(1, len(place)):
        apart = place[i] - first > near
        number[i] = number[i - 1] + apart
        first = place[i] if apart else first
    group = np.empty_like(number)
    group[order] = number
    centre = np.bincount(number, place) / np.bincount(number)
    return group, np.diff(centre, append=centre[0] + period)


def _usual(steps: np.ndarray) -> float:
    """The step up to which the scan's smaller steps make nine tenths of its length."""
    steps = np.sort(steps)
    if not len(steps):
        return 0.0
    length = np.cumsum(steps)
    return float(steps[np.searchsorted(length, 0.9 * length[-1])])


def _wedges(steps: np.ndarray) -> np.ndarray:
    ordered = np.sort(steps)
    for count in range(MOST_WEDGES, 0, -1):
        rest = ordered[:-count]
        if len(rest) >= 2 and ordered[-count] > max(LEAST_WEDGE, LARGER * _usual(rest)):
            return steps >= ordered[-count]
    return np.zeros(len(steps), bool)
