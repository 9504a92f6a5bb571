"""What a reconstructor is fitted to: a prior, signals, pairs or a stream of either, checked once."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from invae.autoencoders.bayes_risk.learning import (
    JointModel,
    Settings,
    learn_pairs,
    learn_prior,
    learn_signals,
    learn_stream,
)
from invae.autoencoders.bayes_risk.spaces import SPACES
from invae.autoencoders.bayes_risk.streams import is_stream, row_batches, shapes_of
from invae.errors import InputError
from invae.linalg.priors import GaussianPrior
from invae.linalg.samples import as_rows, is_number, shown
from invae.linalg.shrinkage import SHRINKAGES
from invae.operators.rows import forward, operator_dims

__all__ = ["check_parameters", "checked_rank", "fit_to"]

Shape = tuple[int, ...]


def check_parameters(model: Any) -> None:
    """Refuse values that no data can mend."""
    if model.space != "auto" and model.space not in SPACES:
        raise InputError(f"space={model.space!r} is unknown; choose auto, {', '.join(SPACES)}")
    if model.shrinkage not in ("auto", None, *SHRINKAGES):
        raise InputError(
            f"shrinkage={model.shrinkage!r} is unknown; choose auto, None, {', '.join(SHRINKAGES)}"
        )
    if not isinstance(model.rank, numbers.Integral) and model.rank not in ("auto", "full"):
        raise InputError(f'rank={model.rank!r} is neither a whole number nor "auto" or "full"')
    if not is_number(model.validation, 0.0) or model.validation >= 1 or not is_number(model.tolerance, 0.0):
        raise InputError(
            f"validation={shown(model.validation)} must be in [0, 1), "
            f"tolerance={shown(model.tolerance)} must be >= 0"
        )


def _arrays(samples: Any) -> Any:
    """Tensors, data frames and their like as arrays; what may be larger than memory stays as it is."""
    if samples is None or hasattr(samples, "__next__") or isinstance(samples, np.ndarray):
        return samples
    if hasattr(samples, "detach") or isinstance(samples, (list, tuple)) or hasattr(samples, "to_numpy"):
        try:
            return np.asarray(samples.detach().cpu() if hasattr(samples, "detach") else samples)
        except (TypeError, ValueError) as error:
            raise InputError(f"samples of type {type(samples).__name__} are no array: {error}") from None
    if not hasattr(samples, "shape"):
        raise InputError(f"samples of type {type(samples).__name__}; pass an array or an iterator of arrays")
    return samples


def fit_to(
    signals: Any, measurements: Any, prior: GaussianPrior | None, settings: Settings
) -> tuple[JointModel, Shape, Shape]:
    """Learn from whatever was given; see `BayesRiskReconstructor.fit`.

    Returns
    -------
    model : JointModel
    shape_x, shape_y : tuple of int
        Of a signal and of a measurement.
    """
    operator = settings.operator
    signals, measurements = _arrays(signals), _arrays(measurements)
    dims, dimsd = (None, None) if operator is None else operator_dims(operator)
    if signals is None:
        if prior is None:
            raise InputError("nothing to fit to: pass signals, or give the reconstructor a prior")
        if dims is not None and math.prod(dims) != prior.size:
            raise InputError(f"the prior is for signals of shape {prior.shape_}, the operator wants {dims}")
        return learn_prior(prior, settings), prior.shape_, dimsd or prior.shape_
    if prior is not None:
        raise InputError("both a prior and signals were given; fit() without signals, or leave the prior out")
    if is_stream(signals):
        for name, value in (("augment", settings.augment), ("shrinkage", settings.shrinkage)):
            if value not in ("auto", None):
                raise InputError(
                    f"{name}={value!r} needs all samples at once, these come in batches; "
                    f"pass them as one array in memory, or leave {name} out"
                )
        signals, shape_x, shape_y = shapes_of(signals, measurements)
        shape_x = dims or shape_x
        shape_y = dimsd or shape_y or shape_x
        pairs = _pairs(signals, measurements, shape_x, shape_y, operator)
        return learn_stream(pairs, settings), shape_x, shape_y
    signals = np.asarray(signals)
    shape_x = dims or tuple(signals.shape[1:])
    X, _ = as_rows(signals, shape_x, "signals")
    if measurements is None:
        return learn_signals(X, shape_x, settings), shape_x, dimsd or shape_x
    measurements = np.asarray(measurements)
    shape_y = dimsd or tuple(measurements.shape[1:])
    Y, _ = as_rows(measurements, shape_y, "measurements")
    if len(X) != len(Y):
        raise InputError(f"{len(X)} signals and {len(Y)} measurements are no pairs; pass as many of each")
    return learn_pairs(X, Y, shape_x, settings), shape_x, shape_y


def checked_rank(rank: Any, n: int, m: int) -> int:
    """A rank that a map from m measurements to n unknowns can have."""
    if not isinstance(rank, int | np.integer):
        raise InputError(f'rank={rank!r} is neither a whole number nor "full"')
    if not 1 <= rank <= min(m, n):
        way = f"use rank<={min(m, n)} or add measurements" if rank > 0 else "use rank>=1"
        raise InputError(f"rank={rank} is not in 1..min(m={m}, n={n})={min(m, n)}; {way}")
    return int(rank)


def _pairs(
    signals: Any, measurements: Any, shape_x: tuple[int, ...], shape_y: tuple[int, ...], operator: Any
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for X, Y in row_batches(signals, measurements, shape_x, shape_y):
        yield X, forward(operator, X) if Y is None else Y
