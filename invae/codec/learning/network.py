"""Training of the codec's network (`invae.codec.coding.network`): whole weights by straight-through rounding.

What is minimised is the cost in bits of all decisions that the coder takes on the way to each value. In the
forward pass weights and activations are rounded and cut as the coder does it; the gradient passes through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit

from invae.codec.coding.cells import MOST_BITS, cell_bits, cell_kind, centre_cell
from invae.codec.coding.network import MOST, MOST_WEIGHTS, N_LOGITS
from invae.extras import optional_imports

__all__ = [
    "activation",
    "cost",
    "count_decisions",
    "improve",
    "logits",
    "start_weights",
    "through",
    "train_network",
    "whole",
]

RATE = 4e-3


@njit(cache=True)
def count_decisions(targets: np.ndarray) -> np.ndarray:
    """How often each kind of decision was answered no and yes; shape (n, N_LOGITS, 2), int8.

    ``targets`` (n, 2) holds mirrored distance and z; the decisions are those of `invae.codec.coding.cells`.
    """
    counts = np.zeros((targets.shape[0], N_LOGITS, 2), dtype=np.int8)
    for i in range(targets.shape[0]):
        r, z = targets[i, 0], targets[i, 1]
        low, high = centre_cell(z)
        centre = low <= r <= high
        counts[i, 0, 1 if centre else 0] = 1
        if centre:
            continue
        positive = 1 if r > high else 0
        counts[i, 1, positive] = 1
        size = r if positive else -r
        edge = high + 1 if positive else 1 - low
        bits, cell = z, 1
        while bits < MOST_BITS:
            beyond = size >= edge + (1 << bits)
            counts[i, cell_kind(cell, positive), 1 if beyond else 0] += 1
            if not beyond:
                break
            edge += 1 << bits
            cell += 1
            bits = cell_bits(cell, z)
    return counts


def start_weights(sizes: tuple[int, int, int], rng: np.random.Generator) -> list[np.ndarray]:
    """Random whole weights of the three layers, the last row of the second and third being biases.

    ``sizes`` are the number of what the network sees and of both hidden layers.
    """
    n_seen, first, second = sizes
    shapes = (n_seen, first + 1, second + 1), (first, second, N_LOGITS)
    return [
        np.rint(64 * rng.uniform(-1, 1, (rows, columns)) * rows**-0.5).astype(np.int16)
        for rows, columns in zip(*shapes)
    ]


def train_network(
    seen: np.ndarray,
    counts: np.ndarray,
    weights: Sequence[np.ndarray],
    n_steps: int,
    rng: np.random.Generator,
    batch_size: int = 1024,
    rate: float = RATE,
    progress: Any = None,
) -> list[np.ndarray]:
    """Improve whole ``weights`` by Adam under a rate that rises and falls once.

    Parameters
    ----------
    seen : ndarray of int8, shape (n, inputs)
    counts : ndarray of int8, shape (n, N_LOGITS, 2)
        See `count_decisions`.
    weights : sequence of three ndarrays
        Whole numbers within `MOST_WEIGHTS`.
    progress : callable(done, total), optional
    """

    def draw() -> tuple[np.ndarray, np.ndarray]:
        rows = rng.integers(0, len(seen), batch_size)
        return seen[rows], counts[rows]

    return improve(weights, logits, draw, n_steps, rate, MOST_WEIGHTS, progress=progress)


def improve(
    weights: Sequence[np.ndarray],
    statement: Callable[[Sequence[Any], Any], Any],
    draw: Callable[[], tuple[np.ndarray, np.ndarray]],
    n_steps: int,
    rate: float,
    most: Sequence[int],
    step: int = 1,
    most_gradient: float | None = None,
    progress: Any = None,
) -> list[np.ndarray]:
    """Improve whole ``weights``, multiples of ``step`` up to ``most``, by Adam.

    ``draw`` gives what is seen and counted decisions of a batch, ``statement`` the logits that rounded layers
    make of the former.
    """
    with optional_imports():
        import torch

    layers = [torch.tensor(w / 64, dtype=torch.float32, requires_grad=True) for w in weights]
    optimiser = torch.optim.Adam(layers, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=n_steps)
    for k in range(n_steps):
        seen, counts = (torch.from_numpy(part.astype(np.float32)) for part in draw())
        loss = cost(statement([whole(layer, step) for layer in layers], seen / 64), counts)
        optimiser.zero_grad()
        loss.backward()
        if most_gradient is not None:
            torch.nn.utils.clip_grad_norm_(layers, most_gradient)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for layer, limit in zip(layers, most):
                layer.clamp_(-limit / 64, limit / 64)
        if progress is not None:
            progress(k + 1, n_steps)
    return [step * np.rint(64 / step * layer.detach().numpy()).astype(np.int16) for layer in layers]


def logits(layers: Sequence[Any], x: Any) -> Any:
    """The network of `respond` in real units: weights / 64, activations / 32."""
    first, second, last = layers
    a = activation(x @ first, 32)
    b = activation(a @ second[:-1] + 2 * second[-1], 32)
    return b @ last[:-1] + 2 * last[-1]


def whole(layer: Any, step: int = 1) -> Any:
    """Weights as they are stored: multiples of ``step`` / 64."""
    import torch

    return through(torch.round, layer * (64 / step)) * (step / 64)


def activation(a: Any, units: int) -> Any:
    """What is positive, in whole 1 / ``units`` up to 127 of them."""
    import torch

    return through(torch.floor, torch.clamp(a, 0, MOST / units) * units) / units


def through(rounding: Any, x: Any) -> Any:
    """``rounding(x)`` with the gradient of x."""
    return x + (rounding(x) - x).detach()


def cost(logits: Any, answers: Any) -> Any:
    """Mean bits of all decisions of a value."""
    import torch

    no, yes = answers[..., 0], answers[..., 1]
    softplus = torch.nn.functional.softplus
    return (no * softplus(logits) + yes * softplus(-logits)).sum(-1).mean() / np.log(2)
