"""Training a codec model from a user's own curves and frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.codec.learning.curves import DEFAULT_BOUNDS, FEWEST_POINTS, log_rows, part_of, train_curves
from invae.codec.learning.frames import train_frames
from invae.codec.model import CodecModel, default_model
from invae.errors import InputError

__all__ = ["train_codec"]

SHORTEST_SIDE = 16
CURVE_DRAWS = 7


def train_codec(
    data: Any,
    bounds: tuple[float, float] = DEFAULT_BOUNDS,
    rng: int | np.random.Generator | None = 0,
    progress: Any = None,
    *,
    start: CodecModel | None = None,
    n_draws: int | None = None,
    n_steps: int | None = None,
) -> CodecModel:
    """Learn a compression model from curves, frames or both.

    What is not among the data is taken from ``start``: a model learnt from curves codes frames as that does.

    Parameters
    ----------
    data : array_like of shape (n_curves, n_q) or (n_frames, rows, columns), or sequence
        Of a sequence every item is a curve or a frame, as array or record, by its number of axes. In
        curves values that are not positive repeat the one before; a few hundred curves are enough. Frames
        may hold counts (integers, negative ones mark dead pixels) or intensities (NaN marks).
    bounds : tuple of two floats
        Range of the bounds in log10 to train for; the model serves those somewhat beyond, too. Counts are
        coded as they are or within .2 to 1.2 of their standard deviation.
    rng : int, Generator or None
        Order of the data, bounds, scales and batches.
    progress : callable(done, total), optional
    start : CodecModel, optional
        Whose networks to go on from; the package's model unless given.
    n_draws : int, optional
        How often each curve (7 unless given) or frame (3) is taken, every time under another bound.
    n_steps : int, optional
        Steps of a network's training; unless given, from 80 (curves) or 1500 (frames) for few data to 1500
        or 20000 for many.

    Returns
    -------
    model : CodecModel
        At most 25 kB for curves and for frames each; pass it as ``compress(..., model=model)`` or save it
        with `invae.save`.

    Raises
    ------
    InputError
        No curve has 16 positive values and no frame 16 rows and columns, or an item is neither.
    """
    curves, frames = _sorted(data)
    start = start or default_model()
    network = None if start.curves is None or start.curves.without_memory else start.curves.network
    if curves and network is None:
        raise InputError(f"the curve model of {start} is without memory, or none; start from another model")
    rng = np.random.default_rng(rng)
    parts = bool(curves) + bool(frames)
    learned_curves, learned_frames = start.curves, start.frames if start.own_frames else None
    if curves:
        draws = CURVE_DRAWS if n_draws is None else n_draws
        learned_curves = train_curves(
            curves, bounds, rng, part_of(progress, 0, parts), network or (), draws, n_steps
        )
    if frames:
        part = part_of(progress, parts - 1, parts)
        learned_frames = train_frames(frames, bounds, rng, part, start.frames.network, n_draws, n_steps)
    return CodecModel(learned_curves, learned_frames)


def _sorted(data: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Rows of log10 intensities, and frames."""
    curves, frames, n = [], [], 0
    for item in data:
        n += 1
        values = np.asarray(getattr(item, "values", item))
        if values.ndim == 1:
            curves += log_rows([values.astype(np.float64)])
        elif values.ndim >= 2 and values.dtype.kind in "iuf":
            stack = values.reshape(-1, *values.shape[-2:])
            frames += list(stack) if min(stack.shape[1:]) >= SHORTEST_SIDE else []
        else:
            raise InputError(
                f"item {n - 1} has shape {values.shape} and dtype {values.dtype}; give curves (1-D) or "
                "frames (2-D)"
            )
    if not curves and not frames:
        raise InputError(
            f"none of the {n} items is a curve with {FEWEST_POINTS} positive values or a frame of at least "
            f"{SHORTEST_SIDE} x {SHORTEST_SIDE} pixels; give curves as rows of intensities, frames as images"
        )
    return curves, frames
