"""What ``k sigma`` does to real data: bytes against rivals, ring sums of frames, Rg and I(0) of curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import invae
from experiments.compression.rates import (
    kept_rivals,
    our_row,
    rival_row,
    row_of,
    summed,
    timed_round_trip,
    violations,
)
from experiments.compression.sets import special
from invae.data.records import Curve
from invae.errors import InvaeError
from invae.evaluation.domains import domain_for
from invae.evaluation.rates import Codec
from invae.evaluation.residuals import run_test
from invae.evaluation.rings import ring_scores
from invae.evaluation.rivals import codecs
from invae.evaluation.scattering import compare_physics

__all__ = ["curve_physics_rows", "frame_rows", "real_curve_rows", "ring_rows"]

FEWEST = 30  # pixels of a ring that is judged
SCIENCE = 0.5  # k of the scientific tests
UNITS = 16  # powers of two that intensities are multiplied by: each draws another dither

Rows = list[dict[str, Any]]


def frame_rows(
    frames: dict[str, np.ndarray], bounds: Sequence[str], efforts: Sequence[int], keep: bool = False
) -> Rows:
    """Every frame alone, summed over the frames; a sentinel stays exact with every codec."""
    rows: Rows = []
    n_values = sum(image.size for image in frames.values())
    for bound in bounds:
        labels = {"set": "real frames", "bound": bound, "samples": len(frames)}
        masks = {key: special(image) for key, image in frames.items()}
        lossless = bound == "lossless"
        rows.append(labels | summed([our_row(image, bound, 1, False) for image in frames.values()], n_values))
        rivals: dict[str, Rows] = {}
        for key, image in frames.items():
            mask = None if lossless else masks[key]
            for tuned in kept_rivals(image, bound, mask=mask, efforts=tuple(efforts), keep=keep):
                rivals.setdefault(tuned.codec, []).append(rival_row(tuned, image.size))
        rows += [labels | summed(each, n_values) for each in rivals.values() if len(each) == len(frames)]
    return rows


def ring_rows(frames: dict[str, np.ndarray], k: float = SCIENCE) -> Rows:
    """Shift of ring sums in units of their own sigma, ours and SZ3's at the same bound."""
    bound = f"{k}sigma"
    rows: Rows = []
    sz3 = codecs().get("SZ3")
    for name, image in frames.items():
        bad = special(image)
        if bad.all():
            continue
        blob = invae.compress(image, bound=bound)
        copies = {"invae": invae.decompress(blob)}
        if sz3 is not None:
            copies["SZ3"] = domain_for(image, bound, mask=bad).measure(sz3).decoded
        for codec, copy in copies.items():
            centre = ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
            scores = ring_scores(image, copy, centre, bad)
            z = scores.z[scores.n_pixels >= FEWEST]
            if not z.size:
                continue
            row = {
                "frame": name,
                "codec": codec,
                "median": float(np.median(image[~bad])),
                "rings": len(z),
                "max |z|": float(np.abs(z).max()),
                "rms z": float(np.sqrt(np.mean(z**2))),
                "mean z": float(z.mean()),
            }
            if codec == "invae":
                row["bits / value"] = 8 * len(blob) / image.size
            rows.append(row)
    return rows


def curve_physics_rows(curves: Sequence[Curve], k: float = SCIENCE) -> Rows:
    """Shifts of derived quantities in their own sigma (rms over curves), and a run test over all errors.

    Our dither depends on the values, so each curve is coded in several units (powers of two, exact): the rms
    is over curves and units, and the run test's p the median over units, which says how it is on average
    rather than by the luck of one draw.
    """
    bound = f"{k}sigma"
    usable = [c for c in curves if with_sigma(c)]

    def ours(curve: Curve) -> np.ndarray:
        return invae.decompress(invae.compress(curve, bound=bound)).intensity

    rows = physics_rows("invae", usable, ours, UNITS)
    sz3 = codecs().get("SZ3")
    if sz3 is None:
        return rows

    def theirs(curve: Curve, codec: Codec = sz3) -> np.ndarray:
        return domain_for(curve.intensity, bound, curve.sigma).measure(codec).decoded

    return rows + physics_rows("SZ3", usable, theirs, 1)


def physics_rows(
    codec: str, curves: Sequence[Curve], coded: Callable[[Curve], np.ndarray], n_units: int
) -> Rows:
    """A row for each derived quantity and one for the run test, over curves in so many units."""
    shifts: dict[str, list[float]] = {}
    tests, largest = [], 0.0
    for unit in 2.0 ** np.arange(n_units):
        errors: list[np.ndarray] = []
        for curve in curves:
            intensity, sigma = curve.intensity * unit, np.asarray(curve.sigma) * unit
            copy = coded(curve.replace(intensity=intensity, sigma=sigma))
            errors.append((copy - intensity) / sigma)
            try:
                quantities = compare_physics(curve.q, intensity, copy, sigma)
            except InvaeError:
                continue
            for row in quantities:
                if row["valid"] and np.isfinite(row["shift"]):
                    shifts.setdefault(row["quantity"], []).append(row["shift"])
        length = max(map(len, errors))
        padded = np.array([np.r_[e, np.full(length - len(e), np.nan)] for e in errors])
        tests.append(run_test(padded))
        largest = max(largest, float(np.nanmax(np.abs(padded))))
    rows: Rows = [
        {
            "quantity": quantity,
            "codec": codec,
            "curves": len(z) // n_units,
            "rms shift / sigma": float(np.sqrt(np.mean(np.square(z)))),
            "max": float(np.abs(z).max()),
        }
        for quantity, z in shifts.items()
    ]
    run_row = {
        "quantity": "run test over all errors, z",
        "codec": codec,
        "curves": len(curves),
        "rms shift / sigma": float(np.sqrt(np.mean([one.z**2 for one in tests]))),
        "max": largest,
        "p": float(np.median([one.p for one in tests])),
    }
    return [*rows, run_row]


def real_curve_rows(curves: Sequence[Curve], bounds: Sequence[str], keep: bool = False) -> Rows:
    """Intensities of real curves, each coded alone; under ``sigma`` bounds every decoder knows sigma.

    Our archive holds what it needs of sigma, so its exact coding (an archive of sigma alone) is taken off.
    """
    rows: Rows = []
    for bound in bounds:
        in_sigma = bound.endswith("sigma")
        chosen = [c for c in curves if not in_sigma or with_sigma(c)]
        n_values = sum(len(c.q) for c in chosen)
        labels = {"set": "real curves", "bound": bound, "samples": len(chosen)}
        ours: Rows = []
        rivals: dict[str, Rows] = {}
        for curve in chosen:
            sigma = np.asarray(curve.sigma) if in_sigma else None
            intensity = np.ascontiguousarray(curve.intensity)
            if sigma is None:
                ours.append(our_row(intensity, bound, 1, True))
            else:
                ours.append(sigma_row(intensity, bound, sigma))
            for tuned in kept_rivals(intensity, bound, sigma, efforts=(7,), keep=keep):
                rivals.setdefault(tuned.codec, []).append(rival_row(tuned, intensity.size))
        rows.append(labels | summed(ours, n_values))
        for each in rivals.values():
            if len(each) == len(chosen):
                rows.append(labels | summed(each, n_values))
    return rows


def sigma_row(intensity: np.ndarray, bound: str, sigma: np.ndarray) -> dict[str, Any]:
    blob, decoded, seconds = timed_round_trip(intensity, bound=bound, sigma=sigma)
    error = invae.Bound.parse(bound).max_ratio(intensity, decoded, sigma)
    n_bytes = len(blob) - (len(invae.compress(sigma)) - len(invae.compress(sigma[:0])))
    row = row_of("invae", "", n_bytes, intensity.size, error, seconds)
    return row | {"broken": violations(intensity, decoded, bound, sigma)}


def with_sigma(curve: Curve) -> bool:
    sigma = curve.sigma
    return sigma is not None and bool(np.isfinite(sigma).all() and (np.asarray(sigma) > 0).all())
