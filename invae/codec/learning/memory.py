"""Training of the network of curves with its memory (`invae.codec.curves.memory`), row by row.

As in `invae.codec.learning.network` weights, activations and what the network sees of the memory are rounded
as the coder does it, and the gradient passes through; the memory itself is fine enough to stay real.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from invae.codec.coding.network import CONSTANT, MOST, MOST_WEIGHTS
from invae.codec.curves.memory import HIDDEN, INWARD, MEMORY, N_SEEN, SIGNED
from invae.codec.learning.network import activation, improve, logits, start_weights, through
from invae.extras import optional_imports

__all__ = ["start_recurrent", "train_recurrent"]

STEP = 4  # of weights, in 1/64
LIMITS = [most // STEP * STEP for most in (MOST, MOST, *MOST_WEIGHTS)]
BATCH = 1 << 14  # values
LONGEST = 512  # values of a row that the gradient sees
MOST_GRADIENT = 1.0


def start_recurrent(rng: np.random.Generator) -> list[np.ndarray]:
    """Random whole weights M1, M2, N1, N2, N3; the memory begins by keeping most of what it holds."""

    def draw(rows: int, columns: int) -> np.ndarray:
        return np.rint(64 * rng.uniform(-1, 1, (rows, columns)) * rows**-0.5).astype(np.int16)

    inward, gates = draw(N_SEEN[1] + 1, INWARD), draw(INWARD + MEMORY + 1, 2 * MEMORY)
    gates[-1, :MEMORY] = CONSTANT
    return [inward, gates, *start_weights((N_SEEN[1] + MEMORY, *HIDDEN[1]), rng)]


def train_recurrent(
    seen: Sequence[np.ndarray],
    counts: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    n_steps: int,
    rng: np.random.Generator,
    rate: float,
    progress: Any = None,
) -> list[np.ndarray]:
    """Improve whole ``weights`` by Adam under a rate that rises and falls once.

    Parameters
    ----------
    seen : sequence of ndarrays of int8, shape (rows, n, inputs + 1)
        Of every plane what `CurveModel.watch` returns, and
    counts : sequence of ndarrays of int8, shape (rows, n, N_LOGITS, 2)
        what was decided there, see `count_decisions`.
    weights : sequence of five ndarrays
        M1, M2, N1, N2, N3.
    progress : callable(done, total), optional
    """
    rows_of = {n: np.concatenate([s for s in seen if s.shape[1] == n]) for n in {s.shape[1] for s in seen}}
    lengths = sorted(rows_of)
    counts_of = {n: np.concatenate([c for c in counts if c.shape[1] == n]) for n in lengths}
    sizes = np.array([rows_of[n].shape[0] * n for n in lengths], dtype=np.float64)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        n = lengths[rng.choice(len(sizes), p=sizes / sizes.sum())]
        window = min(n, LONGEST)
        rows = rng.integers(0, len(rows_of[n]), -(-BATCH // window))
        begin = int(rng.integers(0, n - window + 1))
        part = slice(begin, begin + window)
        return rows_of[n][rows, part], counts_of[n][rows, part]

    return improve(weights, _statement, draw, n_steps, rate, LIMITS, STEP, MOST_GRADIENT, progress)


def _statement(layers: Sequence[Any], x: Any) -> Any:
    """Logits of rounded layers for what was seen and its sign, (rows, n, inputs + 1), as the coder has them.

    A gated recurrent unit whose reset gate stands open.
    """
    with optional_imports():
        import torch

    inward, gates, *network = layers
    sign, signed = x[..., -1:], torch.from_numpy(np.append(SIGNED, False))
    now = activation(torch.where(signed, x * sign, x) @ inward, 64)
    kept = gates.shape[1] // 2
    shut = now.new_zeros(kept, INWARD), now.new_zeros(kept, kept)
    into = torch.cat([shut[0], gates[:INWARD].T])
    again = torch.cat([shut[1], 2 * gates[INWARD:-1].T])
    bias = torch.cat([now.new_full((kept,), 30.0), gates[-1]])
    start = now.new_zeros(1, len(x), kept)
    memory, _ = torch.gru(
        now, start, [into, again, bias, torch.zeros_like(bias)], True, 1, 0.0, True, False, True
    )
    short = 2 * through(lambda h: torch.clamp(torch.round(128 * h), -MOST, MOST) / 128, memory)
    upright, mirrored = short[..., : kept // 2], short[..., kept // 2 :] * sign
    return logits(network, torch.cat([x[..., :-1], upright, mirrored], dim=-1))
