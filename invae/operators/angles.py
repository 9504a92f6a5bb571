"""Angles are radians; lists of degrees among them are told by their spread and their round numbers."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from invae.errors import InputError, InvaeWarning
from invae.linalg.samples import shown

__all__ = ["heed_degrees", "view_angles"]

TURNS = 2  # full turns of radians up to which nothing is suspected
NEAR = 0.02  # of a half turn


def view_angles(n_angles: Any, angles: Any, span: float) -> np.ndarray:
    """Views of a scan: evenly over [0, span), or the given ones after a look at their unit.

    Raises
    ------
    InputError
        Both or neither are given, or they are no such thing.
    """
    if np.ndim(n_angles) > 0:
        raise InputError(
            f"n_angles is a list of {np.size(n_angles)} values; pass the number of views, "
            "or the views themselves as angles=... (radians)"
        )
    if (n_angles is None) == (angles is None):
        raise InputError("give exactly one of n_angles (evenly spread views) and angles (radians)")
    if angles is None:
        if not _is_whole(n_angles) or n_angles < 1:
            raise InputError(f"n_angles={shown(n_angles)} must be an integer of at least 1")
        return np.arange(int(n_angles)) * (span / int(n_angles))
    try:
        views = np.array(angles, np.float64)
    except (TypeError, ValueError):
        views = np.array(np.nan)
    if views.ndim != 1 or views.size == 0 or not np.isfinite(views).all():
        raise InputError(
            f"angles must be a non-empty list of finite numbers in radians, got shape {views.shape}"
        )
    heed_degrees(views, "angles")
    return views


def heed_degrees(angles: np.ndarray | float, name: str) -> None:
    """Warn of angles that look like degrees.

    Several turns of radians are a normal scan, so their size alone says nothing. Degrees are: a spread beyond
    two turns of radians which, with the last step, is a whole number of half turns of 180, or of which every
    value is a round number (a multiple of 1/20).
    """
    values = np.sort(np.unique(np.asarray(angles, np.float64).ravel()))
    reach = float(np.abs(values).max(initial=0.0)) if values.size < 3 else float(np.ptp(values))
    if reach <= 2 * math.pi * TURNS:
        return
    step = float(np.median(np.diff(values))) if values.size > 2 else 0.0
    turns = np.array([reach, reach + step]) / 180
    whole = (np.abs(turns - np.round(turns)) < NEAR).any() and (np.round(turns) >= 1).all()
    rounded = np.abs(20 * values - np.round(20 * values)).max() < 1e-6
    if whole or rounded:
        warnings.warn(
            f"{name} from {values[0]:.5g} to {values[-1]:.5g} look like degrees, but are taken for radians; "
            f"pass np.deg2rad({name})",
            InvaeWarning,
            stacklevel=4,
        )


def _is_whole(number: Any) -> bool:
    return isinstance(number, (int, np.integer)) or (
        isinstance(number, (float, np.floating)) and math.isfinite(number) and number == int(number)
    )
